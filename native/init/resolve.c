// SPDX-License-Identifier: Apache-2.0
// Paths below the container's root. The root file system and whoever shares a volume with it are hostile and run at
// the same time: every path is resolved by the kernel below a descriptor, never as a string from the host's root, and
// what was resolved is used through its descriptor (the class of CVE-2015-1335, -2021-30465, -2024-45310, -2025-52881).
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/** Renames below the root make openat2 answer EAGAIN; a hostile renamer must not stall a start for ever. */
#define MAX_ATTEMPTS 1024
/** As in the kernel. */
#define MAX_LINKS 40

int open_in_root(const char *path, uint64_t flags, uint64_t extra_resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve,
	};
	int fd;
	for (int attempt = 0;; attempt++) {
		fd = (int)syscall(SYS_openat2, init.root_fd, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == MAX_ATTEMPTS)
			return fd;
	}
}

/** Copies `path` without its last component (and that component's slashes) into `parent`; returns the component. */
static const char *split_path(const char *path, char parent[4096])
{
	size_t length = strlen(path);
	if (length >= 4096)
		fail(ENAMETOOLONG, "path \"%.200s...\"", path);
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		fail(EINVAL, "path \"%s\" has no name at its end", path);
	size_t head = (size_t)(name - path);
	memcpy(parent, path, head);
	while (head > 1 && parent[head - 1] == '/')
		head--;
	parent[head] = 0;
	if (head == 0)
		strcpy(parent, "/");
	return name;
}

/**
 * Where the first `length` bytes of `path` name a link, puts the link's value in their place and returns 1. For links
 * that lead nowhere yet: what they name is made, as if somebody had gone through them. The kernel resolves the result
 * within the root, like every other path.
 */
static int follow_link(char path[4096], size_t length)
{
	char link[4096], value[4096], joined[4096];
	memcpy(link, path, length);
	link[length] = 0;
	int fd = open_in_root(link, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return 0;
	ssize_t size = readlinkat(fd, "", value, sizeof value - 1);
	close(fd);
	if (size <= 0)
		return 0; // not a link (EINVAL, ENOENT)
	value[size] = 0;
	while (length > 0 && link[length - 1] != '/')
		length--;
	link[length] = 0;
	int used = snprintf(joined, sizeof joined, "%s%s%s", value[0] == '/' ? "" : link, value, path + strlen(link) + strcspn(path + strlen(link), "/"));
	if (used < 0 || (size_t)used >= sizeof joined)
		fail(ENAMETOOLONG, "path \"%.200s...\"", path);
	memcpy(path, joined, (size_t)used + 1);
	return 1;
}

/** One more directory of a path that is made from the top down; -1 and ENOENT where it is a link that leads nowhere. */
static int make_next_directory(int parent_fd, const char *path, mode_t mode)
{
	char parent[4096];
	const char *name = split_path(path, parent);
	if (mkdirat(parent_fd, name, mode) != 0 && errno != EEXIST)
		fail(errno, "make directory \"%s\" below the root", path);
	// Not opened by name below parent_fd: what another process put there meanwhile may be a link, which the kernel
	// resolves within the root.
	int fd = open_in_root(path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno != ENOENT)
		fail(errno, "open \"%s\" below the root", path);
	return fd;
}

/**
 * How much of the path is there already, and its directory in *fd. Searched from the end: nearly always it is all but
 * the last component.
 */
static size_t open_existing(const char *path, int *fd)
{
	char prefix[4096];
	size_t end = strlen(path);
	memcpy(prefix, path, end + 1);
	do {
		while (end > 0 && path[end - 1] != '/')
			end--;
		while (end > 0 && path[end - 1] == '/')
			end--;
		prefix[end] = 0;
		*fd = open_in_root(end == 0 ? "/" : prefix, O_PATH | O_DIRECTORY, 0);
	} while (*fd < 0 && errno == ENOENT && end > 0);
	if (*fd < 0)
		fail(errno, "open \"%s\" below the root", end == 0 ? "/" : prefix);
	return end;
}

/** Makes what is missing; -1 where `path` was changed to go round a link that leads nowhere. */
static int make_directories(char path[4096], mode_t mode)
{
	char prefix[4096];
	int parent_fd;
	for (size_t end = open_existing(path, &parent_fd) + 1; parent_fd >= 0; end++) {
		if ((path[end] == '/' || path[end] == 0) && path[end - 1] != '/') {
			memcpy(prefix, path, end);
			prefix[end] = 0;
			int fd = make_next_directory(parent_fd, prefix, mode);
			if (fd < 0 && !follow_link(path, end))
				fail(ENOENT, "open \"%s\" below the root", prefix);
			close(parent_fd);
			parent_fd = fd;
		}
		if (path[end] == 0)
			break;
	}
	return parent_fd;
}

int make_directories_in_root(const char *path, mode_t mode)
{
	int fd = open_in_root(path, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		fail(errno, "open \"%s\" below the root", path);
	char current[4096];
	size_t length = strlen(path);
	if (length >= sizeof current || path[0] != '/')
		fail(EINVAL, "path \"%.200s...\"", path);
	memcpy(current, path, length + 1);
	for (int links = 0; links < MAX_LINKS; links++)
		if ((fd = make_directories(current, mode)) >= 0)
			return fd;
	fail(ELOOP, "open \"%s\" below the root", path);
}

int open_parent_in_root(const char *path, const char **name)
{
	char parent[4096];
	*name = split_path(path, parent);
	return make_directories_in_root(parent, 0755);
}

static struct statx identify(int fd, const char *path)
{
	struct statx info;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &info) != 0)
		fail(errno, "stat \"%s\" below the root", path);
	return info;
}

