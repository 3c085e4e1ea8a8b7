// SPDX-License-Identifier: Apache-2.0
#include "check.h"

static const struct er_bytes ids[] = {{"web", 3}, {"web-1", 5}, {"db", 2}, {"", 0}};

/** The matching ids, each followed by a comma. */
static int matches(const char *pattern, const char *wanted)
{
	if (CALL(er_match_regex, str(pattern), list(ids, 4)) != 0)
		return 0;
	char joined[64] = "";
	const char *at = result.owned;
	for (size_t i = 0; i < result.count; i++, at += strlen(at) + 1) {
		strcat(joined, at);
		strcat(joined, ",");
	}
	return strcmp(joined, wanted) == 0;
}

int main(void)
{
	check(matches("web", "web,web-1,"), "a pattern is found anywhere in a text");
	check(matches("^web$", "web,"), "anchors count");
	check(matches("-[0-9]+|^d", "web-1,db,"), "the syntax is the extended one");
	check(matches("nothing", ""), "none matches");
	check(matches("", "web,web-1,db,,"), "an empty pattern matches all");
	check(CALL(er_match_regex, str("web"), list(NULL, 0)) == 0 && result.count == 0, "no texts, no matches");
	check(failed_with(CALL(er_match_regex, str("a("), list(ids, 4)), EINVAL), "a wrong pattern is refused");
	check(strstr(error.message, "invalid regular expression \"a(\": Unmatched") == error.message, "with its reason");
	er_result_clear(&result);
	return check_summary();
}
