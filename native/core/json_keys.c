// SPDX-License-Identifier: Apache-2.0
#include "json_keys.h"

#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

_Static_assert(sizeof((struct json_keys *)0)->secret == crypto_shorthash_KEYBYTES, "the key of SipHash");

/** Keyed by a secret of the process (SipHash-2-4), so that a hostile document can't choose keys that collide. */
static uint32_t hash_key(const struct json_keys *keys, uint32_t serial, const char *data, size_t size)
{
	uint64_t hash;
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)data, size, keys->secret);
	return (uint32_t)(hash >> 32) ^ (uint32_t)hash ^ serial * UINT32_C(0x9e3779b1);
}

/** The slot of a key: its own, or the free one where it belongs. */
static struct json_key *find_slot(const struct json_keys *keys, const struct json_key *key)
{
	for (size_t i = key->hash & (keys->capacity - 1);; i = (i + 1) & (keys->capacity - 1)) {
		struct json_key *slot = &keys->slots[i];
		if (slot->data == NULL || (slot->hash == key->hash && slot->serial == key->serial &&
		                           slot->size == key->size && memcmp(slot->data, key->data, key->size) == 0))
			return slot;
	}
}

static int grow(struct json_keys *keys)
{
	struct json_keys bigger = *keys;
	bigger.capacity = keys->capacity == 0 ? 256 : keys->capacity * 2;
	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		return -1;
	if (keys->capacity == 0)
		memcpy(bigger.secret, (const void *)getauxval(AT_RANDOM), sizeof bigger.secret);
	for (size_t i = 0; i < keys->capacity; i++) {
		if (keys->slots[i].data != NULL)
			*find_slot(&bigger, &keys->slots[i]) = keys->slots[i];
	}
	free(keys->slots);
	*keys = bigger;
	return 0;
}

int json_keys_add(struct json_keys *keys, uint32_t serial, const char *data, size_t size)
{
	if (keys->count * 2 >= keys->capacity && grow(keys) != 0)
		return -1;
	struct json_key key = {.data = data, .size = size, .serial = serial, .hash = hash_key(keys, serial, data, size)};
	struct json_key *slot = find_slot(keys, &key);
	if (slot->data != NULL)
		return 1;
	*slot = key;
	keys->count++;
	return 0;
}

void json_keys_free(struct json_keys *keys)
{
	free(keys->slots);
	*keys = (struct json_keys){0};
}
