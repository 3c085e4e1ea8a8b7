// SPDX-License-Identifier: Apache-2.0
// Mounts, by the mount API that works on descriptors: a mount gets its attributes while it is still detached, so there
// is no moment in which it is visible without them, and it is attached to what was opened, not to what a path means
// by then.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MS_RDONLY
#define MS_RDONLY 1
#define MS_SYNCHRONOUS 16
#define MS_MANDLOCK 64
#define MS_DIRSYNC 128
#define MS_REC 16384
#define MS_SILENT 32768
#define MS_LAZYTIME (1 << 25)
#endif

static void set_attributes(int fd, const char *what, unsigned flags, struct mount_attr attributes)
{
	if ((attributes.attr_set | attributes.attr_clr | attributes.propagation) == 0)
		return;
	if (sys_mount_setattr(fd, flags, &attributes) != 0)
		fail(errno, "set mount attributes of \"%s\"", what);
}

static void set_propagation(int fd, const char *what, uint32_t propagation)
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

static void configure(int fs_fd, const char *type, const char *datum)
{
	char key[256];
	const char *equals = strchr(datum, '=');
	long result;
	if (equals == NULL) {
		result = syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_FLAG, datum, NULL, 0);
	} else {
		size_t length = (size_t)(equals - datum);
		if (length >= sizeof key)
			fail(ENAMETOOLONG, "%s option \"%.64s...\"", type, datum);
		memcpy(key, datum, length);
		key[length] = 0;
		result = syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0);
	}
	if (result != 0)
		fail(errno, "%s option \"%.200s\"", type, datum);
}

/** The kernel's own words on why a file system refused its options: "e" messages on the context's descriptor. */
static void read_kernel_message(int fs_fd, char text[256])
{
	ssize_t size = read(fs_fd, text, 255);
	text[size > 0 ? size : 0] = 0;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

static int create_filesystem(const struct op_mount_filesystem *op)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} super_flags[] = {{MS_RDONLY, "ro"}, {MS_SYNCHRONOUS, "sync"}, {MS_MANDLOCK, "mand"}, {MS_DIRSYNC, "dirsync"}, {MS_LAZYTIME, "lazytime"}};
	int fs_fd = (int)syscall(SYS_fsopen, op->type, FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		fail(errno, "file system type \"%s\"", op->type);
	if (op->source[0] != 0 && syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, "source", op->source, 0) != 0)
		fail(errno, "%s source \"%s\"", op->type, op->source);
	for (size_t i = 0; i < sizeof super_flags / sizeof *super_flags; i++)
		if (op->superFlags & super_flags[i].flag)
			configure(fs_fd, op->type, super_flags[i].name);
	for (uint32_t i = 0; i < op->data.count; i++)
		configure(fs_fd, op->type, op->data.items[i]);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) {
		int error = errno;
		char reason[256];
		read_kernel_message(fs_fd, reason);
		fail(error, "mount %s \"%s\" at \"%s\"%s%s", op->type, op->source, op->target, *reason ? ": kernel: " : "", reason);
	}
	int mount_fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, (unsigned)op->attributes);
	if (mount_fd < 0)
		fail(errno, "mount %s at \"%s\"", op->type, op->target);
	close(fs_fd);
	return mount_fd;
}

/** Where a view of the kernel goes. A link would leave the real /proc without its masks (CVE-2019-19921, CVE-2023-27561). */
static int open_kernel_view_target(const char *type, const char *target)
{
	int fd = open_plain_directory(target);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		fail(0, "%s at \"%s\" must be mounted on ordinary directory", type, target);
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", target);
	refuse_root(fd, target);
	return fd;
}

void do_mount_filesystem(const struct op_mount_filesystem *op)
{
	int is_kernel_view = strcmp(op->type, "proc") == 0 || strcmp(op->type, "sysfs") == 0;
	int target_fd = is_kernel_view ? open_kernel_view_target(op->type, op->target) : open_mount_target(op->target, 1);
	refuse_inside_proc(target_fd, op->target);
	int mount_fd = create_filesystem(op);
	set_propagation(mount_fd, op->target, op->propagation);
	if (sys_move_mount(mount_fd, target_fd) != 0)
		fail(errno, "attach %s at \"%s\"", op->type, op->target);
	close(mount_fd);
	close(target_fd);
}

int open_source(const char *source, int recursive)
{
	int fd = sys_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0));
	if (fd < 0)
		fail(errno, "bind mount source \"%s\"", source);
	return fd;
}

void open_sources_ahead(void)
{
	for (size_t i = 0; i < init.plan.count; i++) {
		struct operation *operation = &init.plan.operations[i];
		if (operation->code == OP_MOUNT_BIND) {
			const struct op_mount_bind *op = operation->fields;
			operation->source_fd = open_source(op->source, op->recursive != 0);
		} else if (operation->code == OP_BIND_DEVICE) {
			const struct op_bind_device *op = operation->fields;
			operation->source_fd = open_source(op->source, 0);
		}
	}
}

void do_mount_bind(const struct op_mount_bind *op, int source_fd)
{
	int tree_fd = source_fd >= 0 ? source_fd : open_source(op->source, op->recursive != 0);
	struct stat info;
	if (fstat(tree_fd, &info) != 0)
		fail(errno, "stat \"%s\"", op->source);
	set_attributes(tree_fd, op->target, AT_RECURSIVE,
		(struct mount_attr){.attr_set = op->recursiveSet, .attr_clr = op->recursiveClear});
	set_attributes(tree_fd, op->target, 0, (struct mount_attr){.attr_set = op->attributesSet, .attr_clr = op->attributesClear});
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
	close(tree_fd);
	close(target_fd);
}

void do_remount(const struct op_remount *op)
{
	int fd = open_in_root(op->target, O_PATH, 0);
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", op->target);
	set_attributes(fd, op->target, 0, (struct mount_attr){.attr_set = op->attributesSet, .attr_clr = op->attributesClear});
	set_propagation(fd, op->target, op->propagation);
	close(fd);
}

/** The one empty, read-only file system that hides every masked directory; cloned for each after the first. */
static int clone_empty_tree(void)
{
	if (init.empty_fd >= 0)
		return sys_open_tree(init.empty_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	static const char *no_data[] = {"nr_blocks=1", "nr_inodes=1", "mode=755", NULL};
	struct op_mount_filesystem empty = {
		.type = "tmpfs", .source = "tmpfs", .target = "masked", .data = {no_data, 3}, .superFlags = MS_RDONLY,
		.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	init.empty_fd = create_filesystem(&empty);
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

void do_mask_path(const struct op_mask_path *op)
{
	int target_fd = open_in_root(op->target, O_PATH, 0);
	if (target_fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return;
		fail(errno, "open \"%s\" below the root", op->target);
	}
	refuse_root(target_fd, op->target);
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
	int target_fd = open_in_root(op->target, O_PATH, 0);
	if (target_fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return;
		fail(errno, "open \"%s\" below the root", op->target);
	}
	refuse_root(target_fd, op->target);
	int tree_fd = sys_open_tree(target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree_fd < 0)
		fail(errno, "make \"%s\" read-only", op->target);
	set_attributes(tree_fd, op->target, AT_RECURSIVE, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY});
	if (sys_move_mount(tree_fd, target_fd) != 0)
		fail(errno, "make \"%s\" read-only", op->target);
	close(tree_fd);
	close(target_fd);
}
