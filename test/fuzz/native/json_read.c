// SPDX-License-Identifier: Apache-2.0
// Texts against the JSON reader. The visitor checks what the reader promises to its callers: balanced, keys only in
// objects, valid UTF-8 without NUL, numbers in their range; and sometimes stops it, as a binding does that is out of
// memory.
#include "fuzz.h"
#include "native/core/json.h"
#include "native/core/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct visit {
	int depth;
	char kinds[ER_JSON_MAX_DEPTH + 1]; // '{' before a key, ':' after one, '['
	int values_at_top;
	size_t calls, stop_after;
};

static void require(int condition)
{
	if (!condition)
		abort();
}

/** Counts a call; not 0 stops the reader. */
static int count_call(struct visit *visit)
{
	require(visit->calls <= visit->stop_after);
	return ++visit->calls > visit->stop_after;
}

static int visit_value(struct visit *visit)
{
	if (visit->depth == 0)
		require(visit->values_at_top++ == 0);
	else if (visit->kinds[visit->depth] != '[') {
		require(visit->kinds[visit->depth] == ':');
		visit->kinds[visit->depth] = '{';
	}
	return count_call(visit);
}

static int begin(void *context, char kind)
{
	struct visit *visit = context;
	int stop = visit_value(visit);
	require(visit->depth < ER_JSON_MAX_DEPTH);
	visit->kinds[++visit->depth] = kind;
	return stop;
}

static int end(void *context, char kind)
{
	struct visit *visit = context;
	require(visit->depth > 0 && visit->kinds[visit->depth] == kind);
	visit->depth--;
	return count_call(visit);
}

static int begin_object(void *context)
{
	return begin(context, '{');
}

static int end_object(void *context)
{
	return end(context, '{');
}

static int begin_array(void *context)
{
	return begin(context, '[');
}

static int end_array(void *context)
{
	return end(context, '[');
}

static void check_text(const char *data, size_t size)
{
	require(er_utf8_valid_prefix(data, size) == size);
	require(size == 0 || memchr(data, 0, size) == NULL);
}

static int visit_key(void *context, const char *data, size_t size)
{
	struct visit *visit = context;
	check_text(data, size);
	require(visit->kinds[visit->depth] == '{');
	visit->kinds[visit->depth] = ':';
	return count_call(visit);
}

static int visit_string(void *context, const char *data, size_t size)
{
	check_text(data, size);
	return visit_value(context);
}

static int visit_integer(void *context, int64_t value)
{
	require(value >= -ER_JSON_MAX_SAFE_INTEGER && value <= ER_JSON_MAX_SAFE_INTEGER);
	return visit_value(context);
}

static int visit_big_integer(void *context, int negative, uint64_t magnitude)
{
	require(magnitude > (uint64_t)ER_JSON_MAX_SAFE_INTEGER && (!negative || magnitude <= (uint64_t)1 << 63));
	return visit_value(context);
}

static int visit_number(void *context, double value)
{
	require(isfinite(value));
	return visit_value(context);
}

static int visit_boolean(void *context, int value)
{
	require(value == 0 || value == 1);
	return visit_value(context);
}

static int visit_null(void *context)
{
	return visit_value(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct er_json_visitor visitor = {
	    .key = visit_key,
	    .begin_object = begin_object,
	    .end_object = end_object,
	    .begin_array = begin_array,
	    .end_array = end_array,
	    .string = visit_string,
	    .integer = visit_integer,
	    .big_integer = visit_big_integer,
	    .number = visit_number,
	    .boolean = visit_boolean,
	    .null = visit_null,
	};
	// The reader stops early for some sizes, so that both ways out of it are seen.
	struct visit visit = {.stop_after = size % 8 == 7 ? size / 2 : SIZE_MAX - 1};
	struct er_error error;
	enum er_json_status status = er_json_parse((const char *)data, size, "input", &visitor, &visit, &error);
	switch (status) {
	case ER_JSON_OK:
		require(visit.depth == 0 && visit.values_at_top == 1);
		return 0;
	case ER_JSON_INVALID:
		require(error.message[0] != 0 && strchr(error.message, '\n') == NULL);
		return 0;
	case ER_JSON_STOPPED:
		require(visit.calls == visit.stop_after + 1 && error.message[0] == 0);
		return 0;
	}
	abort();
}

/** Half of the time a token of JSON is written somewhere: random bytes hardly ever make one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
	static const char *const tokens[] = {
	    "{",      "}",      "[",     "]",     ":",     ",",     "\"",   "\"\"",   "\"a\":",  "null",
	    "true",   "false",  "-0",    "1e9",   "1e999", "0.1",   "\\n",  "\\u0041", "\\ud83d\\ude00", "\\u0000",
	    "\\ud800", "9007199254740992", "18446744073709551616", "-9223372036854775809", "\xef\xbb\xbf", "\xf0\x9f\x98\x80",
	};
	size = LLVMFuzzerMutate(data, size, capacity);
	const char *token = tokens[(seed >> 8) % (sizeof tokens / sizeof *tokens)];
	size_t length = strlen(token);
	if (seed % 2 == 0 || length > capacity - size)
		return size;
	size_t at = (seed >> 16) % (size + 1);
	memmove(data + at + length, data + at, size - at);
	memcpy(data + at, token, length);
	return size + length;
}
