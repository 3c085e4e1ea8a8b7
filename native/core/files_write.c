// SPDX-License-Identifier: Apache-2.0
// Writing files. Modes are as for open(2): the umask applies.
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

/** One write(2): files of the kernel take a value whole, and a log line of one write is never torn by another's. */
static int write_once(int fd, struct er_bytes text)
{
	ssize_t written = ER_RETRY(write(fd, text.data, text.size));
	if (written < 0)
		return -1;
	if ((size_t)written == text.size)
		return 0;
	errno = EIO;
	return -1;
}

int er_write_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	er_auto_close int fd = ER_RETRY(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return er_fail(error, errno, "open \"%s\"", path);
	if (write_once(fd, args[1].bytes) < 0)
		return er_fail(error, errno, "write \"%s\"", path);
	return 0;
}

int er_append_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	er_auto_close int fd = ER_RETRY(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
	if (fd < 0)
		return er_fail(error, errno, "open \"%s\"", path);
	if (write_once(fd, args[1].bytes) < 0)
		return er_fail(error, errno, "write \"%s\"", path);
	return 0;
}

/** Puts the directory entry of a path on disk: fsync of the file alone does not. */
static int sync_parent(const char *path, struct er_error *error)
{
	er_auto_free char *copy = strdup(path);
	if (copy == NULL)
		return er_fail(error, errno, "fsync \"%s\"", path);
	er_auto_close int fd = ER_RETRY(open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0 || ER_RETRY(fsync(fd)) < 0)
		return er_fail(error, errno, "fsync directory of \"%s\"", path);
	return 0;
}

/** Creates a file that must not exist, with the text in it; takes it away again when it can't be completed. */
static int create_file(const char *path, struct er_bytes text, int64_t mode, int64_t sync, struct er_error *error)
{
	er_auto_close int fd =
		ER_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode & 07777));
	if (fd < 0)
		return er_fail(error, errno, "open \"%s\"", path);
	const char *step = "write";
	int failed = er_write_all(fd, text.data, text.size);
	if (failed == 0 && sync != 0) {
		step = "fsync";
		failed = (int)ER_RETRY(fsync(fd));
	}
	if (failed == 0)
		return 0;
	er_fail(error, errno, "%s \"%s\"", step, path);
	unlink(path);
	return -1;
}

int er_create_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	int64_t sync = args[3].number;
	if (create_file(path, args[1].bytes, args[2].number, sync, error) < 0)
		return -1;
	return sync != 0 ? sync_parent(path, error) : 0;
}

/** "DIRECTORY/.NAME.tmp" for a path, malloc'd; NULL with errno. */
static char *temporary_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char *temporary = NULL;
	if (*name == '\0')
		errno = EISDIR;
	else if (asprintf(&temporary, "%.*s.%s.tmp", (int)(name - path), path, name) < 0)
		errno = ENOMEM;
	else
		return temporary;
	return NULL;
}

int er_replace_file(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	int64_t sync = args[3].number;
	er_auto_free char *temporary = temporary_path(path);
	if (temporary == NULL)
		return er_fail(error, errno, "replace \"%s\"", path);
	// What a killed predecessor left; writers of one path exclude each other with a lock of theirs.
	if (unlink(temporary) < 0 && errno != ENOENT)
		return er_fail(error, errno, "unlink \"%s\"", temporary);
	if (create_file(temporary, args[1].bytes, args[2].number, sync, error) < 0)
		return -1;
	if (rename(temporary, path) < 0) {
		er_fail(error, errno, "rename \"%s\"", path);
		unlink(temporary);
		return -1;
	}
	return sync != 0 ? sync_parent(path, error) : 0;
}
