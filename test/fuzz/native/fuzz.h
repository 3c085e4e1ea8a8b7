// SPDX-License-Identifier: Apache-2.0
// What a target defines, and what runs it: libFuzzer, or driver.c where that is not installed. Names and signatures
// are libFuzzer's.
#pragma once
#include <stddef.h>
#include <stdint.h>

/** Does everything with one input. Returns 0; a bug is a sanitizer's report or an abort. Provided by the target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Changes an input in place and returns its new size, at most `capacity`. Provided by the target. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

/** A mutation that knows nothing of the format. Provided by libFuzzer or driver.c. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
