// SPDX-License-Identifier: Apache-2.0
// A strict JSON reader (RFC 8259) that calls back for each value, so that each binding builds its own objects.
//
// Stricter than the RFC allows it to be: no byte order mark, no duplicate keys, no lone surrogates, no U+0000 in
// strings, integers within [-2^63, 2^64-1], nothing after the value, at most ER_JSON_MAX_DEPTH levels.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "host.h"

#define ER_JSON_MAX_DEPTH 128
/** The largest integer that a double holds exactly, with all those below it: 2^53-1. */
#define ER_JSON_MAX_SAFE_INTEGER INT64_C(9007199254740991)

/**
 * What to do with each value, in document order. A function returns 0 to go on; anything else stops the reader.
 * Strings and keys are unescaped UTF-8, not NUL-terminated, and valid only during the call.
 */
struct er_json_visitor {
	int (*begin_object)(void *context);
	int (*key)(void *context, const char *data, size_t size);
	int (*end_object)(void *context);
	int (*begin_array)(void *context);
	int (*end_array)(void *context);
	int (*string)(void *context, const char *data, size_t size);
	/** An integer of magnitude up to 2^53-1; `-0` is 0. */
	int (*integer)(void *context, int64_t value);
	/** An integer of a greater magnitude: bindings make a BigInt, so that no digit is lost. */
	int (*big_integer)(void *context, int negative, uint64_t magnitude);
	/** A number with a fraction or an exponent; always finite. */
	int (*number)(void *context, double value);
	int (*boolean)(void *context, int value);
	int (*null)(void *context);
};

enum er_json_status {
	ER_JSON_OK = 0,
	ER_JSON_INVALID = -1, // the error says where and why
	ER_JSON_STOPPED = -2, // a visitor function stopped it; the error is not set
};

/**
 * Reads one JSON document.
 *
 * @param label what the text is called in errors: `LABEL:LINE:COLUMN: text`, both from 1, columns in bytes
 */
enum er_json_status er_json_parse(const char *text, size_t size, const char *label,
                                  const struct er_json_visitor *visitor, void *context, struct er_error *error);
