// SPDX-License-Identifier: Apache-2.0
// The engine's allocator: blocks keep what is in them, never overlap, are aligned, and are used again.
#include "engine/arena.c"

#include "check.h"

#define BLOCKS 500
#define STEPS 50000

static struct arena *arena;
static JSMallocState state;

struct model {
	uint8_t *block;
	size_t size;
	uint8_t fill;
};

static uint32_t next_random(void)
{
	static uint32_t x = 12345; // the same steps each time
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static int is_intact(const struct model *model)
{
	for (size_t i = 0; i < model->size; i++)
		if (model->block[i] != model->fill)
			return 0;
	return 1;
}

static size_t random_size(void)
{
	return 1 + next_random() % (next_random() % 8 == 0 ? 5000 : 200);
}

static void renew_arena(void)
{
	if (arena != NULL)
		munmap(arena->base, ARENA_SIZE);
	arena = arena_open();
	if (arena == NULL)
		exit(1);
	state.opaque = arena;
}

/** Random steps beside a model that knows what each block must hold: overlaps show as foreign bytes. */
static void test_contents(void)
{
	renew_arena();
	static struct model models[BLOCKS];
	int intact = 1, aligned = 1, sized = 1;
	for (int step = 0; step < STEPS && intact; step++) {
		struct model *model = &models[next_random() % BLOCKS];
		uint32_t choice = next_random() % 4;
		if (model->block != NULL && choice == 0) {
			intact = is_intact(model);
			arena_free(&state, model->block);
			*model = (struct model){0};
			continue;
		}
		size_t size = random_size();
		intact = is_intact(model);
		uint8_t *block = arena_realloc(&state, model->block, size);
		if (block == NULL)
			exit(1);
		size_t kept = size < model->size ? size : model->size;
		intact = intact && is_intact(&(struct model){block, kept, model->fill});
		aligned = aligned && (uintptr_t)block % ALIGNMENT == 0;
		sized = sized && arena_usable_size(block) >= size;
		*model = (struct model){block, size, (uint8_t)next_random()};
		memset(block, model->fill, size);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		intact = intact && is_intact(&models[i]);
	check(intact, "blocks keep their contents through 50,000 random steps");
	check(aligned, "every block is aligned to 16 bytes");
	check(sized, "every block is at least as big as was asked");
}

static void test_reuse(void)
{
	renew_arena();
	void *small = arena_malloc(&state, 40), *guard = arena_malloc(&state, 40);
	size_t used = arena->used;
	arena_free(&state, small);
	void *again = arena_malloc(&state, 36);
	check(again == small && arena->used == used, "a freed block is used again for one of its size class");
	arena_free(&state, guard);
	check(arena->used < used, "the last block's memory goes back to the arena");
	void *big = arena_malloc(&state, ARENA_LARGEST_KEPT * 4);
	arena_malloc(&state, 1);
	arena_free(&state, big);
	check(arena_malloc(&state, ARENA_LARGEST_KEPT * 4) != big, "a big block is not kept");
}

static void test_exhaustion(void)
{
	check(arena_malloc(&state, ARENA_SIZE) == NULL, "more than the arena has is refused");
	check(arena_malloc(&state, SIZE_MAX) == NULL, "the biggest size there is, too");
	renew_arena();
	size_t step = ARENA_RESERVE / 2;
	while (arena_malloc(&state, step) != NULL)
		continue;
	check(arena_malloc(&state, step) != NULL, "after the first failure the reserve can be used");
}

int main(void)
{
	test_contents();
	test_reuse();
	test_exhaustion();
	return check_summary();
}
