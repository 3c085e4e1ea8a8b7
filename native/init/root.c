// SPDX-License-Identifier: Apache-2.0
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t find_mount_id(int fd)
{
	struct statx info;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0)
		fail(errno, "stat of a mount");
	return info.stx_mnt_id;
}

/**
 * With a shared root propagation, attaching the clone would be repeated on the host: the mount that the root file
 * system lies in is made private first. The mount's own root is found by walking up until the mount changes.
 */
static void make_parent_mount_private(int source_fd)
{
	uint64_t mount = find_mount_id(source_fd);
	int at = dup(source_fd);
	for (;;) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (at < 0 || up < 0)
			fail(errno, "find the mount of the root file system");
		int is_top = find_mount_id(up) != mount;
		struct statx here, above;
		if (!is_top && syscall(SYS_statx, at, "", AT_EMPTY_PATH, STATX_INO, &here) == 0 &&
			syscall(SYS_statx, up, "", AT_EMPTY_PATH, STATX_INO, &above) == 0 && here.stx_ino == above.stx_ino)
			is_top = 1; // "/": its own parent
		if (is_top) {
			struct mount_attr attributes = {.propagation = MS_PRIVATE};
			if (sys_mount_setattr(at, 0, &attributes) != 0)
				fail(errno, "make the mount of the root file system private");
			close(at);
			close(up);
			return;
		}
		close(at);
		at = up;
	}
}

enum { ROOT_DETACHED = 2 };

/** A clone that no mount namespace has: mounts in it are seen by those whose root it is, and end with the last of them. */
static void open_detached(const char *source, int source_fd)
{
	init.root_fd = sys_open_tree(source_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	struct mount_attr attributes = {.propagation = MS_PRIVATE};
	if (init.root_fd < 0 || sys_mount_setattr(init.root_fd, AT_RECURSIVE, &attributes) != 0)
		fail(errno, "clone root file system \"%s\"", source);
	close(source_fd);
	init.root_detached = 1;
}

void do_open_root(const struct op_open_root *op)
{
	int source_fd = open(op->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (source_fd < 0)
		fail(errno, "open root file system \"%s\"", op->source);
	if (!op->attach) {
		init.root_fd = source_fd;
		return;
	}
	if (op->attach == ROOT_DETACHED) {
		open_detached(op->source, source_fd);
		return;
	}
	init.root_propagation = op->propagation;
	if (op->propagation & MS_SHARED)
		make_parent_mount_private(source_fd);
	int tree_fd = sys_open_tree(source_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree_fd < 0)
		fail(errno, "clone root file system \"%s\"", op->source);
	// pivot_root refuses a shared root: that is set after it.
	struct mount_attr attributes = {.propagation = op->propagation & MS_SHARED ? MS_PRIVATE : op->propagation & ~(uint32_t)MS_REC};
	unsigned flags = op->propagation & MS_REC && !(op->propagation & MS_SHARED) ? AT_RECURSIVE : 0;
	if (attributes.propagation != 0 && sys_mount_setattr(tree_fd, flags, &attributes) != 0)
		fail(errno, "set the propagation of root file system \"%s\"", op->source);
	if (sys_move_mount(tree_fd, source_fd) != 0)
		fail(errno, "attach root file system \"%s\"", op->source);
	close(source_fd);
	init.root_fd = tree_fd;
}

/** Old and new root stacked on one directory: no place for the old one is needed in the container's tree. */
static void pivot(void)
{
	int old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old_fd < 0)
		fail(errno, "open the host's root");
	if (syscall(SYS_pivot_root, ".", ".") != 0)
		fail(errno, "pivot_root");
	// What is unmounted here must not be unmounted on the host.
	struct mount_attr attributes = {.propagation = MS_SLAVE};
	if (sys_mount_setattr(old_fd, AT_RECURSIVE, &attributes) != 0 || fchdir(old_fd) != 0 || umount2(".", MNT_DETACH) != 0)
		fail(errno, "detach the host's root");
	close(old_fd);
}

void do_pivot_root(const struct op_pivot_root *op)
{
	if (fchdir(init.root_fd) != 0)
		fail(errno, "enter the root file system");
	if (!op->noPivot)
		pivot();
	// For a host whose root is the initramfs: it can't be pivoted away. The container's root is moved over it.
	else if (mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0)
		fail(errno, "move the root file system to \"/\"");
	if (chdir("/") != 0)
		fail(errno, "enter \"/\"");
	// The root alone: what is mounted in it has the propagation that it was given.
	if (init.root_propagation & MS_SHARED && mount(NULL, "/", NULL, MS_SHARED, NULL) != 0)
		fail(errno, "share the mounts of \"/\"");
}

void do_chroot(void)
{
	if (fchdir(init.root_fd) != 0 || chroot(".") != 0)
		fail(errno, "chroot to the root file system");
}

void do_root_attributes(const struct op_root_attributes *op)
{
	struct mount_attr attributes = {.attr_set = op->attributesSet};
	if (sys_mount_setattr(init.root_fd, 0, &attributes) != 0)
		fail(errno, "set the attributes of the root mount");
}
