// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>

/**
 * The length in bytes of the UTF-8 sequence that the text starts with, 0 when it starts with none (Unicode, table 3-7:
 * no overlong form, no surrogate, nothing beyond U+10FFFF) or is empty.
 */
size_t er_utf8_sequence(const char *text, size_t size);
