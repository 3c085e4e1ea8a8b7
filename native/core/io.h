// SPDX-License-Identifier: Apache-2.0
// Reading and writing descriptors, and time: shared by the host functions.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "host.h"

/** Writes all of the data, however the kernel splits it. 0, or -1 with errno. */
int er_write_all(int fd, const char *data, size_t size);

/**
 * Reads to end of file into a malloc'd text, NUL-terminated (not counted in *size). 0, or -1 with errno: EFBIG when
 * there are more than max_bytes; nothing is allocated then.
 */
int er_read_to_end(int fd, size_t max_bytes, char **text, size_t *size);

/** A size that came from the brain as a limit: 0, or -1 with errno EINVAL when it is negative or absurd. */
int er_check_limit(int64_t limit);

/** Makes the result own a copy of the data (NUL-terminated beyond its size). 0, or -1 with errno ENOMEM. */
int er_result_copy(struct er_result *result, const void *data, size_t size);

/** Milliseconds of CLOCK_MONOTONIC. */
int64_t er_monotonic_ms(void);

/**
 * Waits before another attempt: *step_ms, doubled for the next time up to 50 ms, but never past the deadline
 * (er_monotonic_ms). Returns 0 when the deadline had passed already.
 */
int er_wait_before_retry(int64_t deadline, int64_t *step_ms);
