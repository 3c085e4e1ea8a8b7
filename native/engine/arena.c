// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)
/** Before each block stands its size, in a whole alignment unit less the tail of the block before it. */
#define HEADER sizeof(size_t)

static size_t *block_size(const void *block)
{
	return (size_t *)((uintptr_t)block - HEADER);
}

/** Room for the header and the size, so that the next block is aligned again. */
static size_t footprint(size_t size)
{
	return (size + HEADER + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/** True if this much fits. The first time that it does not, the reserve is opened for those who handle the failure. */
static int fits(struct arena *arena, size_t used, size_t size)
{
	if (size <= arena->limit && used + footprint(size) <= arena->limit)
		return 1;
	arena->limit = ARENA_SIZE;
	return 0;
}

static void *arena_malloc(JSMallocState *state, size_t size)
{
	struct arena *arena = state->opaque;
	if (!fits(arena, arena->used, size))
		return NULL;
	arena->last = arena->base + arena->used + HEADER;
	arena->used += footprint(size);
	*block_size(arena->last) = footprint(size) - HEADER;
	return arena->last;
}

/** Only the last block's memory is used again: the temporary strings of argument conversion are such blocks. */
static void arena_free(JSMallocState *state, void *block)
{
	struct arena *arena = state->opaque;
	if (block == NULL || block != arena->last)
		return;
	arena->used = (size_t)(arena->last - HEADER - arena->base);
	arena->last = NULL;
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
	return moved == NULL ? NULL : memcpy(moved, block, *block_size(block));
}

static size_t arena_usable_size(const void *block)
{
	return block == NULL ? 0 : *block_size(block);
}

const JSMallocFunctions arena_functions = {arena_malloc, arena_free, arena_realloc, arena_usable_size};

int arena_open(struct arena *arena)
{
	void *base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -1;
	// Blocks are aligned behind their header: the first header ends at an aligned address.
	*arena = (struct arena){.base = base, .used = ALIGNMENT - HEADER % ALIGNMENT, .limit = ARENA_SIZE - ARENA_RESERVE};
	return 0;
}
