// SPDX-License-Identifier: Apache-2.0
// Regular expressions, which the engine on the device is built without.
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

/** Appends the texts that match to the result. Returns 0, or -1 with errno. */
static int collect_matches(const regex_t *regex, const union er_arg *texts, struct er_result *result)
{
	size_t room = 1;
	for (size_t i = 0; i < texts->list.count; i++)
		room += texts->list.items[i].size + 1;
	result->owned = malloc(room);
	if (result->owned == NULL)
		return -1;
	for (size_t i = 0; i < texts->list.count; i++) {
		const struct er_bytes *text = &texts->list.items[i];
		if (regexec(regex, text->data, 0, NULL, 0) != 0)
			continue;
		memcpy(result->owned + result->size, text->data, text->size + 1);
		result->size += text->size + 1;
		result->count++;
	}
	return 0;
}

int er_match_regex(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *pattern = args[0].bytes.data;
	regex_t regex;
	int failure = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (failure != 0) {
		char reason[128];
		regerror(failure, &regex, reason, sizeof reason);
		er_fail(error, 0, "invalid regular expression \"%s\": %s", pattern, reason);
		error->number = EINVAL; // the text says what is wrong with it
		return -1;
	}
	int collected = collect_matches(&regex, &args[1], result);
	regfree(&regex);
	return collected < 0 ? er_fail(error, errno, "match \"%s\"", pattern) : 0;
}
