// SPDX-License-Identifier: Apache-2.0
#include "io.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_READ_BYTES 8192
#define LONGEST_RETRY_STEP_MS 50
/** No file of this runtime comes near it; a larger limit is a mistake of the caller. */
#define LARGEST_LIMIT ((int64_t)256 << 20)

/**
 * Whether a call that failed is worth another try: descriptors that callers hand us may be non-blocking, as Node's pipes
 * are. Waits until this one is ready.
 */
static int waited_until_ready(int fd, short events)
{
	if (errno != EAGAIN)
		return 0;
	struct pollfd ready = {fd, events, 0};
	return ER_RETRY(poll(&ready, 1, -1)) > 0;
}

int er_write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = ER_RETRY(write(fd, data, size));
		if (written < 0 && waited_until_ready(fd, POLLOUT))
			continue;
		if (written < 0)
			return -1;
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

int er_read_to_end(int fd, size_t max_bytes, char **text, size_t *size)
{
	size_t room = max_bytes < FIRST_READ_BYTES ? max_bytes + 1 : FIRST_READ_BYTES;
	size_t used = 0;
	er_auto_free char *buffer = malloc(room + 1);
	if (buffer == NULL)
		return -1;
	for (;;) {
		// One byte more than the limit is asked for: that is how "exactly the limit" and "more" are told apart.
		ssize_t got = ER_RETRY(read(fd, buffer + used, room - used));
		if (got < 0 && waited_until_ready(fd, POLLIN))
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > max_bytes) {
			errno = EFBIG;
			return -1;
		}
		if (used < room)
			continue;
		room = room > max_bytes / 2 ? max_bytes + 1 : room * 2;
		char *larger = realloc(buffer, room + 1);
		if (larger == NULL)
			return -1;
		buffer = larger;
	}
	buffer[used] = '\0';
	*text = buffer;
	*size = used;
	buffer = NULL;
	return 0;
}

int er_check_limit(int64_t limit)
{
	if (limit >= 0 && limit <= LARGEST_LIMIT)
		return 0;
	errno = EINVAL;
	return -1;
}

int er_result_copy(struct er_result *result, const void *data, size_t size)
{
	result->owned = malloc(size + 1);
	if (result->owned == NULL)
		return -1;
	if (size > 0)
		memcpy(result->owned, data, size);
	result->owned[size] = '\0';
	result->size = size;
	return 0;
}

int64_t er_monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int er_wait_before_retry(int64_t deadline, int64_t *step_ms)
{
	int64_t left = deadline - er_monotonic_ms();
	if (left <= 0)
		return 0;
	int64_t pause = *step_ms < left ? *step_ms : left;
	struct timespec length = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};
	nanosleep(&length, NULL); // cut short by a signal: the caller tries again a little earlier
	*step_ms = *step_ms * 2 < LONGEST_RETRY_STEP_MS ? *step_ms * 2 : LONGEST_RETRY_STEP_MS;
	return 1;
}
