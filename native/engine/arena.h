// SPDX-License-Identifier: Apache-2.0
// The engine's memory in a short-lived command: taken from the front of one mapping, given back by the exit.
#pragma once
#include <quickjs.h>
#include <stdint.h>

/**
 * Address space of the arena. Only pages that were touched count as memory, so this is a ceiling, not a cost.
 * The last 1 MiB is left for dealing with the failure of having used up the rest.
 */
#define ARENA_SIZE ((size_t)64 << 20)
#define ARENA_RESERVE ((size_t)1 << 20)

struct arena {
	uint8_t *base;
	size_t used;
	size_t limit;
	uint8_t *last; // the block that ends at `used`, which can grow and shrink in place
};

/** The allocator for JS_NewRuntime2, whose opaque is the arena. */
extern const JSMallocFunctions arena_functions;

/** Maps the arena. Returns 0, or -1 with errno. */
int arena_open(struct arena *arena);
