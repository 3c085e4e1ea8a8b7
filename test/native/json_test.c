// SPDX-License-Identifier: Apache-2.0
// The JSON reader: each document's events are written down as one line of text and compared.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"

static char events[1 << 16];
static size_t used;
static int failures, passes;

static int note(const char *text)
{
	size_t length = strlen(text);
	assert(used + length < sizeof events);
	memcpy(events + used, text, length + 1);
	used += length;
	return 0;
}

static int note_text(const char *prefix, const char *data, size_t size)
{
	note(prefix);
	assert(used + size < sizeof events);
	memcpy(events + used, data, size);
	used += size;
	events[used] = '\0';
	return note(" ");
}

static int begin_object(void *context) { (void)context; return note("{ "); }
static int key(void *context, const char *data, size_t size) { (void)context; return note_text("k:", data, size); }
static int end_object(void *context) { (void)context; return note("} "); }
static int begin_array(void *context) { (void)context; return note("[ "); }
static int end_array(void *context) { (void)context; return note("] "); }
static int string(void *context, const char *data, size_t size) { (void)context; return note_text("s:", data, size); }

static int integer(void *context, int64_t value)
{
	char text[32];
	(void)context;
	snprintf(text, sizeof text, "i:%" PRId64 " ", value);
	return note(text);
}

static int big_integer(void *context, int negative, uint64_t magnitude)
{
	char text[32];
	(void)context;
	snprintf(text, sizeof text, "b:%s%" PRIu64 " ", negative ? "-" : "", magnitude);
	return note(text);
}

static int number(void *context, double value)
{
	char text[48];
	(void)context;
	snprintf(text, sizeof text, "d:%.17g ", value);
	return note(text);
}

static int boolean(void *context, int value) { (void)context; return note(value ? "true " : "false "); }

/** Stops the reader when the test asks for that. */
static int null(void *context)
{
	note("null ");
	return context != NULL ? 7 : 0;
}

static const struct er_json_visitor visitor = {
    begin_object, key, end_object, begin_array, end_array, string, integer, big_integer, number, boolean, null,
};

static enum er_json_status parse(const char *text, size_t size, void *context, struct er_error *error)
{
	// A copy of exactly this size, so that the sanitizer sees every byte read beyond it.
	char *copy = malloc(size > 0 ? size : 1);
	assert(copy != NULL);
	memcpy(copy, text, size);
	used = 0;
	events[0] = '\0';
	enum er_json_status status = er_json_parse(copy, size, "x.json", &visitor, context, error);
	free(copy);
	return status;
}

static void check(int good, const char *text, const char *expected, const char *actual)
{
	if (good && strcmp(expected, actual) == 0) {
		passes++;
		return;
	}
	failures++;
	printf("FAILED: %s\n  expected: %s\n  actual:   %s\n", text, expected, actual);
}

static void accept_sized(const char *text, size_t size, const char *expected)
{
	struct er_error error;
	enum er_json_status status = parse(text, size, NULL, &error);
	check(status == ER_JSON_OK, text, expected, status == ER_JSON_OK ? events : error.message);
}

static void refuse_sized(const char *text, size_t size, const char *expected)
{
	struct er_error error;
	enum er_json_status status = parse(text, size, NULL, &error);
	check(status == ER_JSON_INVALID && error.number == 0, text, expected, status == ER_JSON_OK ? events : error.message);
}

static void accept(const char *text, const char *expected) { accept_sized(text, strlen(text), expected); }
static void refuse(const char *text, const char *expected) { refuse_sized(text, strlen(text), expected); }

