// SPDX-License-Identifier: Apache-2.0
#include "utf8.h"

#include "text.h"

size_t er_utf8_valid_prefix(const char *text, size_t size)
{
	size_t at = 0;
	while (at < size) {
		size_t length = er_utf8_sequence(text + at, size - at);
		if (length == 0)
			break;
		at += length;
	}
	return at;
}

size_t er_utf8_put(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}
