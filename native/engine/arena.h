// SPDX-License-Identifier: Apache-2.0
// The engine's memory in a short-lived command: taken from the front of one mapping, given back by the exit. Freed
// blocks are used again for others of their size, since pages that are touched for the first time cost the most.
#pragma once
#include <quickjs.h>
#include <stdint.h>

/**
 * Address space of the arena. Only pages that were touched count as memory, so this is a ceiling, not a cost.
 * The last 1 MiB is left for dealing with the failure of having used up the rest.
 */
#define ARENA_SIZE ((size_t)64 << 20)
#define ARENA_RESERVE ((size_t)1 << 20)
/** Of bigger blocks, with their header, none are kept for reuse. */
#define ARENA_LARGEST_KEPT ((size_t)1024)

/** At the front of its own mapping: the mapping's used part is all that there is of an engine (snapshot.h). */
struct arena {
	uint8_t *base;
	size_t used;
	size_t populated; // up to here the pages are there
	size_t limit;
	uint8_t *last;                                  // the block that ends at `used`, which can grow and shrink in place
	void *free_blocks[ARENA_LARGEST_KEPT / 16 + 1]; // by their footprint in alignment units
};

/** The allocator for JS_NewRuntime2, whose opaque is the arena. */
extern const JSMallocFunctions arena_functions;

/** Maps an arena. NULL with errno. */
struct arena *arena_open(void);

/** The mapping of an arena whose contents are to come from elsewhere, with the pages of `populated` bytes. NULL with errno. */
uint8_t *arena_map(size_t populated);
