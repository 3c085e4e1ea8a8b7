// SPDX-License-Identifier: Apache-2.0
// Mounts, by the mount API that works on descriptors: a mount gets its attributes while it is still detached, so there
// is no moment in which it is visible without them, and it is attached to what was opened, not to what a path means
// by then.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

void set_attributes(int fd, const char *what, unsigned flags, struct mount_attr attributes)
{
	if ((attributes.attr_set | attributes.attr_clr | attributes.propagation) == 0)
		return;
	if (sys_mount_setattr(fd, flags, &attributes) != 0)
		fail(errno, "set mount attributes of \"%s\"", what);
}

void set_propagation(int fd, const char *what, uint32_t propagation)
{
	set_attributes(fd, what, propagation & MS_REC ? AT_RECURSIVE : 0,
		(struct mount_attr){.propagation = propagation & ~(uint32_t)(MS_REC | MS_SILENT)});
}

void do_set_propagation(const struct op_set_propagation *op)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(errno, "open \"/\"");
	set_propagation(fd, "/", op->flags);
	close(fd);
}

/** The files of a procfs that a container may see replaced (LXCFS and the like); the same as runc's. */
static int is_replaceable_proc_file(const char *path)
{
	static const char *const names[] = {"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"net/dev", "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"};
	if (strncmp(path, "/proc/", 6) != 0)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(path + 6, names[i]) == 0)
			return 1;
	return 0;
}

/**
 * A mount inside a procfs would let the container answer what the runtime writes and reads there: labels, sysctls
 * (CVE-2019-16884, CVE-2023-28642, CVE-2025-52881). `target_fd` is what the path was resolved to.
 */
void refuse_inside_proc(int target_fd, const char *target)
{
	struct statfs info;
	if (fstatfs(target_fd, &info) != 0)
		fail(errno, "stat \"%s\"", target);
	if (info.f_type == PROC_SUPER_MAGIC && !is_replaceable_proc_file(target))
		fail(0, "\"%s\" cannot be mounted because it is inside /proc", target);
}

void do_mount_bind(const struct operation *operation)
{
	const struct op_mount_bind *op = operation->fields;
	int tree_fd = take_source(operation, op->source, op->recursive != 0, op->handed);
	struct stat info;
	if (fstat(tree_fd, &info) != 0)
		fail(errno, "stat \"%s\"", op->source);
	set_attributes(tree_fd, op->target, 0, (struct mount_attr){.attr_set = op->attributesSet, .attr_clr = op->attributesClear});
	set_attributes(tree_fd, op->target, AT_RECURSIVE,
		(struct mount_attr){.attr_set = op->recursiveSet, .attr_clr = op->recursiveClear});
	set_propagation(tree_fd, op->target, op->propagation);
	int is_kernel_view = strcmp(op->target, "/proc") == 0 || strcmp(op->target, "/sys") == 0;
	int target_fd = is_kernel_view ? open_kernel_view_target("bind", op->target) : open_mount_target(op->target, S_ISDIR(info.st_mode));
	struct statfs source_info;
	if (fstatfs(tree_fd, &source_info) != 0)
		fail(errno, "stat \"%s\"", op->source);
	// /proc of the host at /proc itself is what a container without its own pid namespace has; anything deeper is not.
	if (!(source_info.f_type == PROC_SUPER_MAGIC && strcmp(op->target, "/proc") == 0))
		refuse_inside_proc(target_fd, op->target);
	if (sys_move_mount(tree_fd, target_fd) != 0)
		fail(errno, "bind mount \"%s\" at \"%s\"", op->source, op->target);
	release_mount(tree_fd);
	close(target_fd);
}

/** In a detached root the kernel lets nobody change what is attached: a changed copy goes over it. */
static int copy_for_change(int target_fd, const char *target)
{
	int copy_fd = sys_open_tree(target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	if (copy_fd < 0)
		fail(errno, "copy the mount at \"%s\"", target);
	return copy_fd;
}

void do_remount(const struct op_remount *op)
{
	int target_fd = open_in_root(op->target, O_PATH, 0);
	if (target_fd < 0)
		fail(errno, "open \"%s\" below the root", op->target);
	int fd = init.root_detached ? copy_for_change(target_fd, op->target) : target_fd;
	set_attributes(fd, op->target, 0, (struct mount_attr){.attr_set = op->attributesSet, .attr_clr = op->attributesClear});
	set_attributes(fd, op->target, AT_RECURSIVE,
		(struct mount_attr){.attr_set = op->recursiveSet, .attr_clr = op->recursiveClear});
	set_propagation(fd, op->target, op->propagation);
	if (fd != target_fd) {
		if (sys_move_mount(fd, target_fd) != 0)
			fail(errno, "attach the changed mount at \"%s\"", op->target);
		close(fd);
	}
	close(target_fd);
}