static void test_values(void)
{
	accept("{}", "{ } ");
	accept(" [ ] \n", "[ ] ");
	accept("[[],{},[[]]]", "[ [ ] { } [ [ ] ] ] ");
	accept("{\"a\":1,\"b\":[true,false,null],\"c\":{\"a\":\"x\"}}",
	       "{ k:a i:1 k:b [ true false null ] k:c { k:a s:x } } ");
	accept("\"top\"", "s:top ");
	accept("{\"__proto__\":{}}", "{ k:__proto__ { } } ");
	accept("{\"\":0}", "{ k: i:0 } ");
	refuse("", "x.json:1:1: expected a value, found the end of the text");
	refuse("  \n ", "x.json:2:2: expected a value, found the end of the text");
	refuse("[1,]", "x.json:1:4: expected a value, found ']'");
	refuse("{\"a\":1,}", "x.json:1:8: expected a key, found '}'");
	refuse("{a:1}", "x.json:1:2: expected a key or '}', found 'a'");
	refuse("{\"a\" 1}", "x.json:1:6: expected ':', found '1'");
	refuse("[1 2]", "x.json:1:4: expected ',' or ']', found '2'");
	refuse("{\"a\":1 \"b\":2}", "x.json:1:8: expected ',' or '}', found '\"'");
	refuse("[1}", "x.json:1:3: expected ',' or ']', found '}'");
	refuse("{\"a\":", "x.json:1:6: expected a value, found the end of the text");
	refuse("[", "x.json:1:2: expected a value, found the end of the text");
	refuse("tru", "x.json:1:4: expected a value, found the end of the text");
	refuse("nul!", "x.json:1:4: expected a value, found '!'");
	refuse("{}\n{}", "x.json:2:1: expected the end of the text, found '{'");
	refuse("\xef\xbb\xbf{}", "x.json:1:1: byte order mark");
	refuse("[\x0c]", "x.json:1:2: expected a value, found byte 0x0c");
	refuse("// note\n1", "x.json:1:1: expected a value, found '/'");
	refuse_sized("{}\0", 3, "x.json:1:3: expected the end of the text, found byte 0x00");
}

static void test_numbers(void)
{
	accept("[0,-0,7,-12]", "[ i:0 i:0 i:7 i:-12 ] ");
	accept("[9007199254740991,-9007199254740991]", "[ i:9007199254740991 i:-9007199254740991 ] ");
	accept("[9007199254740992,-9007199254740992]", "[ b:9007199254740992 b:-9007199254740992 ] ");
	accept("[18446744073709551615,-9223372036854775808]", "[ b:18446744073709551615 b:-9223372036854775808 ] ");
	accept("[0.5,-1.25e2,1E3,1e-2,0.0]", "[ d:0.5 d:-125 d:1000 d:0.01 d:0 ] ");
	accept("[0.1,1.7976931348623157e308,5e-324]", "[ d:0.10000000000000001 d:1.7976931348623157e+308 d:4.9406564584124654e-324 ] ");
	refuse("18446744073709551616", "x.json:1:1: integer beyond 64 bits");
	refuse("-9223372036854775809", "x.json:1:1: integer beyond 64 bits");
	refuse("99999999999999999999999", "x.json:1:1: integer beyond 64 bits");
	refuse("[01]", "x.json:1:2: leading zero");
	refuse("-", "x.json:1:2: expected a digit, found the end of the text");
	refuse("[-x]", "x.json:1:3: expected a digit, found 'x'");
	refuse("1.", "x.json:1:3: expected a digit, found the end of the text");
	refuse("1.e3", "x.json:1:3: expected a digit, found 'e'");
	refuse("1e+", "x.json:1:4: expected a digit, found the end of the text");
	refuse("+1", "x.json:1:1: expected a value, found '+'");
	refuse(".5", "x.json:1:1: expected a value, found '.'");
	refuse("0x10", "x.json:1:2: expected the end of the text, found 'x'");
	refuse("1e400", "x.json:1:1: number out of range");
	refuse("NaN", "x.json:1:1: expected a value, found 'N'");
	char digits[1300] = "0.";
	memset(digits + 2, '1', sizeof digits - 3);
	refuse(digits, "x.json:1:1: number too long");
}