void refuse_root(int fd, const char *path)
{
	static struct statx root; // of init.root_fd, which stays what it is
	if (root.stx_mask == 0)
		root = identify(init.root_fd, "/");
	struct statx target = identify(fd, path);
	if (target.stx_mnt_id == root.stx_mnt_id && target.stx_ino == root.stx_ino)
		fail(0, "\"%s\" is the container's root: nothing can be mounted over it", path);
}

/** An empty file, with the directories above it. */
static void make_file(const char *path)
{
	const char *name;
	int parent_fd = open_parent_in_root(path, &name);
	int created = openat(parent_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
	if (created < 0 && errno != EEXIST)
		fail(errno, "make file \"%s\" below the root", path);
	if (created >= 0)
		close(created);
	close(parent_fd);
}

/** For a mount of a file. */
static int open_file_target(const char *path)
{
	int fd = open_in_root(path, O_PATH, 0);
	if (fd < 0 && errno == ENOENT) {
		char current[4096];
		size_t length = strlen(path);
		if (length >= sizeof current)
			fail(ENAMETOOLONG, "path \"%.200s...\"", path);
		memcpy(current, path, length + 1);
		for (int links = 0; follow_link(current, strlen(current)); links++)
			if (links == MAX_LINKS)
				fail(ELOOP, "open \"%s\" below the root", path);
		make_file(current);
		fd = open_in_root(path, O_PATH, 0);
	}
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", path);
	return fd;
}

int open_mount_target(const char *path, int directory)
{
	int fd = directory ? make_directories_in_root(path, 0755) : open_file_target(path);
	refuse_root(fd, path);
	return fd;
}

int open_plain_directory(const char *path)
{
	int fd = open_in_root(path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	close(make_directories_in_root(path, 0755));
	// Again without links: one may have taken the place of what was made.
	return open_in_root(path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

int open_host_proc(void)
{
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct statfs info;
	struct stat root;
	if (fd < 0 || fstatfs(fd, &info) != 0 || fstat(fd, &root) != 0)
		fail(errno, "open the host's \"/proc\"");
	if (info.f_type != PROC_SUPER_MAGIC || root.st_ino != 1)
		fail(EINVAL, "\"/proc\" of the host is not a procfs");
	return fd;
}
