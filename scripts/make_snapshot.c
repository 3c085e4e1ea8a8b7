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
/** The image is a multiple of so many words: one u64 of bits. */
#define WORDS_AT_ONCE 64

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
	dump.words = calloc(1, dump.head.used + WORDS_AT_ONCE * sizeof *dump.words);
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

/** The engine leaves what was in the upper half of a word when it stores an int there. Addresses differ below, too. */
static int differs_above_only(uintptr_t first, uintptr_t second)
{
	return (uint32_t)first == (uint32_t)second;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: make_snapshot OUTPUT DUMP DUMP");
	struct dump a = read_dump(argv[2]), b = read_dump(argv[3]);
	if (differs_above_only(a.head.arena, b.head.arena) || differs_above_only(a.head.program, b.head.program))
		die("both dumps have the same addresses (is address space randomisation off?)");
	if (a.head.used != b.head.used || a.head.engine - a.head.arena != b.head.engine - b.head.arena)
		die("the dumps are not of the same engine");

	size_t count = (a.head.used / sizeof(uintptr_t) + WORDS_AT_ONCE - 1) / WORDS_AT_ONCE * WORDS_AT_ONCE;
	uint64_t *bits = calloc(count / WORDS_AT_ONCE, sizeof *bits);
	uint32_t *program = calloc(count, sizeof *program), program_count = 0;
	int unexplained = 0;
	if (bits == NULL || program == NULL)
		die("out of memory");
	for (size_t i = 0; i < count; i++) {
		uintptr_t first = a.words[i], second = b.words[i];
		if (differs_above_only(first, second)) {
			if (first != second)
				a.words[i] = (uint32_t)first;
			continue;
		}
		if (is_within(first, a.head.arena, a.head.arena + a.head.used)) {
			bits[i / WORDS_AT_ONCE] |= 1ull << i % WORDS_AT_ONCE;
			a.words[i] = first - a.head.arena;
		} else if (is_within(first, a.head.program, a.head.program_end)) {
			if (first - a.head.program != second - b.head.program)
				die("word %zu is a different address of the program in each dump", i);
			program[program_count++] = (uint32_t)(i * sizeof(uintptr_t));
			a.words[i] = first - a.head.program;
		} else if (looks_like_address(first)) {
			unexplained++;
		}
	}
	if (unexplained > STACK_WORDS)
		die("%d words look like addresses, but neither of the arena nor of the program", unexplained);

	struct snapshot_header header = {
		.magic = SNAPSHOT_MAGIC,
		.image_size = (uint32_t)(count * sizeof(uintptr_t)),
		.populated = (uint32_t)a.head.populated,
		.engine = (uint32_t)(a.head.engine - a.head.arena),
		.program_pointers = program_count,
	};
	FILE *output = fopen(argv[1], "wb");
	if (output == NULL || fwrite(&header, sizeof header, 1, output) != 1 ||
		fwrite(a.words, sizeof(uintptr_t), count, output) != count ||
		fwrite(bits, sizeof *bits, count / WORDS_AT_ONCE, output) != count / WORDS_AT_ONCE ||
		fwrite(program, sizeof *program, program_count, output) != program_count || fclose(output) != 0)
		die("cannot write \"%s\"", argv[1]);
	return 0;
}
