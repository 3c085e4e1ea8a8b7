// SPDX-License-Identifier: Apache-2.0
// The set of keys that a JSON document has shown so far, for refusing duplicates: one hash set for all its objects.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct json_key {
	const char *data; // NULL: a free slot
	size_t size;
	uint32_t serial;
	uint32_t hash;
};

/** Zeroed: the empty set. */
struct json_keys {
	struct json_key *slots; // open addressing, linear probing
	size_t capacity;        // a power of two, or 0
	size_t count;
	unsigned char secret[16];
};

/**
 * Adds a key of the object with this serial number. `data` must stay where it is while the set lives.
 * Returns 0 if it was new, 1 if it was there, -1 if memory is out.
 */
int json_keys_add(struct json_keys *keys, uint32_t serial, const char *data, size_t size);

/** Frees and empties the set. */
void json_keys_free(struct json_keys *keys);
