// SPDX-License-Identifier: Apache-2.0
// Descriptors, the clock, and reading files. Writing is in files_write.c.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

int er_write_fd(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	if (er_write_all((int)args[0].number, args[1].bytes.data, args[1].bytes.size) < 0)
		return er_fail(error, errno, "write \"fd %lld\"", (long long)args[0].number);
	return 0;
}

int er_read_fd(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	if (er_check_limit(args[1].number) < 0 ||
	    er_read_to_end((int)args[0].number, (size_t)args[1].number, &result->owned, &result->size) < 0)
		return er_fail(error, errno, "read \"fd %lld\"", (long long)args[0].number);
	return 0;
}

int er_close_fd(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	// After EINTR the descriptor is closed on Linux: a second close could hit another thread's new descriptor.
	if (close((int)args[0].number) < 0 && errno != EINTR)
		return er_fail(error, errno, "close \"fd %lld\"", (long long)args[0].number);
	return 0;
}

int er_clock(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)args;
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return er_fail(error, errno, "clock_gettime \"realtime\"");
	result->ints[0] = now.tv_sec;
	result->ints[1] = now.tv_nsec;
	result->count = 2;
	return 0;
}

int er_sleep(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	int64_t milliseconds = args[0].number;
	if (milliseconds < 0)
		return er_fail(error, EINVAL, "sleep \"%lld ms\"", (long long)milliseconds);
	struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	while (nanosleep(&left, &left) != 0)
		if (errno != EINTR)
			return er_fail(error, errno, "sleep \"%lld ms\"", (long long)milliseconds);
	return 0;
}

/** What is open must be a regular file (procfs and cgroupfs files count as such). */
static int read_opened(int fd, const char *path, int64_t max_bytes, struct er_result *result, struct er_error *error)
{
	struct stat info;
	if (fstat(fd, &info) < 0)
		return er_fail(error, errno, "fstat \"%s\"", path);
	if (S_ISDIR(info.st_mode))
		return er_fail(error, EISDIR, "read \"%s\"", path);
	if (!S_ISREG(info.st_mode))
		return er_fail(error, 0, "read \"%s\": not a regular file", path);
	if (er_read_to_end(fd, (size_t)max_bytes, &result->owned, &result->size) < 0)
		return er_fail(error, errno, "read \"%s\"", path);
	return 0;
}

/**
 * Reads a regular file; with if_exists, the result of an absent one is null. Anything else is refused: a FIFO would make
 * a root process wait for whoever planted it, and opening a device can have effects. O_NONBLOCK keeps the open itself
 * from waiting for a FIFO's writer, O_NOCTTY from taking a terminal.
 */
static int read_file(const union er_arg *args, int if_exists, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	if (er_check_limit(args[1].number) < 0)
		return er_fail(error, errno, "read \"%s\"", path);
	er_auto_close int fd = ER_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	if (fd >= 0)
		return read_opened(fd, path, args[1].number, result, error);
	if (!if_exists || errno != ENOENT)
		return er_fail(error, errno, "open \"%s\"", path);
	result->is_null = 1;
	return 0;
}

int er_read_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	return read_file(args, 0, result, error);
}

int er_read_file_if_exists(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	return read_file(args, 1, result, error);
}

int er_read_json(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	result->label = args[0].bytes.data;
	return read_file(args, 0, result, error);
}

int er_parse_json(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	result->label = args[1].bytes.data;
	if (er_result_copy(result, args[0].bytes.data, args[0].bytes.size) < 0)
		return er_fail(error, errno, "parse \"%s\"", result->label);
	return 0;
}
