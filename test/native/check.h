// SPDX-License-Identifier: Apache-2.0
// What the C tests share: checks that report one line each, and calls of host functions without a binding.
#pragma once
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/functions.h"

static int check_passed, check_failed, check_skipped;

/** Reports one property, named by a sentence. */
static inline void check(int holds, const char *name)
{
	printf("%s %s\n", holds ? "ok" : "not ok", name);
	fflush(stdout); // children of a test must not write it again
	*(holds ? &check_passed : &check_failed) += 1;
}

/** Reports what this machine can't show, and why. */
static inline void skip(const char *name, const char *reason)
{
	printf("skipped: %s: %s\n", name, reason);
	fflush(stdout);
	check_skipped++;
}

/** The last line, and main's result. */
static inline int check_summary(void)
{
	printf("%d passed, %d failed, %d skipped\n", check_passed, check_failed, check_skipped);
	return check_failed == 0 ? 0 : 1;
}

// What the last CALL left; cleared by the next one.
static struct er_result result;
static struct er_error error;

static inline union er_arg num(int64_t number)
{
	return (union er_arg){.number = number};
}
static inline union er_arg bytes(const void *data, size_t size)
{
	return (union er_arg){.bytes = {data, size}};
}
static inline union er_arg str(const char *text)
{
	return bytes(text, strlen(text));
}
static inline union er_arg list(const struct er_bytes *items, size_t count)
{
	return (union er_arg){.list = {items, count}};
}

/** Calls a host function: CALL(er_read_file, str(path), num(100)). */
#define CALL(function, ...) \
	(er_result_clear(&result), error = (struct er_error){0}, function((union er_arg[]){__VA_ARGS__}, &result, &error))

/** 1 when the last CALL failed with this errno. */
static inline int failed_with(int code, int number)
{
	return code == -1 && error.number == number;
}

/** 1 when the last CALL's text is this one. */
static inline int gave(const char *text)
{
	return result.owned != NULL && result.size == strlen(text) && memcmp(result.owned, text, result.size) == 0;
}

static inline int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
	(void)info;
	(void)kind;
	(void)position;
	return remove(path);
}

static char check_directory[] = "/tmp/edgerun-test-XXXXXX";

/** A new empty directory, made the working directory; leave_directory removes it. */
static inline void enter_directory(void)
{
	if (mkdtemp(check_directory) == NULL || chdir(check_directory) < 0) {
		perror("test directory");
		exit(1);
	}
}
static inline void leave_directory(void)
{
	er_result_clear(&result);
	if (chdir("/") < 0 || nftw(check_directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
		perror("test directory");
}
