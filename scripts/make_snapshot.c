// SPDX-License-Identifier: Apache-2.0
// Puts a snapshot (native/engine/snapshot.h) together:
//   make_snapshot OUTPUT DUMP DUMP
// The dumps are the same engine in two processes. A word that differs is an address in the arena where it points into
// it in the first dump; addresses of the program are told by pointing into it, moved by as much as the program. What
// else may differ: the engine's hashes of addresses, which only have to agree with themselves, the seed of its random
// numbers, and the two limits of the stack, which are set again at each start. Anything else is an error.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/snapshot.h"

/** stack_top and stack_limit of the runtime. */
#define STACK_WORDS 2

static void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("make_snapshot: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	exit(1);
}

struct dump {
	struct snapshot_dump head;
	uintptr_t *words;
};

static struct dump read_dump(const char *path)
{
	struct dump dump;
	FILE *file = fopen(path, "rb");
	if (file == NULL || fread(&dump.head, sizeof dump.head, 1, file) != 1)
		die("cannot read \"%s\"", path);
	dump.words = calloc(1, dump.head.used + SNAPSHOT_GROUP * sizeof *dump.words);
	if (dump.words == NULL || fread(dump.words, 1, dump.head.used, file) != dump.head.used)
		die("cannot read \"%s\"", path);
	fclose(file);
	return dump;
}

static int is_within(uintptr_t word, uint64_t start, uint64_t end)
{
	return word >= start && word < end;
}

/** Of a mapping or a stack: nothing that is only data has more than 40 bits and fewer than 49. */
static int looks_like_address(uintptr_t word)
{
	uint64_t wide = word;
	return wide >> 40 != 0 && wide >> 48 == 0;
}

/**
 * The engine leaves what was in the upper half of a word when it stores an int there: half of an address, often.
 * Addresses differ below, too.
 */
static int differs_above_only(uintptr_t first, uintptr_t second)
{
	return (uint32_t)first == (uint32_t)second;
}

/** So that neither half of one can pass for the same half of the other. */
static int differ_throughout(uint64_t first, uint64_t second)
{
	return (uint32_t)first != (uint32_t)second && (sizeof(uintptr_t) < sizeof first || first >> 32 != second >> 32);
}

struct snapshot {
	struct snapshot_header header;
	uint64_t *addresses, *wide;
	uint32_t *lower, *upper, *program;
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		die("out of memory");
	return memory;
}

static struct snapshot new_snapshot(size_t groups)
{
	size_t words = groups * SNAPSHOT_GROUP;
	return (struct snapshot){
		.header = {.magic = SNAPSHOT_MAGIC, .groups = (uint32_t)groups},
		.addresses = allocate(groups, sizeof(uint64_t)),
		.wide = allocate(groups, sizeof(uint64_t)),
		.lower = allocate(words, sizeof(uint32_t)),
		.upper = allocate(words, sizeof(uint32_t)),
		.program = allocate(words, sizeof(uint32_t)),
	};
}

/** Called for each word in turn. */
static void put_word(struct snapshot *snapshot, size_t i, uint64_t word)
{
	snapshot->lower[i] = (uint32_t)word;
	if (word >> 32 == 0)
		return;
	snapshot->wide[i / SNAPSHOT_GROUP] |= 1ull << i % SNAPSHOT_GROUP;
	snapshot->upper[snapshot->header.uppers++] = (uint32_t)(word >> 32);
}

static void write_snapshot(const struct snapshot *snapshot, const char *path)
{
	const struct snapshot_header *header = &snapshot->header;
	const struct {
		const void *items;
		size_t size, count;
	} parts[] = {
		{header, sizeof *header, 1},
		{snapshot->addresses, sizeof(uint64_t), header->groups},
		{snapshot->wide, sizeof(uint64_t), header->groups},
		{snapshot->lower, sizeof(uint32_t), (size_t)header->groups * SNAPSHOT_GROUP},
		{snapshot->upper, sizeof(uint32_t), header->uppers},
		{snapshot->program, sizeof(uint32_t), header->programs},
	};
	FILE *file = fopen(path, "wb");
	int failed = file == NULL;
	for (size_t i = 0; i < sizeof parts / sizeof *parts && !failed; i++)
		failed = fwrite(parts[i].items, parts[i].size, parts[i].count, file) != parts[i].count;
	if (failed || fclose(file) != 0)
		die("cannot write \"%s\"", path);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: make_snapshot OUTPUT DUMP DUMP");
	struct dump a = read_dump(argv[2]), b = read_dump(argv[3]);
	if (!differ_throughout(a.head.arena, b.head.arena) || !differ_throughout(a.head.program, b.head.program))
		die("both dumps have nearly the same addresses (is address space randomisation off?)");
	if (a.head.used != b.head.used || a.head.engine - a.head.arena != b.head.engine - b.head.arena)
		die("the dumps are not of the same engine");

	size_t groups = (a.head.used / sizeof(uintptr_t) + SNAPSHOT_GROUP - 1) / SNAPSHOT_GROUP;
	struct snapshot snapshot = new_snapshot(groups);
	int unexplained = 0;
	for (size_t i = 0; i < groups * SNAPSHOT_GROUP; i++) {
		uintptr_t first = a.words[i], second = b.words[i];
		if (first == second) {
			put_word(&snapshot, i, first);
		} else if (differs_above_only(first, second)) {
			put_word(&snapshot, i, (uint32_t)first);
		} else if (is_within(first, a.head.arena, a.head.arena + a.head.used)) {
			put_word(&snapshot, i, first - a.head.arena);
			snapshot.addresses[i / SNAPSHOT_GROUP] |= 1ull << i % SNAPSHOT_GROUP;
		} else if (is_within(first, a.head.program, a.head.program_end)) {
			if (first - a.head.program != second - b.head.program)
				die("word %zu is a different address of the program in each dump", i);
			put_word(&snapshot, i, first - a.head.program);
			snapshot.program[snapshot.header.programs++] = (uint32_t)i;
		} else {
			put_word(&snapshot, i, first);
			unexplained += looks_like_address(first);
		}
	}
	if (unexplained > STACK_WORDS)
		die("%d words look like addresses, but neither of the arena nor of the program", unexplained);
	snapshot.header.populated = (uint32_t)a.head.populated;
	snapshot.header.engine = (uint32_t)(a.head.engine - a.head.arena);
	write_snapshot(&snapshot, argv[1]);
	return 0;
}
