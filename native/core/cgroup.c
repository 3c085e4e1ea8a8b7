// SPDX-License-Identifier: Apache-2.0
// Listing what is in cgroup directories, and removing them. Their files can't be unlinked: they go with the directory.
#include <dirent.h>
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

/** A container may nest cgroups as deep as it likes; our stack and our descriptors are finite. */
#define MAX_DEPTH 256

static int remove_tree(int parent_fd, const char *name, int depth);

static int is_directory(int directory_fd, const struct dirent *entry)
{
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	struct stat info;
	return fstatat(directory_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

static int remove_children(int parent_fd, const char *name, int depth)
{
	if (depth > MAX_DEPTH) {
		errno = ELOOP;
		return -1;
	}
	int fd = ER_RETRY(openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return -1;
	DIR *directory = fdopendir(fd);
	if (directory == NULL) {
		er_close_at(&fd);
		return -1;
	}
	int failed = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(directory);
		if (entry == NULL) {
			failed = errno != 0;
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || !is_directory(fd, entry))
			continue;
		if (remove_tree(fd, entry->d_name, depth + 1) < 0) {
			failed = 1;
			break;
		}
	}
	int saved = errno;
	closedir(directory);
	errno = saved;
	return failed ? -1 : 0;
}

/** Removes a cgroup after those below it. One that is gone is success: the kernel or an engine may be faster. */
static int remove_tree(int parent_fd, const char *name, int depth)
{
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	// EBUSY: processes, or children; ENOTEMPTY: children, by some kernels.
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -1;
	if (remove_children(parent_fd, name, depth) < 0)
		return errno == ENOENT ? 0 : -1;
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return -1;
}

int er_remove_cgroup(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	int64_t deadline = er_monotonic_ms() + args[1].number;
	er_auto_free char *parent = strdup(path);
	er_auto_free char *copy = strdup(path);
	if (parent == NULL || copy == NULL)
		return er_fail(error, errno, "rmdir \"%s\"", path);
	const char *name = basename(copy);
	if (strcmp(name, "/") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return er_fail(error, EINVAL, "rmdir \"%s\"", path);
	const char *directory = dirname(parent);
	er_auto_close int parent_fd = ER_RETRY(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (parent_fd < 0)
		return errno == ENOENT ? 0 : er_fail(error, errno, "open \"%s\"", directory);
	// A killed process leaves its cgroup only when it is torn down: EBUSY until then.
	int64_t step_ms = 1;
	while (remove_tree(parent_fd, name, 0) < 0) {
		if (errno != EBUSY)
			return er_fail(error, errno, "rmdir \"%s\"", path);
		if (!er_wait_before_retry(deadline, &step_ms))
			return er_fail(error, EBUSY, "rmdir \"%s\"", path);
	}
	return 0;
}

/** A growing list of NUL-terminated texts, as an er_result of kind strs. */
static int append_text(struct er_result *result, const char *text, size_t size)
{
	char *grown = realloc(result->owned, result->size + size + 1);
	if (grown == NULL)
		return -1;
	memcpy(grown + result->size, text, size);
	grown[result->size + size] = 0;
	result->owned = grown;
	result->size += size + 1;
	result->count++;
	return 0;
}

static int append_lines(struct er_result *result, FILE *file)
{
	char line[32];
	while (fgets(line, sizeof line, file) != NULL) {
		size_t size = strcspn(line, "\n");
		if (size > 0 && append_text(result, line, size) != 0)
			return -1;
	}
	return ferror(file) ? -1 : 0;
}

static int list_processes(struct er_result *result, int fd, int depth)
{
	er_auto_close int procs_fd = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (procs_fd < 0)
		return errno == ENOENT ? 0 : -1;
	FILE *file = fdopen(procs_fd, "r");
	if (file == NULL)
		return -1;
	procs_fd = -1; // the stream's
	int failed = append_lines(result, file);
	fclose(file);
	// A directory's link count is 2 and one for each child: most cgroups have none, and need not be read.
	struct stat info;
	if (failed != 0 || fstat(fd, &info) != 0)
		return -1;
	if (info.st_nlink <= 2 || depth > MAX_DEPTH)
		return 0;
	DIR *directory = fdopendir(dup(fd));
	if (directory == NULL)
		return -1;
	const struct dirent *entry;
	while (failed == 0 && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || !is_directory(fd, entry))
			continue;
		er_auto_close int child_fd = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child_fd >= 0)
			failed = list_processes(result, child_fd, depth + 1);
		else if (errno != ENOENT)
			failed = -1;
	}
	closedir(directory);
	return failed;
}

int er_list_cgroup_processes(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	er_auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : er_fail(error, errno, "open cgroup \"%s\"", path);
	if (list_processes(result, fd, 0) != 0 && errno != ENODEV) // ENODEV: removed while it was read
		return er_fail(error, errno, "list the processes of cgroup \"%s\"", path);
	return 0;
}
