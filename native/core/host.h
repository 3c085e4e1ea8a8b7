// SPDX-License-Identifier: Apache-2.0
// What every host function looks like in C, whichever engine calls it. The table itself is generated from
// src/host/functions.ts into build/gen/host_functions.h as X-macro lines:
//   HOST_FUNCTION(readFile, er_read_file, "si", 's')
// one character per argument kind (i int, s str, b bytes, S strs, w words, B blobs) and one for the result
// (v void, i int, s str, z str?, b bytes, I ints, Z ints?, S strs, j json).
// A binding converts arguments, calls `function`, converts the result or throws the error, and frees the result.
#pragma once
#include <stddef.h>
#include <stdint.h>

/** A byte range. Arguments of kind str and blobs are followed by a NUL that is not counted. */
struct er_bytes {
	const char *data;
	size_t size;
};

/** One argument; the table says which member counts. Lists: `count` entries. Owned by the binding. */
union er_arg {
	int64_t number;
	struct er_bytes bytes; // str, bytes
	struct {
		const struct er_bytes *items;
		size_t count;
	} list; // strs, blobs
	struct {
		const uint32_t *items;
		size_t count;
	} words;
};

#define ER_MAX_INTS 8

/**
 * A result. Zeroed by the binding. `owned` is malloc'd by the function and freed by the binding: the text of str,
 * bytes and json; for strs the NUL-terminated strings one after the other (`count` of them).
 */
struct er_result {
	int is_null;             // str? and ints?: the object does not exist
	int64_t ints[ER_MAX_INTS]; // int: ints[0]
	size_t count;            // of ints, of strs
	char *owned;
	size_t size;             // of owned, in bytes
	const char *label;       // json: what the text is called in errors (static, or inside an argument)
};

/**
 * Why a function failed. No allocation on the error path. The binding throws it as an error object with the
 * properties errno (name, "ENOENT", or "" where no system call failed) and message.
 * Messages: `operation "object": text`, lower case, one line; er_fail() composes them.
 */
struct er_error {
	int number; // errno; 0: not a system call's failure, the message says all
	char message[1024];
};

typedef int er_function(const union er_arg *args, struct er_result *result, struct er_error *error);

/** Sets the error to `FORMATTED: strerror(number)` (number 0: only FORMATTED); control characters in it become `?`. Returns -1. */
int er_fail(struct er_error *error, int number, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** errno's name ("ENOENT"), or "E<number>" for one that libc has no name for. */
const char *er_errno_name(int number);

/**
 * Set by a host that makes what it inherits close-on-exec (Node does, even stdio): then stdio and the descriptors of
 * --preserve-fds, which the caller has to have open, are handed on all the same.
 */
extern int er_host_closes_inherited;

/** Frees and clears what a result owns. */
void er_result_clear(struct er_result *result);

/** Closes and sets to -1 at scope end: `er_auto_close int fd = open(...)`. */
void er_close_at(int *fd);
#define er_auto_close __attribute__((cleanup(er_close_at)))
/** Frees at scope end: `er_auto_free char *text = NULL`. */
void er_free_at(void *pointer);
#define er_auto_free __attribute__((cleanup(er_free_at)))

#define ER_RETRY(expression)                                                                                       \
	(__extension__({                                                                                               \
		long er_retry_result;                                                                                      \
		do                                                                                                         \
			er_retry_result = (long)(expression);                                                                  \
		while (er_retry_result < 0 && errno == EINTR);                                                             \
		er_retry_result;                                                                                           \
	}))
