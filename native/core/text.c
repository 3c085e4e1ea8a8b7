// SPDX-License-Identifier: Apache-2.0
// Bytes to text and back: UTF-8 and base64url, both strict.
#include "text.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "functions.h"
#include "io.h"
#include "utf8.h"

size_t er_utf8_sequence(const char *text, size_t size)
{
	if (size == 0)
		return 0;
	const unsigned char *byte = (const unsigned char *)text;
	unsigned char first = byte[0];
	if (first < 0x80)
		return 1;
	if (first < 0xC2 || first > 0xF4)
		return 0;
	size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	if (size < length)
		return 0;
	// Only the second byte's range depends on the first: that is where overlong forms and surrogates are.
	unsigned char lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
	unsigned char highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
	if (byte[1] < lowest || byte[1] > highest)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((byte[i] & 0xC0) != 0x80)
			return 0;
	}
	return length;
}

int er_bytes_to_text(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	struct er_bytes data = args[0].bytes;
	size_t valid = er_utf8_valid_prefix(data.data, data.size);
	if (valid < data.size)
		return er_fail(error, EILSEQ, "decode \"UTF-8 byte %zu\"", valid);
	if (er_result_copy(result, data.data, data.size) < 0)
		return er_fail(error, errno, "decode \"UTF-8\"");
	return 0;
}

int er_text_to_bytes(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	if (er_result_copy(result, args[0].bytes.data, args[0].bytes.size) < 0)
		return er_fail(error, errno, "encode \"UTF-8\"");
	return 0;
}

int er_base64_url_decode(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	struct er_bytes text = args[0].bytes;
	size_t room = text.size / 4 * 3 + 3;
	er_auto_free char *data = malloc(room);
	if (data == NULL)
		return er_fail(error, errno, "decode \"base64url\"");
	// Without an end pointer libsodium insists that it can read all of the text; unused bits at its end must be 0.
	if (sodium_base642bin((unsigned char *)data, room, text.data, text.size, NULL, &result->size, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return er_fail(error, EINVAL, "decode \"base64url\"");
	result->owned = data;
	data = NULL;
	return 0;
}
