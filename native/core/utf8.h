// SPDX-License-Identifier: Apache-2.0
// Whole texts of UTF-8; single sequences are in text.h.
#pragma once
#include <stddef.h>
#include <stdint.h>

/** How many bytes at the start of the text are whole, valid characters: `size` if all of it is. */
size_t er_utf8_valid_prefix(const char *text, size_t size);

/** Writes a code point (at most U+10FFFF); up to 4 bytes. Returns its length. */
size_t er_utf8_put(char *out, uint32_t code);
