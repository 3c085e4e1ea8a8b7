// SPDX-License-Identifier: Apache-2.0
// A small coverage-guided fuzzer for compilers without libFuzzer:
//   TARGET CORPUS PREFIX SECONDS SEED     mutates what is in the directory CORPUS
//   TARGET FILE...                        runs each file once
// The target is compiled with -fsanitize-coverage=trace-pc: an input that reaches a new edge joins the corpus, in
// memory. An input that crashes, aborts or takes longer than INPUT_SECONDS is saved as PREFIXcrash-HASH.
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_INPUT_BYTES (64u << 10)
#define MAX_CORPUS 4096
#define INPUT_SECONDS 10
#define EDGES (1u << 16)

struct input {
	uint8_t *data;
	size_t size;
};

static struct input corpus[MAX_CORPUS], current;
static size_t corpus_count;
static const char *findings_prefix;
static uint64_t random_state;
static uint8_t edges[EDGES];
static uintptr_t last_address;
static int reached_new_edge;

/** Called by the compiler's instrumentation at each edge. */
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize("all"))) void __sanitizer_cov_trace_pc(void)
{
	uintptr_t address = (uintptr_t)__builtin_return_address(0);
	uint8_t *edge = &edges[(address ^ last_address << 1) % EDGES];
	reached_new_edge |= *edge == 0;
	*edge = 1;
	last_address = address;
}

/** xorshift64: fast, and the same on every machine for the same seed. */
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t below(size_t limit)
{
	return limit == 0 ? 0 : next_random() % limit;
}

/** Writes the current input to a file that is named after its content. Called when the process is about to die. */
static void save_current(void)
{
	if (findings_prefix == NULL) // it is in a file already
		return;
	uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
	for (size_t i = 0; i < current.size; i++)
		hash = (hash ^ current.data[i]) * 0x100000001b3u;
	char path[4096];
	snprintf(path, sizeof path, "%scrash-%016llx", findings_prefix, (unsigned long long)hash);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, current.data, current.size) != (ssize_t)current.size)
		perror(path);
	else
		fprintf(stderr, "the input is in %s\n", path);
}

static void stop_slow_input(int signal_number)
{
	(void)signal_number;
	fprintf(stderr, "an input takes longer than %d s\n", INPUT_SECONDS);
	abort(); // caught by the sanitizer, which saves the input (run.sh: handle_abort)
}

static void replace_number(uint8_t *data, size_t size)
{
	static const uint32_t values[] = {0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	size_t width = (size_t)1 << below(3);
	if (size < width)
		return;
	size_t at = below((size - width) / width + 1) * width; // aligned, as formats of words are
	uint32_t value;
	memcpy(&value, data + at, width);
	value = below(2) ? values[below(sizeof values / sizeof *values)] : value + (uint32_t)below(33) - 16;
	memcpy(data + at, &value, width);
}

static size_t remove_range(uint8_t *data, size_t size)
{
	size_t at = below(size), length = below(size - at < 64 ? size - at : 64) + 1;
	if (length > size - at)
		return size;
	memmove(data + at, data + at + length, size - at - length);
	return size - length;
}

/** Copies a range of another input (or of the same) over this one, or into it. */
static size_t copy_range(uint8_t *data, size_t size, size_t capacity)
{
	const struct input *other = &corpus[below(corpus_count)];
	if (other->size == 0)
		return size;
	size_t from = below(other->size), at = below(size + 1);
	size_t length = below(other->size - from < 256 ? other->size - from : 256) + 1;
	if (length > other->size - from)
		length = other->size - from;
	int insert = below(2) == 0;
	if (insert ? length > capacity - size : length > size - at)
		return size;
	if (insert)
		memmove(data + at + length, data + at, size - at);
	memcpy(data + at, other->data + from, length);
	return insert ? size + length : size;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity)
{
	for (size_t changes = 1 + below(4); changes > 0; changes--) {
		switch (below(size == 0 ? 1 : 6)) {
		case 0:
			size = copy_range(data, size, capacity);
			break;
		case 1:
			size = remove_range(data, size);
			break;
		case 2:
			data[below(size)] ^= (uint8_t)(1u << below(8));
			break;
		case 3:
			data[below(size)] = (uint8_t)next_random();
			break;
		default:
			replace_number(data, size);
		}
	}
	return size;
}

static void add_to_corpus(const uint8_t *data, size_t size)
{
	// When it is full, a newer input takes the place of some older one.
	size_t index = corpus_count < MAX_CORPUS ? corpus_count++ : below(MAX_CORPUS);
	free(corpus[index].data);
	corpus[index] = (struct input){malloc(size + 1), size};
	if (corpus[index].data == NULL)
		exit(1);
	memcpy(corpus[index].data, data, size);
}

/**
 * Runs one input in memory of exactly its size, so that the sanitizer sees each byte beyond it. Returns whether it
 * reached a new edge.
 */
static int run_input(const uint8_t *data, size_t size)
{
	current = (struct input){malloc(size), size};
	if (size > 0)
		memcpy(current.data, data, size);
	last_address = 0;
	reached_new_edge = 0;
	alarm(INPUT_SECONDS);
	LLVMFuzzerTestOneInput(current.data, size);
	alarm(0);
	free(current.data);
	return reached_new_edge;
}

/** Runs a file; with `keep`, it joins the corpus whatever it reaches. */
static void run_file(const char *path, int keep)
{
	static uint8_t data[MAX_INPUT_BYTES];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	run_input(data, size);
	if (keep)
		add_to_corpus(data, size);
}

static void read_corpus(const char *directory)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_file(path, 1);
		free(entries[i]);
	}
	if (corpus_count == 0) {
		fprintf(stderr, "%s: no inputs\n", directory);
		exit(1);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	char *end = NULL;
	long seconds = argc == 5 ? strtol(argv[3], &end, 10) : 0;
	__sanitizer_set_death_callback(save_current);
	signal(SIGALRM, stop_slow_input);
	if (end == NULL || *end != 0) {
		for (int i = 1; i < argc; i++)
			run_file(argv[i], 0);
		return argc > 1 ? 0 : 2;
	}
	findings_prefix = argv[2];
	random_state = strtoull(argv[4], NULL, 10) * 2 + 1; // never 0
	read_corpus(argv[1]);
	static uint8_t data[MAX_INPUT_BYTES];
	size_t seeds = corpus_count, runs = 0;
	for (time_t last = time(NULL) + seconds; time(NULL) < last; runs++) {
		const struct input *chosen = &corpus[below(corpus_count)];
		memcpy(data, chosen->data, chosen->size);
		size_t size = LLVMFuzzerCustomMutator(data, chosen->size, sizeof data, (unsigned)next_random());
		if (run_input(data, size))
			add_to_corpus(data, size);
	}
	printf("%zu inputs, corpus of %zu, from %zu seeds\n", runs, corpus_count, seeds);
	return 0;
}
