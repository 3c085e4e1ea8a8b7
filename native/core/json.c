// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_keys.h"
#include "text.h"
#include "utf8.h"

/** A number with more characters than this is refused; every double is exact in fewer. */
#define MAX_NUMBER_LENGTH 1100

struct reader {
	const char *text;
	size_t size;
	size_t at; // offset of the next byte
	const char *label;
	const struct er_json_visitor *visitor;
	void *context;
	struct er_error *error;
	struct json_keys keys;
	char *scratch;       // unescaped strings; as large as the text, so it never grows. Made by the first escape
	size_t scratch_kept; // the part of it that holds keys, which stay for the duplicate check
	uint32_t objects;    // how many objects have begun: the serial number of each
	int depth;
	struct {
		int is_object;
		uint32_t serial;
	} stack[ER_JSON_MAX_DEPTH];
};

/** A string of the document, unescaped: a part of the text, or of the scratch memory. */
struct slice {
	const char *data;
	size_t size;
};

/** Sets the error with the line and column of an offset. Returns ER_JSON_INVALID. */
static int refuse(struct reader *reader, size_t offset, const char *what)
{
	size_t line = 1, line_start = 0;
	for (size_t i = 0; i < offset; i++) {
		if (reader->text[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	er_fail(reader->error, 0, "%s:%zu:%zu: %s", reader->label, line, offset - line_start + 1, what);
	return ER_JSON_INVALID;
}

/** As refuse, for a byte that can't be there: says what could. */
static int refuse_byte(struct reader *reader, const char *expected)
{
	char what[160];
	if (reader->at >= reader->size) {
		snprintf(what, sizeof what, "expected %s, found the end of the text", expected);
	} else {
		unsigned char byte = (unsigned char)reader->text[reader->at];
		if (byte > ' ' && byte < 0x7f)
			snprintf(what, sizeof what, "expected %s, found '%c'", expected, byte);
		else
			snprintf(what, sizeof what, "expected %s, found byte 0x%02x", expected, byte);
	}
	return refuse(reader, reader->at, what);
}

/** The next byte, or -1 at the end. */
static int peek(const struct reader *reader)
{
	return reader->at < reader->size ? (unsigned char)reader->text[reader->at] : -1;
}

static void skip_space(struct reader *reader)
{
	for (;;) {
		int byte = peek(reader);
		if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r')
			return;
		reader->at++;
	}
}

/** Reads four hex digits. */
static int read_hex4(struct reader *reader, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++, reader->at++) {
		int byte = peek(reader);
		uint32_t digit;
		if (byte >= '0' && byte <= '9')
			digit = (uint32_t)(byte - '0');
		else if (byte >= 'a' && byte <= 'f')
			digit = (uint32_t)(byte - 'a') + 10;
		else if (byte >= 'A' && byte <= 'F')
			digit = (uint32_t)(byte - 'A') + 10;
		else
			return refuse_byte(reader, "a hex digit");
		*value = *value << 4 | digit;
	}
	return 0;
}

/** Reads what follows `\u`, with the second half of a surrogate pair. `start`: offset of the backslash. */
static int read_unicode_escape(struct reader *reader, size_t start, uint32_t *code)
{
	if (read_hex4(reader, code) != 0)
		return ER_JSON_INVALID;
	if (*code == 0)
		return refuse(reader, start, "NUL character in a string");
	if (*code < 0xd800 || *code > 0xdfff)
		return 0;
	uint32_t low;
	if (*code > 0xdbff || reader->size - reader->at < 2 || memcmp(reader->text + reader->at, "\\u", 2) != 0)
		return refuse(reader, start, "half of a surrogate pair in a string");
	reader->at += 2;
	if (read_hex4(reader, &low) != 0)
		return ER_JSON_INVALID;
	if (low < 0xdc00 || low > 0xdfff)
		return refuse(reader, start, "half of a surrogate pair in a string");
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

/** Reads an escape; `at` is behind the backslash. Appends to the scratch memory at `*length`. */
static int read_escape(struct reader *reader, size_t *length)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	size_t start = reader->at - 1;
	int byte = peek(reader);
	if (byte == 'u') {
		uint32_t code;
		reader->at++;
		if (read_unicode_escape(reader, start, &code) != 0)
			return ER_JSON_INVALID;
		*length += er_utf8_put(reader->scratch + *length, code);
		return 0;
	}
	const char *name = byte > 0 ? strchr(names, byte) : NULL;
	if (name == NULL)
		return refuse_byte(reader, "an escape (one of \"\\/bfnrtu)");
	reader->scratch[(*length)++] = values[name - names];
	reader->at++;
	return 0;
}

/** Reads a string; `at` is at its opening quote. */
static int read_string(struct reader *reader, struct slice *slice)
{
	size_t start = ++reader->at; // of the run of characters that is not copied yet
	size_t length = reader->scratch_kept;
	int escaped = 0;
	for (;;) {
		int byte = peek(reader);
		if (byte == '"')
			break;
		if (byte < 0)
			return refuse_byte(reader, "'\"'");
		if (byte < 0x20)
			return refuse(reader, reader->at, "control character in a string");
		if (byte >= 0x80) {
			size_t step = er_utf8_sequence(reader->text + reader->at, reader->size - reader->at);
			if (step == 0)
				return refuse(reader, reader->at, "invalid UTF-8");
			reader->at += step;
			continue;
		}
		if (byte != '\\') {
			reader->at++;
			continue;
		}
		if (reader->scratch == NULL && (reader->scratch = malloc(reader->size)) == NULL)
			return er_fail(reader->error, ENOMEM, "cannot read \"%s\"", reader->label);
		memcpy(reader->scratch + length, reader->text + start, reader->at - start);
		length += reader->at - start;
		reader->at++;
		if (read_escape(reader, &length) != 0)
			return ER_JSON_INVALID;
		start = reader->at;
		escaped = 1;
	}
	if (escaped) {
		memcpy(reader->scratch + length, reader->text + start, reader->at - start);
		length += reader->at - start;
		*slice = (struct slice){reader->scratch + reader->scratch_kept, length - reader->scratch_kept};
	} else {
		*slice = (struct slice){reader->text + start, reader->at - start};
	}
	reader->at++;
	return 0;
}

/** Steps over one or more digits. */
static int skip_digits(struct reader *reader)
{
	size_t start = reader->at;
	while (peek(reader) >= '0' && peek(reader) <= '9')
		reader->at++;
	return reader->at > start ? 0 : refuse_byte(reader, "a digit");
}

/** Passes on the integer whose digits stand in [digits, at). */
static int pass_integer(struct reader *reader, size_t start, size_t digits)
{
	int negative = digits > start;
	uint64_t magnitude = 0;
	for (size_t i = digits; i < reader->at; i++) {
		if (__builtin_mul_overflow(magnitude, 10u, &magnitude) ||
		    __builtin_add_overflow(magnitude, (uint64_t)(reader->text[i] - '0'), &magnitude))
			return refuse(reader, start, "integer beyond 64 bits");
	}
	if (magnitude <= (uint64_t)ER_JSON_MAX_SAFE_INTEGER)
		return reader->visitor->integer(reader->context, negative ? -(int64_t)magnitude : (int64_t)magnitude);
	if (negative && magnitude > (uint64_t)1 << 63)
		return refuse(reader, start, "integer beyond 64 bits");
	return reader->visitor->big_integer(reader->context, negative, magnitude);
}

/** Passes on the number with a fraction or an exponent that stands in [start, at). */
static int pass_double(struct reader *reader, size_t start)
{
	char text[MAX_NUMBER_LENGTH + 1];
	size_t length = reader->at - start;
	if (length > MAX_NUMBER_LENGTH)
		return refuse(reader, start, "number too long");
	memcpy(text, reader->text + start, length);
	text[length] = '\0';
	// The C locale is a constant of libc: nothing is allocated, nothing can fail. A host program may have set another.
	double value = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
	if (!isfinite(value))
		return refuse(reader, start, "number out of range");
	return reader->visitor->number(reader->context, value);
}

/** Reads a number; `at` is at its sign or first digit. */
static int read_number(struct reader *reader)
{
	size_t start = reader->at;
	int is_integer = 1;
	if (peek(reader) == '-')
		reader->at++;
	size_t digits = reader->at;
	if (skip_digits(reader) != 0)
		return ER_JSON_INVALID;
	if (reader->text[digits] == '0' && reader->at > digits + 1)
		return refuse(reader, digits, "leading zero");
	if (peek(reader) == '.') {
		is_integer = 0;
		reader->at++;
		if (skip_digits(reader) != 0)
			return ER_JSON_INVALID;
	}
	if (peek(reader) == 'e' || peek(reader) == 'E') {
		is_integer = 0;
		reader->at++;
		if (peek(reader) == '+' || peek(reader) == '-')
			reader->at++;
		if (skip_digits(reader) != 0)
			return ER_JSON_INVALID;
	}
	return is_integer ? pass_integer(reader, start, digits) : pass_double(reader, start);
}

/** Steps over a word that must stand here. */
static int read_word(struct reader *reader, const char *word)
{
	for (; *word != '\0'; word++, reader->at++) {
		if (peek(reader) != *word)
			return refuse_byte(reader, "a value");
	}
	return 0;
}

/** Begins an object or array; `at` is at its bracket. */
static int begin(struct reader *reader, int is_object)
{
	if (reader->depth == ER_JSON_MAX_DEPTH)
		return refuse(reader, reader->at, "nested too deep");
	reader->stack[reader->depth].is_object = is_object;
	reader->stack[reader->depth].serial = reader->objects++;
	reader->depth++;
	reader->at++;
	return is_object ? reader->visitor->begin_object(reader->context) : reader->visitor->begin_array(reader->context);
}

static int end(struct reader *reader)
{
	reader->at++;
	reader->depth--;
	return reader->stack[reader->depth].is_object ? reader->visitor->end_object(reader->context)
	                                              : reader->visitor->end_array(reader->context);
}

/** Reads a key and its colon. */
static int read_key(struct reader *reader, const char *expected)
{
	struct slice key;
	skip_space(reader);
	size_t start = reader->at;
	if (peek(reader) != '"')
		return refuse_byte(reader, expected);
	int status = read_string(reader, &key);
	if (status != 0)
		return status;
	if (reader->scratch != NULL && key.data == reader->scratch + reader->scratch_kept)
		reader->scratch_kept += key.size;
	switch (json_keys_add(&reader->keys, reader->stack[reader->depth - 1].serial, key.data, key.size)) {
	case 0:
		break;
	case 1: {
		char what[128];
		snprintf(what, sizeof what, "duplicate key \"%.*s\"", (int)(key.size < 64 ? key.size : 64), key.data);
		return refuse(reader, start, what);
	}
	default:
		return er_fail(reader->error, ENOMEM, "cannot read \"%s\"", reader->label);
	}
	skip_space(reader);
	if (peek(reader) != ':')
		return refuse_byte(reader, "':'");
	reader->at++;
	return reader->visitor->key(reader->context, key.data, key.size);
}

/** Reads a scalar, or begins an object or array. */
static int read_value(struct reader *reader)
{
	const struct er_json_visitor *visitor = reader->visitor;
	int status;
	skip_space(reader);
	switch (peek(reader)) {
	case '{':
		return begin(reader, 1);
	case '[':
		return begin(reader, 0);
	case '"': {
		struct slice string;
		status = read_string(reader, &string);
		return status != 0 ? status : visitor->string(reader->context, string.data, string.size);
	}
	case 't':
		status = read_word(reader, "true");
		return status != 0 ? status : visitor->boolean(reader->context, 1);
	case 'f':
		status = read_word(reader, "false");
		return status != 0 ? status : visitor->boolean(reader->context, 0);
	case 'n':
		status = read_word(reader, "null");
		return status != 0 ? status : visitor->null(reader->context);
	case '-':
	case '0' ... '9':
		return read_number(reader);
	default:
		return refuse_byte(reader, "a value");
	}
}

/** What comes after `{` or `[`: the end, or the first member. */
static int read_first(struct reader *reader)
{
	int is_object = reader->stack[reader->depth - 1].is_object;
	skip_space(reader);
	if (peek(reader) == (is_object ? '}' : ']'))
		return end(reader);
	int status = is_object ? read_key(reader, "a key or '}'") : 0;
	return status != 0 ? status : read_value(reader);
}

/** What comes after a value inside of an object or array: the end, or a comma and the next member. */
static int read_next(struct reader *reader)
{
	int is_object = reader->stack[reader->depth - 1].is_object;
	skip_space(reader);
	if (peek(reader) == (is_object ? '}' : ']'))
		return end(reader);
	if (peek(reader) != ',')
		return refuse_byte(reader, is_object ? "',' or '}'" : "',' or ']'");
	reader->at++;
	int status = is_object ? read_key(reader, "a key") : 0;
	return status != 0 ? status : read_value(reader);
}

static int read_document(struct reader *reader)
{
	if (reader->size >= 3 && memcmp(reader->text, "\xef\xbb\xbf", 3) == 0)
		return refuse(reader, 0, "byte order mark");
	int depth = 0; // before the last step: a step that goes deeper has just begun an object or array
	int status = read_value(reader);
	while (status == 0 && reader->depth > 0) {
		int begun = reader->depth > depth;
		depth = reader->depth;
		status = begun ? read_first(reader) : read_next(reader);
	}
	if (status != 0)
		return status;
	skip_space(reader);
	return reader->at == reader->size ? 0 : refuse_byte(reader, "the end of the text");
}

enum er_json_status er_json_parse(const char *text, size_t size, const char *label,
                                  const struct er_json_visitor *visitor, void *context, struct er_error *error)
{
	struct reader reader = {
	    .text = text,
	    .size = size,
	    .label = label != NULL ? label : "json",
	    .visitor = visitor,
	    .context = context,
	    .error = error,
	};
	error->message[0] = '\0';
	int status = read_document(&reader);
	json_keys_free(&reader.keys);
	free(reader.scratch);
	if (status == 0)
		return ER_JSON_OK;
	return error->message[0] != '\0' ? ER_JSON_INVALID : ER_JSON_STOPPED;
}
