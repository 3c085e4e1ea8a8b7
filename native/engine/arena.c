// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)
/** Before each block stands its size, in a whole alignment unit less the tail of the block before it. */
#define HEADER sizeof(size_t)
/** So much is asked of the kernel at a time: page faults one by one took a tenth of a start's time. */
#define POPULATED_AT_ONCE ((size_t)128 << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t *block_size(const void *block)
{
	return (size_t *)((uintptr_t)block - HEADER);
}

/** Room for the header and the size, so that the next block is aligned again. */
static size_t footprint(size_t size)
{
	return (size + HEADER + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/** Before Linux 5.14 this fails, and the pages come one by one. */
static void populate(uint8_t *start, size_t size)
{
	madvise(start, size, MADV_POPULATE_WRITE);
}

/** True if this much fits. The first time that it does not, the reserve is opened for those who handle the failure. */
static int fits(struct arena *arena, size_t used, size_t size)
{
	if (size > arena->limit || used + footprint(size) > arena->limit) {
		arena->limit = ARENA_SIZE;
		return 0;
	}
	for (; used + footprint(size) > arena->populated; arena->populated += POPULATED_AT_ONCE)
		populate(arena->base + arena->populated, POPULATED_AT_ONCE);
	return 1;
}

/** The free blocks of this footprint, linked by their first words; NULL for a size of which none are kept. */
static void **free_blocks(struct arena *arena, size_t total)
{
	return total <= ARENA_LARGEST_KEPT ? &arena->free_blocks[total / ALIGNMENT] : NULL;
}

static void *arena_malloc(JSMallocState *state, size_t size)
{
	struct arena *arena = state->opaque;
	void **kept = size <= ARENA_LARGEST_KEPT ? free_blocks(arena, footprint(size)) : NULL;
	if (kept != NULL && *kept != NULL) {
		void *block = *kept;
		*kept = *(void **)block;
		return block;
	}
	if (!fits(arena, arena->used, size))
		return NULL;
	arena->last = arena->base + arena->used + HEADER;
	arena->used += footprint(size);
	*block_size(arena->last) = footprint(size) - HEADER;
	return arena->last;
}

/** The last block's memory is for any size again: the temporary strings of argument conversion are such blocks. */
static void arena_free(JSMallocState *state, void *block)
{
	struct arena *arena = state->opaque;
	if (block == NULL)
		return;
	if (block == arena->last) {
		arena->used = (size_t)(arena->last - HEADER - arena->base);
		arena->last = NULL;
		return;
	}
	void **kept = free_blocks(arena, *block_size(block) + HEADER);
	if (kept != NULL) {
		*(void **)block = *kept;
		*kept = block;
	}
}

static void *arena_realloc(JSMallocState *state, void *block, size_t size)
{
	struct arena *arena = state->opaque;
	if (block == NULL)
		return size == 0 ? NULL : arena_malloc(state, size);
	if (size == 0) {
		arena_free(state, block);
		return NULL;
	}
	if (size <= *block_size(block))
		return block;
	if (block == arena->last) {
		size_t start = (size_t)(arena->last - HEADER - arena->base);
		if (!fits(arena, start, size))
			return NULL;
		arena->used = start + footprint(size);
		*block_size(block) = footprint(size) - HEADER;
		return block;
	}
	void *moved = arena_malloc(state, size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, block, *block_size(block));
	arena_free(state, block);
	return moved;
}

static size_t arena_usable_size(const void *block)
{
	return block == NULL ? 0 : *block_size(block);
}

const JSMallocFunctions arena_functions = {arena_malloc, arena_free, arena_realloc, arena_usable_size};

uint8_t *arena_map(size_t populated)
{
	void *base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	populate(base, populated);
	return base;
}

struct arena *arena_open(void)
{
	uint8_t *base = arena_map(POPULATED_AT_ONCE);
	if (base == NULL)
		return NULL;
	struct arena *arena = (struct arena *)base;
	// Blocks are aligned behind their header: each header ends at an aligned address.
	*arena = (struct arena){
		.base = base,
		.used = footprint(sizeof *arena) + ALIGNMENT - HEADER,
		.populated = POPULATED_AT_ONCE,
		.limit = ARENA_SIZE - ARENA_RESERVE,
	};
	return arena;
}
