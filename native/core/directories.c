// SPDX-License-Identifier: Apache-2.0
// Directories, names and locks.
#include "directories.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

/** Names of one directory, together; far beyond any state root, small enough to hold in memory. */
#define MAX_LISTING_BYTES ((size_t)16 << 20)

int er_file_info(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	int flags = AT_NO_AUTOMOUNT | (args[1].number != 0 ? 0 : AT_SYMLINK_NOFOLLOW);
	struct statx info;
	if (statx(AT_FDCWD, path, flags, STATX_BASIC_STATS, &info) < 0) {
		if (errno != ENOENT)
			return er_fail(error, errno, "statx \"%s\"", path);
		result->is_null = 1;
		return 0;
	}
	const int64_t values[] = {info.stx_mode,
	                          info.stx_uid,
	                          info.stx_gid,
	                          (int64_t)info.stx_size,
	                          (int64_t)makedev(info.stx_dev_major, info.stx_dev_minor),
	                          (int64_t)info.stx_ino,
	                          info.stx_rdev_major,
	                          info.stx_rdev_minor};
	_Static_assert(sizeof values == sizeof result->ints, "fileInfo fills all of ints");
	memcpy(result->ints, values, sizeof values);
	result->count = ER_MAX_INTS;
	return 0;
}

int er_change_group(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	er_auto_close int fd = ER_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0 || fchown(fd, (uid_t)-1, (gid_t)args[1].number) < 0 || fchmod(fd, (mode_t)args[2].number) < 0)
		return er_fail(error, errno, "change group of \"%s\"", path);
	return 0;
}

int er_real_path(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	result->owned = realpath(args[0].bytes.data, NULL);
	if (result->owned == NULL)
		return er_fail(error, errno, "realpath \"%s\"", args[0].bytes.data);
	result->size = strlen(result->owned);
	return 0;
}

/** Names, each with its NUL, one after the other. */
struct names {
	char *text;
	size_t size, room, count;
};

static int add_name(struct names *names, const char *name)
{
	size_t length = strlen(name) + 1;
	if (names->size + length > names->room) {
		size_t room = (names->room + length) * 2;
		if (room > MAX_LISTING_BYTES) {
			errno = EFBIG;
			return -1;
		}
		char *larger = realloc(names->text, room);
		if (larger == NULL)
			return -1;
		names->text = larger;
		names->room = room;
	}
	memcpy(names->text + names->size, name, length);
	names->size += length;
	names->count++;
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/** Hands the names over to the result in bytewise order. */
static int give_sorted(const struct names *names, struct er_result *result)
{
	er_auto_free const char **order = malloc((names->count + 1) * sizeof *order);
	if (order == NULL)
		return -1;
	result->owned = malloc(names->size + 1);
	if (result->owned == NULL)
		return -1;
	const char *name = names->text;
	for (size_t i = 0; i < names->count; i++, name += strlen(name) + 1)
		order[i] = name;
	qsort(order, names->count, sizeof *order, compare_names);
	char *end = result->owned;
	for (size_t i = 0; i < names->count; i++)
		end = stpcpy(end, order[i]) + 1;
	result->count = names->count;
	result->size = names->size;
	return 0;
}

int er_list_directory(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	DIR *directory = opendir(path); // glibc opens with O_CLOEXEC
	if (directory == NULL)
		return er_fail(error, errno, "open \"%s\"", path);
	struct names names = {0};
	int failed = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(directory);
		if (entry == NULL) {
			failed = errno != 0;
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (add_name(&names, entry->d_name) < 0) {
			failed = 1;
			break;
		}
	}
	if (!failed)
		failed = give_sorted(&names, result) < 0;
	if (failed)
		er_fail(error, errno, "list \"%s\"", path);
	free(names.text);
	closedir(directory);
	return failed ? -1 : 0;
}

int er_make_directory(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	if (mkdir(args[0].bytes.data, (mode_t)args[1].number & 07777) < 0)
		return er_fail(error, errno, "mkdir \"%s\"", args[0].bytes.data);
	return 0;
}

int er_make_parents(const char *path, mode_t mode)
{
	er_auto_free char *part = strdup(path);
	if (part == NULL)
		return -1;
	for (char *at = part; *at != '\0'; at++) {
		if (*at != '/' || at == part)
			continue;
		*at = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -1;
		*at = '/';
	}
	return 0;
}

/** mkdir(2), satisfied by a directory that is there. */
static int ensure_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return 0;
	struct stat info;
	if (errno != EEXIST || stat(path, &info) < 0)
		return -1;
	if (S_ISDIR(info.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int er_make_directories(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	mode_t mode = (mode_t)args[1].number & 07777;
	if (er_make_parents(path, mode) < 0 || ensure_directory(path, mode) < 0)
		return er_fail(error, errno, "mkdir \"%s\"", path);
	return 0;
}

int er_remove_directory(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	if (rmdir(args[0].bytes.data) < 0)
		return er_fail(error, errno, "rmdir \"%s\"", args[0].bytes.data);
	return 0;
}

int er_remove_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	if (unlink(args[0].bytes.data) < 0)
		return er_fail(error, errno, "unlink \"%s\"", args[0].bytes.data);
	return 0;
}

int er_open_directory(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int fd = ER_RETRY(open(args[0].bytes.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return er_fail(error, errno, "open \"%s\"", args[0].bytes.data);
	result->ints[0] = fd;
	return 0;
}

int er_lock(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int fd = (int)args[0].number;
	int64_t deadline = er_monotonic_ms() + args[1].number;
	int64_t step_ms = 1;
	// Tried again and again, not waited for: a blocking flock(2) ends early only by a signal, and signal handlers
	// and timers belong to the host program.
	while (ER_RETRY(flock(fd, LOCK_EX | LOCK_NB)) < 0) {
		if (errno != EWOULDBLOCK)
			return er_fail(error, errno, "flock \"fd %d\"", fd);
		if (!er_wait_before_retry(deadline, &step_ms))
			return 0; // ints[0] is 0
	}
	result->ints[0] = 1;
	return 0;
}
