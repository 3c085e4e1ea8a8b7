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

#define WORDS_PER_BYTE 8

static const struct snapshot_header *header(void)
{
	return (const struct snapshot_header *)edgerun_snapshot;
}

int snapshot_exists(void)
{
	return memcmp(header()->magic, SNAPSHOT_MAGIC, sizeof header()->magic) == 0;
}

/** Adds the arena's address to each word that has its bit set. */
static void relocate_within(uint8_t *arena, const uint8_t *bits)
{
	uintptr_t *words = (uintptr_t *)arena;
	size_t count = header()->image_size / sizeof *words / 64;
	for (size_t i = 0; i < count; i++, words += 64) {
		uint64_t set;
		memcpy(&set, bits + i * sizeof set, sizeof set);
		for (; set != 0; set &= set - 1)
			words[__builtin_ctzll(set)] += (uintptr_t)arena;
	}
}

static void relocate_program_pointers(uint8_t *arena, const uint8_t *offsets)
{
	for (uint32_t i = 0; i < header()->program_pointers; i++) {
		uint32_t offset;
		memcpy(&offset, offsets + i * sizeof offset, sizeof offset);
		*(uintptr_t *)(arena + offset) += (uintptr_t)__ehdr_start;
	}
}

struct engine *snapshot_restore(void)
{
	uint8_t *arena = snapshot_exists() ? arena_map(header()->populated) : NULL;
	if (arena == NULL)
		return NULL;
	const uint8_t *image = edgerun_snapshot + sizeof *header();
	const uint8_t *bits = image + header()->image_size;
	memcpy(arena, image, header()->image_size);
	relocate_within(arena, bits);
	relocate_program_pointers(arena, bits + header()->image_size / sizeof(uintptr_t) / WORDS_PER_BYTE);
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
