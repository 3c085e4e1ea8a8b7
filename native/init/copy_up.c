// SPDX-License-Identifier: Apache-2.0
// tmpcopyup: a new tmpfs starts with what the directory below it holds. The image is hostile and may change meanwhile:
// nothing is followed, and what was opened is looked at again.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/** Each level takes two descriptors and some stack, and both may be limited already. */
#define MAX_DEPTH 200

/** What is being copied, for messages. */
static char path[4096];

/** As getdents64(2) gives it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

static void copy_contents(int from_fd, int to_fd, size_t path_length, int depth);

/** Who may do what with a file: capabilities and access control lists. A file system that has none says so. */
static void copy_attributes(int from_fd, int to_fd)
{
	static const char *const names[] = {"security.capability", "system.posix_acl_access", "system.posix_acl_default"};
	char value[4096];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ssize_t size = fgetxattr(from_fd, names[i], value, sizeof value);
		if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
			continue;
		if (size < 0 || fsetxattr(to_fd, names[i], value, (size_t)size, 0) != 0)
			fail(errno, "tmpcopyup: copy %s of \"%s\"", names[i], path);
	}
}

/** Owner, mode and times; the owner first, because it takes set-user-id bits away. */
static void copy_metadata(int from_fd, int to_fd, const struct stat *info)
{
	const struct timespec times[2] = {info->st_atim, info->st_mtim};
	if (fchown(to_fd, info->st_uid, info->st_gid) != 0 || fchmod(to_fd, info->st_mode & 07777) != 0)
		fail(errno, "tmpcopyup: set owner and mode of \"%s\"", path);
	copy_attributes(from_fd, to_fd);
	if (futimens(to_fd, times) != 0)
		fail(errno, "tmpcopyup: set times of \"%s\"", path);
}

/** Holes stay holes: a log of last logins seems to have many gigabytes. */
static void copy_bytes(int from_fd, int to_fd, off_t size)
{
	for (off_t start = 0; (start = lseek(from_fd, start, SEEK_DATA)) >= 0;) {
		off_t end = lseek(from_fd, start, SEEK_HOLE);
		if (end < 0 || lseek(to_fd, start, SEEK_SET) < 0)
			fail(errno, "tmpcopyup: copy \"%s\"", path);
		while (start < end) {
			ssize_t copied = sendfile(to_fd, from_fd, &start, (size_t)(end - start));
			if (copied < 0 && errno != EINTR)
				fail(errno, "tmpcopyup: copy \"%s\"", path);
			if (copied == 0)
				break; // it became shorter
		}
		if (start < end)
			break;
	}
	if (ftruncate(to_fd, size) != 0)
		fail(errno, "tmpcopyup: copy \"%s\"", path);
}

static void copy_file(int from_parent, int to_parent, const char *name)
{
	int from_fd = openat(from_parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int to_fd = openat(to_parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat info;
	if (from_fd < 0 || to_fd < 0 || fstat(from_fd, &info) != 0)
		fail(errno, "tmpcopyup: open \"%s\"", path);
	if (!S_ISREG(info.st_mode))
		fail(0, "tmpcopyup: \"%s\" changed while it was copied", path);
	copy_bytes(from_fd, to_fd, info.st_size);
	copy_metadata(from_fd, to_fd, &info);
	close(from_fd);
	close(to_fd);
}

static void copy_link(int from_parent, int to_parent, const char *name)
{
	char value[4096];
	ssize_t size = readlinkat(from_parent, name, value, sizeof value - 1);
	if (size < 0)
		fail(errno, "tmpcopyup: read link \"%s\"", path);
	value[size] = 0;
	if (symlinkat(value, to_parent, name) != 0)
		fail(errno, "tmpcopyup: make link \"%s\"", path);
}

/** Sockets, FIFOs and devices. Nobody makes devices in a user namespace: there they are left out, as runc does. */
static int copy_node(int to_parent, const char *name, const struct stat *info)
{
	if (mknodat(to_parent, name, info->st_mode, info->st_rdev) == 0)
		return 1;
	if (errno == EPERM && (S_ISCHR(info->st_mode) || S_ISBLK(info->st_mode)))
		return 0;
	fail(errno, "tmpcopyup: make \"%s\"", path);
}

static void copy_subdirectory(int from_parent, int to_parent, const char *name, int depth)
{
	if (mkdirat(to_parent, name, 0700) != 0)
		fail(errno, "tmpcopyup: make directory \"%s\"", path);
	int from_fd = openat(from_parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int to_fd = openat(to_parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	if (from_fd < 0 || to_fd < 0 || fstat(from_fd, &info) != 0)
		fail(errno, "tmpcopyup: open \"%s\"", path);
	copy_contents(from_fd, to_fd, strlen(path), depth + 1);
	copy_metadata(from_fd, to_fd, &info);
	close(from_fd);
	close(to_fd);
}

static void copy_entry(int from_parent, int to_parent, const char *name, int depth)
{
	struct stat info;
	if (fstatat(from_parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		fail(errno, "tmpcopyup: stat \"%s\"", path);
	if (S_ISDIR(info.st_mode))
		return copy_subdirectory(from_parent, to_parent, name, depth);
	if (S_ISREG(info.st_mode))
		return copy_file(from_parent, to_parent, name);
	if (S_ISLNK(info.st_mode))
		copy_link(from_parent, to_parent, name);
	else if (!copy_node(to_parent, name, &info))
		return;
	const struct timespec times[2] = {info.st_atim, info.st_mtim};
	if (fchownat(to_parent, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
		utimensat(to_parent, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		fail(errno, "tmpcopyup: set owner and times of \"%s\"", path);
}

static void copy_contents(int from_fd, int to_fd, size_t path_length, int depth)
{
	if (depth > MAX_DEPTH)
		fail(ELOOP, "tmpcopyup: \"%.100s...\" is more than %d directories deep", path, MAX_DEPTH);
	_Alignas(struct entry) char buffer[1024];
	long size;
	while ((size = syscall(SYS_getdents64, from_fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < size;) {
			const struct entry *entry = (const struct entry *)(buffer + at);
			at += entry->size;
			if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
				continue;
			snprintf(path + path_length, sizeof path - path_length, "/%s", entry->name);
			copy_entry(from_fd, to_fd, entry->name, depth);
			path[path_length] = 0;
		}
	if (size < 0)
		fail(errno, "tmpcopyup: list \"%s\"", path);
}

void copy_directory(int from_fd, int to_fd, const char *name)
{
	snprintf(path, sizeof path, "%s", name);
	int readable_fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable_fd < 0)
		fail(errno, "tmpcopyup: open \"%s\"", path);
	copy_contents(readable_fd, to_fd, strlen(path), 0);
	close(readable_fd);
}
