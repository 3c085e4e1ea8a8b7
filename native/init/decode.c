// SPDX-License-Identifier: Apache-2.0
// The plan's bytes to structs. Every length and index is checked; what is not understood ends the start
// (CVE-2021-43784 was a length that overflowed in such a message).
#include "init.h"
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct plan_field {
	char kind;
	size_t offset;
};
struct plan_operation {
	const char *name;
	const struct plan_field *fields;
	size_t field_count, size;
};
#include "gen/plan_table.h"

/** What is left to read of one operation's field words, and the blobs that they point to. */
struct reader {
	const uint32_t *words;
	uint32_t left;
	const char *const *blobs;
	const uint32_t *blob_sizes;
	uint32_t blob_count;
};

static char *arena;
static size_t arena_left;

static void *allocate(size_t size)
{
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size > arena_left)
		fail(EINVAL, "plan: operations exceed their bounds");
	void *memory = arena;
	arena += size;
	arena_left -= size;
	return memory;
}

static uint32_t take_word(struct reader *reader)
{
	if (reader->left == 0)
		fail(EINVAL, "plan: an operation is too short");
	reader->left--;
	return *reader->words++;
}

static uint32_t take_blob(struct reader *reader)
{
	uint32_t index = take_word(reader);
	if (index >= reader->blob_count)
		fail(EINVAL, "plan: blob %u does not exist", index);
	return index;
}

static const char *take_string(struct reader *reader)
{
	uint32_t index = take_blob(reader);
	if (strlen(reader->blobs[index]) != reader->blob_sizes[index])
		fail(EINVAL, "plan: a string holds a NUL");
	return reader->blobs[index];
}

static void decode_field(struct reader *reader, char kind, void *field)
{
	switch (kind) {
	case 'u':
		*(uint32_t *)field = take_word(reader);
		return;
	case 'U': {
		uint64_t low = take_word(reader);
		*(uint64_t *)field = low | (uint64_t)take_word(reader) << 32;
		return;
	}
	case 's':
		*(const char **)field = take_string(reader);
		return;
	case 'b': {
		uint32_t index = take_blob(reader);
		*(struct plan_blob *)field = (struct plan_blob){reader->blobs[index], reader->blob_sizes[index]};
		return;
	}
	case 'S': {
		uint32_t count = take_word(reader);
		if (count > reader->left)
			fail(EINVAL, "plan: a list is longer than its operation");
		const char **items = allocate(((size_t)count + 1) * sizeof *items);
		for (uint32_t i = 0; i < count; i++)
			items[i] = take_string(reader);
		items[count] = NULL;
		*(struct plan_strings *)field = (struct plan_strings){items, count};
		return;
	}
	case 'w': {
		uint32_t count = take_word(reader);
		if (count > reader->left)
			fail(EINVAL, "plan: a list is longer than its operation");
		*(struct plan_words *)field = (struct plan_words){reader->words, count};
		reader->words += count;
		reader->left -= count;
		return;
	}
	}
	fail(EINVAL, "plan: field kind %c", kind);
}

static void decode_operation(struct reader *reader, uint32_t code, struct operation *operation)
{
	if (code >= sizeof plan_operations / sizeof *plan_operations || plan_operations[code].name == NULL)
		fail(EINVAL, "plan: operation %u is unknown", code);
	const struct plan_operation *known = &plan_operations[code];
	*operation = (struct operation){.code = code, .name = known->name, .source_fd = -1};
	if (known->size > 0)
		operation->fields = allocate(known->size);
	for (size_t i = 0; i < known->field_count; i++)
		decode_field(reader, known->fields[i].kind, (char *)operation->fields + known->fields[i].offset);
	if (reader->left != 0)
		fail(EINVAL, "plan: operation %s is too long", known->name);
}

/** Checks the frame: header, words, sizes and blobs fill the memory exactly. Returns the blobs' start addresses. */
static const char **check_frame(const char *memory, size_t size, const struct plan_header *header, const uint32_t **sizes)
{
	if (header->magic != PLAN_MAGIC || header->version != PLAN_VERSION || header->total_bytes != size)
		fail(EINVAL, "plan: not a plan of this version");
	uint64_t head = sizeof *header + 4ull * header->word_count + 4ull * header->blob_count;
	if (head > size)
		fail(EINVAL, "plan: truncated");
	*sizes = (const uint32_t *)(memory + sizeof *header) + header->word_count;
	// Room for everything that decoding can need: structs and list pointers are bounded by the number of words.
	arena_left = 4096 + header->blob_count * sizeof(char *) + (size_t)header->word_count * 64;
	arena = mmap(NULL, arena_left, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		fail(errno, "plan: no memory");
	const char **blobs = allocate(header->blob_count * sizeof *blobs + 1);
	uint64_t at = head;
	for (uint32_t i = 0; i < header->blob_count; i++) {
		blobs[i] = memory + at;
		at += (uint64_t)(*sizes)[i] + 1;
		if (at > size || memory[at - 1] != 0)
			fail(EINVAL, "plan: blob %u exceeds its bounds", i);
	}
	if (at != size)
		fail(EINVAL, "plan: data after the last blob");
	return blobs;
}

void decode_plan(int plan_fd, struct plan *plan)
{
	struct stat info;
	if (fstat(plan_fd, &info) != 0)
		fail(errno, "plan: stat");
	size_t size = (size_t)info.st_size;
	if (size < sizeof(struct plan_header) || size > PLAN_MAX_BYTES)
		fail(EINVAL, "plan: %zu bytes", size);
	char *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, plan_fd, 0);
	if (memory == MAP_FAILED)
		fail(errno, "plan: map");
	close(plan_fd);
	const struct plan_header *header = (const struct plan_header *)memory;
	const uint32_t *sizes;
	const char **blobs = check_frame(memory, size, header, &sizes);
	const uint32_t *words = (const uint32_t *)(memory + sizeof *header);
	uint32_t left = header->word_count;

	plan->count = 0;
	plan->operations = allocate((header->word_count / 2 + 1) * sizeof *plan->operations);
	while (left > 0) {
		if (left < 2 || words[1] > left - 2)
			fail(EINVAL, "plan: an operation exceeds the plan");
		struct reader reader = {words + 2, words[1], blobs, sizes, header->blob_count};
		decode_operation(&reader, words[0], &plan->operations[plan->count++]);
		left -= 2 + words[1];
		words += 2 + words[1];
	}
}
