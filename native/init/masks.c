// SPDX-License-Identifier: Apache-2.0
// linux.maskedPaths and linux.readonlyPaths: mounts over what is there already.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/** The one empty, read-only file system that hides every masked directory; cloned for each after the first. */
static int clone_empty_tree(void)
{
	if (init.empty_fd >= 0)
		return sys_open_tree(init.empty_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	static const char *no_data[] = {"nr_blocks=1", "nr_inodes=1", "mode=755", NULL};
	struct op_mount_filesystem empty = {
		.type = "tmpfs", .source = "tmpfs", .target = "masked", .data = {no_data, 3}, .superFlags = MS_RDONLY,
		.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	init.empty_fd = create_filesystem(&empty, "");
	return init.empty_fd;
}

/** The host's /dev/null, verified: a link or a file there would be mounted writable over the path (CVE-2025-31133). */
static int clone_null_device(void)
{
	int fd = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) != 0)
		fail(errno, "open \"/dev/null\" of the host");
	if (!S_ISCHR(info.st_mode) || info.st_rdev != ((1ull << 8) | 3))
		fail(0, "\"/dev/null\" of the host is not the null device");
	return fd;
}

/** What is to be covered, or -1 where it is absent: then there is nothing to hide. Never the root itself. */
static int open_existing(const char *target)
{
	int fd = open_in_root(target, O_PATH, 0);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return -1;
		fail(errno, "open \"%s\" below the root", target);
	}
	refuse_root(fd, target);
	return fd;
}

void do_mask_path(const struct op_mask_path *op)
{
	int target_fd = open_existing(op->target);
	if (target_fd < 0)
		return;
	struct stat info;
	if (fstat(target_fd, &info) != 0)
		fail(errno, "stat \"%s\"", op->target);
	int mask_fd = S_ISDIR(info.st_mode) ? clone_empty_tree() : clone_null_device();
	if (mask_fd < 0 || sys_move_mount(mask_fd, target_fd) != 0)
		fail(errno, "mask \"%s\"", op->target);
	if (mask_fd != init.empty_fd)
		close(mask_fd);
	close(target_fd);
}

void do_readonly_path(const struct op_readonly_path *op)
{
	int target_fd = open_existing(op->target);
	if (target_fd < 0)
		return;
	int tree_fd = sys_open_tree(target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree_fd < 0)
		fail(errno, "make \"%s\" read-only", op->target);
	set_attributes(tree_fd, op->target, AT_RECURSIVE, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY});
	if (sys_move_mount(tree_fd, target_fd) != 0)
		fail(errno, "make \"%s\" read-only", op->target);
	close(tree_fd);
	close(target_fd);
}
