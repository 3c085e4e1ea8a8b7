// SPDX-License-Identifier: Apache-2.0
// Everything below /dev is made through the descriptor of the directory that was resolved: a link in place of /dev
// must not move it to the host (CVE-2026-41579, CVE-2026-47766).
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void do_make_directory(const struct op_make_directory *op)
{
	close(make_directories_in_root(op->target, op->mode));
}

void do_make_symlink(const struct op_make_symlink *op)
{
	const char *name;
	int parent_fd = open_parent_in_root(op->target, &name);
	if (symlinkat(op->value, parent_fd, name) != 0) {
		char present[4096];
		ssize_t size = errno == EEXIST ? readlinkat(parent_fd, name, present, sizeof present) : -1;
		if (size < 0 || (size_t)size != strlen(op->value) || memcmp(present, op->value, (size_t)size) != 0)
			fail(EEXIST, "make link \"%s\" to \"%s\"", op->target, op->value);
	}
	close(parent_fd);
}

static void check_device(int parent_fd, const char *name, const char *target, uint32_t type, uint32_t major, uint32_t minor)
{
	struct stat info;
	if (fstatat(parent_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		fail(errno, "stat device \"%s\"", target);
	if ((info.st_mode & S_IFMT) != type || (type != S_IFIFO && info.st_rdev != makedev(major, minor)))
		fail(0, "\"%s\" exists and is not the device %u:%u", target, major, minor);
}

void do_make_device(const struct op_make_device *op)
{
	const char *name;
	int parent_fd = open_parent_in_root(op->target, &name);
	if (mknodat(parent_fd, name, op->type | op->mode, makedev(op->major, op->minor)) == 0) {
		if ((op->uid | op->gid) != 0 && fchownat(parent_fd, name, op->uid, op->gid, AT_SYMLINK_NOFOLLOW) != 0)
			fail(errno, "set the owner of device \"%s\"", op->target);
	} else if (errno == EEXIST) {
		check_device(parent_fd, name, op->target, op->type, op->major, op->minor);
	} else {
		fail(errno, "make device \"%s\"", op->target);
	}
	close(parent_fd);
}

void do_bind_device(const struct operation *operation)
{
	const struct op_bind_device *op = operation->fields;
	int tree_fd = take_source(operation, op->source, 0, op->handed);
	struct stat info;
	if (fstat(tree_fd, &info) != 0)
		fail(errno, "stat device \"%s\"", op->source);
	if ((info.st_mode & S_IFMT) != op->type || info.st_rdev != makedev(op->major, op->minor))
		fail(0, "\"%s\" of the host is not the device %u:%u", op->source, op->major, op->minor);
	int target_fd = open_mount_target(op->target, 0);
	refuse_inside_proc(target_fd, op->target);
	if (sys_move_mount(tree_fd, target_fd) != 0)
		fail(errno, "bind device \"%s\"", op->target);
	close(tree_fd);
	close(target_fd);
}
