// SPDX-License-Identifier: Apache-2.0
// Plan bytes against the decoder of edgerun-init. The decoder is compiled into this file with another fail(), which
// comes back here, and other mappings: malloc of exactly the size, so that the sanitizer sees each byte beyond them.
#include "fuzz.h"
#include "native/init/init.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static jmp_buf failed;
static const uint8_t *input;
static size_t input_size;
static void *mappings[2]; // the plan, the arena
static size_t mapping_count;

/** The longest text that fail() may be given: MESSAGE_TEXT_BYTES of the wire. Formatted here to check its arguments. */
void fail(int error, const char *format, ...)
{
	char text[MESSAGE_TEXT_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	(void)error;
	longjmp(failed, 1);
}

static int fuzz_fstat(int fd, struct stat *info)
{
	(void)fd;
	*info = (struct stat){.st_size = (off_t)input_size};
	return 0;
}

static void *fuzz_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	(void)address, (void)protection, (void)offset;
	if (mapping_count == sizeof mappings / sizeof *mappings || size > ((size_t)1 << 32))
		abort(); // more memory than the largest plan can be worth
	void *memory = calloc(1, size);
	if (memory == NULL)
		return MAP_FAILED;
	if (!(flags & MAP_ANONYMOUS) && fd == 0)
		memcpy(memory, input, size);
	return mappings[mapping_count++] = memory;
}

static int fuzz_close(int fd)
{
	(void)fd;
	return 0;
}

#define fstat fuzz_fstat
#define mmap fuzz_mmap
#define close fuzz_close
#include "native/init/decode.c"
#undef fstat
#undef mmap
#undef close

/** Reads every byte that a decoded field leads to, as the functions that carry the operations out would. */
static size_t read_field(char kind, const char *field)
{
	size_t sum = 0;
	switch (kind) {
	case 'u':
		return *(const uint32_t *)field;
	case 'U':
		return *(const uint64_t *)field;
	case 's':
		return strlen(*(const char *const *)field);
	case 'b': {
		const struct plan_blob *blob = (const struct plan_blob *)field;
		for (size_t i = 0; i < blob->size; i++)
			sum += (size_t)((const char *)blob->data)[i];
		return sum;
	}
	case 'S': {
		const struct plan_strings *strings = (const struct plan_strings *)field;
		for (size_t i = 0; i < strings->count; i++)
			sum += strlen(strings->items[i]);
		if (strings->items[strings->count] != NULL)
			abort();
		return sum;
	}
	case 'w': {
		const struct plan_words *words = (const struct plan_words *)field;
		for (size_t i = 0; i < words->count; i++)
			sum += words->items[i];
		return sum;
	}
	}
	abort();
}

static volatile size_t read_bytes; // so that reading is not optimised away

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plan plan;
	input = data;
	input_size = size;
	plan = (struct plan){0};
	if (setjmp(failed) == 0) {
		decode_plan(0, &plan);
		for (size_t i = 0; i < plan.count; i++) {
			const struct operation *operation = &plan.operations[i];
			const struct plan_operation *known = &plan_operations[operation->code];
			if (operation->source_fd != -1 || strcmp(operation->name, known->name) != 0)
				abort();
			for (size_t field = 0; field < known->field_count; field++)
				read_bytes += read_field(known->fields[field].kind, (const char *)operation->fields + known->fields[field].offset);
		}
	}
	while (mapping_count > 0)
		free(mappings[--mapping_count]);
	return 0;
}

/** Nearly always with a header that fits the size: otherwise hardly a mutation would come past the first check. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, capacity);
	if (seed % 16 == 0 || size < sizeof(struct plan_header))
		return size;
	struct plan_header header;
	memcpy(&header, data, sizeof header);
	header.magic = PLAN_MAGIC;
	header.version = PLAN_VERSION;
	header.total_bytes = (uint32_t)size;
	memcpy(data, &header, sizeof header);
	return size;
}
