// SPDX-License-Identifier: Apache-2.0
// The host functions as an array: what a binding needs to offer each of them to its engine.
#pragma once
#include "host.h"

/** More than any host function takes (checked when the array is compiled). */
#define ER_MAX_ARGUMENTS 8

struct er_host_function {
	const char *name; // as in TypeScript
	er_function *function;
	const char *arguments; // one letter per argument's kind, see host.h
	char result;           // the letter of the result's kind
};

extern const struct er_host_function er_host_functions[];
extern const size_t er_host_function_count;
