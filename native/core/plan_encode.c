// SPDX-License-Identifier: Apache-2.0
// The bytes of a plan, from the words and blobs of src/plan/encode.ts.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/wire.h"
#include "functions.h"

int er_encode_plan(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const uint32_t *words = args[0].words.items;
	size_t word_count = args[0].words.count;
	const struct er_bytes *blobs = args[1].list.items;
	size_t blob_count = args[1].list.count;

	uint64_t total = sizeof(struct plan_header) + 4ull * word_count + 4ull * blob_count;
	for (size_t i = 0; i < blob_count; i++)
		total += (uint64_t)blobs[i].size + 1;
	if (total > PLAN_MAX_BYTES)
		return er_fail(error, 0, "the plan has %llu bytes, more than the %u that are allowed", (unsigned long long)total, PLAN_MAX_BYTES);
	char *out = malloc(total);
	if (out == NULL)
		return er_fail(error, errno, "encode the plan");
	struct plan_header header = {PLAN_MAGIC, PLAN_VERSION, (uint32_t)total, (uint32_t)word_count, (uint32_t)blob_count};
	memcpy(out, &header, sizeof header);
	char *at = out + sizeof header;
	if (word_count > 0)
		memcpy(at, words, 4 * word_count);
	at += 4 * word_count;
	for (size_t i = 0; i < blob_count; i++, at += 4) {
		uint32_t size = (uint32_t)blobs[i].size;
		memcpy(at, &size, 4);
	}
	for (size_t i = 0; i < blob_count; i++) {
		if (blobs[i].size > 0)
			memcpy(at, blobs[i].data, blobs[i].size);
		at += blobs[i].size;
		*at++ = 0;
	}
	result->owned = out;
	result->size = total;
	return 0;
}
