// SPDX-License-Identifier: Apache-2.0
#include "snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arena.h"
#include "modules.h"
#include "core/io.h"

/** The section .snapshot (snapshot.S). */
extern const uint8_t edgerun_snapshot[];
/** Where the program is loaded, and where it ends: the linker's symbols. */
extern const uint8_t __ehdr_start[], _end[];

static const struct snapshot_header *header(void)
{
	return (const struct snapshot_header *)edgerun_snapshot;
}

int snapshot_exists(void)
{
	return memcmp(header()->magic, SNAPSHOT_MAGIC, sizeof header()->magic) == 0;
}

/** Fills the arena with the image, a group of words after the other. Returns what comes after it in the snapshot. */
static const uint32_t *copy_image(uintptr_t *arena)
{
	const uint32_t groups = header()->groups;
	const uint64_t *addresses = (const uint64_t *)(header() + 1);
	const uint64_t *wide = addresses + groups;
	const uint32_t *lower = (const uint32_t *)(wide + groups);
	const uint32_t *upper = lower + (size_t)SNAPSHOT_GROUP * groups;
	uintptr_t *words = arena;
	for (uint32_t group = 0; group < groups; group++, words += SNAPSHOT_GROUP, lower += SNAPSHOT_GROUP) {
		for (int i = 0; i < SNAPSHOT_GROUP; i++)
			words[i] = lower[i];
		for (uint64_t set = addresses[group]; set != 0; set &= set - 1)
			words[__builtin_ctzll(set)] += (uintptr_t)arena;
		for (uint64_t set = wide[group]; set != 0; set &= set - 1)
			words[__builtin_ctzll(set)] |= (uintptr_t)((uint64_t)*upper++ << 32);
	}
	return upper;
}

struct engine *snapshot_restore(void)
{
	uint8_t *arena = snapshot_exists() ? arena_map(header()->populated) : NULL;
	if (arena == NULL)
		return NULL;
	uintptr_t *words = (uintptr_t *)arena;
	const uint32_t *program = copy_image(words);
	for (uint32_t i = 0; i < header()->programs; i++)
		words[program[i]] += (uintptr_t)__ehdr_start;
	struct engine *engine = (struct engine *)(arena + header()->engine);
	JS_UpdateStackTop(engine->runtime);
	return engine;
}

static int map_archive(const char *path)
{
	er_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) != 0)
		return -1;
	void *archive = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (archive == MAP_FAILED)
		return -1;
	modules_use_archive(archive, (size_t)info.st_size);
	return 0;
}

static int write_dump(const char *path, const struct engine *engine)
{
	const struct arena *arena = JS_GetRuntimeOpaque(engine->runtime);
	struct snapshot_dump dump = {
		.arena = (uintptr_t)arena, .used = arena->used, .populated = arena->populated, .engine = (uintptr_t)engine,
		.program = (uintptr_t)__ehdr_start, .program_end = (uintptr_t)_end,
	};
	er_auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || er_write_all(fd, (const char *)&dump, sizeof dump) != 0)
		return -1;
	return er_write_all(fd, (const char *)arena, arena->used);
}

int snapshot_dump(const char *path, const char *archive, char **parts)
{
	if (map_archive(archive) != 0) {
		perror(archive);
		return -1;
	}
	struct engine *engine = engine_boot();
	if (engine == NULL)
		return -1;
	for (; *parts != NULL; parts++) {
		JSValue part = engine_load_part(engine, *parts);
		if (JS_IsException(part)) {
			fprintf(stderr, "cannot load \"%s\"\n", *parts);
			return -1;
		}
		JS_FreeValue(engine->context, part);
	}
	if (write_dump(path, engine) != 0) {
		perror(path);
		return -1;
	}
	return 0;
}