static void test_strings(void)
{
	accept("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s:\"\\/\b\f\n\r\t ");
	accept("\"a\\u0041z\\u00e9\\u20AC\\ud83d\\ude00!\"", "s:aAz\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80! ");
	accept("[\"\\n\",\"plain\",\"\\t\"]", "[ s:\n s:plain s:\t ] ");
	accept("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
	       "s:\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf ");
	refuse("\"a\\u0000\"", "x.json:1:3: NUL character in a string");
	refuse_sized("\"a\0\"", 4, "x.json:1:3: control character in a string");
	refuse("\"\n\"", "x.json:1:2: control character in a string");
	refuse("\"\\ud800\"", "x.json:1:2: half of a surrogate pair in a string");
	refuse("\"\\ud800\\n\"", "x.json:1:2: half of a surrogate pair in a string");
	refuse("\"\\ud800\\ud800\"", "x.json:1:2: half of a surrogate pair in a string");
	refuse("\"\\udc00\"", "x.json:1:2: half of a surrogate pair in a string");
	refuse("\"\\x41\"", "x.json:1:3: expected an escape (one of \"\\/bfnrtu), found 'x'");
	refuse("\"\\u00g0\"", "x.json:1:6: expected a hex digit, found 'g'");
	refuse("\"\\u00", "x.json:1:6: expected a hex digit, found the end of the text");
	refuse("\"\\", "x.json:1:3: expected an escape (one of \"\\/bfnrtu), found the end of the text");
	refuse("\"abc", "x.json:1:5: expected '\"', found the end of the text");
	static const char *const invalid[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80",
	                                      "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		char text[16];
		snprintf(text, sizeof text, "\"x%s\"", invalid[i]);
		refuse(text, "x.json:1:3: invalid UTF-8");
	}
	check(er_utf8_valid_prefix("ab\xc3\xa9\xc3", 5) == 4, "er_utf8_valid_prefix", "", "");
}

static void test_duplicates(void)
{
	refuse("{\"a\":1,\n \"b\":{\"a\":2},\n \"a\":3}", "x.json:3:2: duplicate key \"a\"");
	refuse("{\"a\":1,\"\\u0061\":3}", "x.json:1:8: duplicate key \"a\"");
	refuse("{\"\\u0061\":1,\"x\\n\":\"\\t\\t\\t\",\"a\":3}", "x.json:1:28: duplicate key \"a\"");
	refuse("{\"\":1,\"\":3}", "x.json:1:7: duplicate key \"\"");
	accept("[{\"a\":1},{\"a\":{\"a\":2}}]", "[ { k:a i:1 } { k:a { k:a i:2 } } ] ");
	accept("{\"\\n\":\"\\t\",\"\\r\":{\"\\n\":1}}", "{ k:\n s:\t k:\r { k:\n i:1 } } ");

	// Many keys: the set grows. One more that is there already is still found.
	static char text[40000];
	size_t length = (size_t)sprintf(text, "{\"last\":0");
	for (int i = 0; i < 2000; i++)
		length += (size_t)sprintf(text + length, ",\"key%d\":0", i);
	strcpy(text + length, "}");
	struct er_error error;
	check(parse(text, strlen(text), NULL, &error) == ER_JSON_OK, "2000 keys", "", "");
	strcpy(text + length, ",\"key1234\":0}");
	int refused = parse(text, strlen(text), NULL, &error) == ER_JSON_INVALID;
	check(refused && strstr(error.message, ": duplicate key") != NULL, "2000 keys, one twice", "", "");
}

static void test_depth_and_stop(void)
{
	char text[2 * ER_JSON_MAX_DEPTH + 3] = "";
	struct er_error error;
	memset(text, '[', ER_JSON_MAX_DEPTH);
	memset(text + ER_JSON_MAX_DEPTH, ']', ER_JSON_MAX_DEPTH);
	check(parse(text, strlen(text), NULL, &error) == ER_JSON_OK, "deepest", "", "");
	memset(text, '[', ER_JSON_MAX_DEPTH + 1);
	refuse(text, "x.json:1:129: nested too deep");
	check(parse("[1,null,2]", 10, &error, &error) == ER_JSON_STOPPED, "stopped", "[ i:1 null ", events);
}

/** Every prefix of a document, and every document with one byte changed, is read without a fault. */
static void test_broken_documents(void)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\xc3\xa9\"],\"b\\n\":{\"c\":true,\"d\":null}}";
	struct er_error error;
	size_t size = sizeof text - 1;
	int good = 1;
	for (size_t i = 0; i < size; i++) {
		good &= parse(text, i, NULL, &error) == ER_JSON_INVALID;
		for (int byte = 0; byte < 256; byte++) {
			char changed[sizeof text];
			memcpy(changed, text, sizeof text);
			changed[i] = (char)byte;
			good &= parse(changed, size, NULL, &error) != ER_JSON_STOPPED;
		}
	}
	check(good, "broken documents", "", "");
}

int main(void)
{
	test_values();
	test_numbers();
	test_strings();
	test_duplicates();
	test_depth_and_stop();
	test_broken_documents();
	printf("%d passed, %d failed, 0 skipped\n", passes, failures);
	return failures == 0 ? 0 : 1;
}
