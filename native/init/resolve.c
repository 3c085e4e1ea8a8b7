// SPDX-License-Identifier: Apache-2.0
// Paths below the container's root. The root file system and whoever shares a volume with it are hostile and run at
// the same time: every path is resolved by the kernel below a descriptor, never as a string from the host's root, and
// what was resolved is used through its descriptor (the class of CVE-2015-1335, -2021-30465, -2024-45310, -2025-52881).
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/** Renames below the root make openat2 answer EAGAIN; a hostile renamer must not stall a start for ever. */
#define MAX_ATTEMPTS 1024

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

int make_directories_in_root(const char *path, mode_t mode)
{
	int fd = open_in_root(path, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		fail(errno, "open \"%s\" below the root", path);
	char parent[4096];
	const char *name = split_path(path, parent);
	int parent_fd = make_directories_in_root(parent, mode);
	if (mkdirat(parent_fd, name, mode) != 0 && errno != EEXIST)
		fail(errno, "make directory \"%s\" below the root", path);
	close(parent_fd);
	// Not opened by name below parent_fd: what another process put there meanwhile may be a link, which the kernel
	// resolves within the root.
	fd = open_in_root(path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", path);
	return fd;
}

int open_parent_in_root(const char *path, const char **name)
{
	char parent[4096];
	*name = split_path(path, parent);
	return make_directories_in_root(parent, 0755);
}

int open_mount_target(const char *path, int directory)
{
	if (directory)
		return make_directories_in_root(path, 0755);
	int fd = open_in_root(path, O_PATH, 0);
	if (fd < 0 && errno == ENOENT) {
		const char *name;
		int parent_fd = open_parent_in_root(path, &name);
		int created = openat(parent_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
		if (created < 0 && errno != EEXIST)
			fail(errno, "make file \"%s\" below the root", path);
		if (created >= 0)
			close(created);
		close(parent_fd);
		fd = open_in_root(path, O_PATH, 0);
	}
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", path);
	return fd;
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
