// SPDX-License-Identifier: Apache-2.0
// New file systems. Where the kernel takes it, by fsopen(2): the mount is made whole before it is attached. What only
// mount(2) can say is said so.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

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

int create_filesystem(const struct op_mount_filesystem *op, const char *mode)
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
	if (mode[0] != 0)
		configure(fs_fd, op->type, mode);
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

int open_kernel_view_target(const char *type, const char *target)
{
	int fd = open_plain_directory(target);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		fail(0, "%s at \"%s\" must be mounted on ordinary directory", type, target);
	if (fd < 0)
		fail(errno, "open \"%s\" below the root", target);
	refuse_root(fd, target);
	return fd;
}

/** The directory to mount on, made where missing; "mode=..." of one that was there where that is to be inherited. */
static int open_filesystem_target(const char *type, const char *target, int inherit_mode, char mode[16])
{
	mode[0] = 0;
	int is_kernel_view = strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
	int target_fd = -1;
	if (inherit_mode && (target_fd = open_in_root(target, O_PATH | O_DIRECTORY, 0)) >= 0) {
		struct stat info;
		if (fstat(target_fd, &info) != 0)
			fail(errno, "stat \"%s\" below the root", target);
		snprintf(mode, 16, "mode=%o", info.st_mode & 07777);
		refuse_root(target_fd, target);
	}
	if (target_fd < 0)
		target_fd = is_kernel_view ? open_kernel_view_target(type, target) : open_mount_target(target, 1);
	refuse_inside_proc(target_fd, target);
	return target_fd;
}

void do_mount_filesystem(const struct op_mount_filesystem *op)
{
	char mode[16];
	int target_fd = open_filesystem_target(op->type, op->target, op->inheritMode != 0, mode);
	int mount_fd = create_filesystem(op, mode);
	if (op->copyUp)
		copy_directory(target_fd, mount_fd, op->target);
	set_propagation(mount_fd, op->target, op->propagation);
	if (sys_move_mount(mount_fd, target_fd) != 0)
		fail(errno, "attach %s at \"%s\"", op->type, op->target);
	release_mount(mount_fd);
	close(target_fd);
}

/** The flags of mount(2) for MOUNT_ATTR_*. Without a mode of access times it means relatime, as there. */
static unsigned long mount_flags(uint64_t attributes)
{
	static const struct {
		uint64_t attribute;
		unsigned long flag;
	} table[] = {{MOUNT_ATTR_RDONLY, MS_RDONLY}, {MOUNT_ATTR_NOSUID, MS_NOSUID}, {MOUNT_ATTR_NODEV, MS_NODEV},
		{MOUNT_ATTR_NOEXEC, MS_NOEXEC}, {MOUNT_ATTR_NOATIME, MS_NOATIME}, {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
		{MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW}};
	unsigned long flags = 0;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (attributes & table[i].attribute)
			flags |= table[i].flag;
	return flags;
}

/** Adds an option to a list as mount(2) takes it; a value with commas of its own is put between quotes. */
static size_t append_datum(char *list, size_t size, size_t used, const char *datum)
{
	const char *value = strchr(datum, '=');
	int quoted = value != NULL && strchr(value, ',') != NULL && strchr(value, '\\') == NULL;
	int key_length = value == NULL ? 0 : (int)(value + 1 - datum);
	const char *separator = used == 0 ? "" : ",";
	int added = quoted ? snprintf(list + used, size - used, "%s%.*s\"%s\"", separator, key_length, datum, value + 1)
	                   : snprintf(list + used, size - used, "%s%s", separator, datum);
	if (added < 0 || used + (size_t)added >= size)
		fail(E2BIG, "mount options of more than %zu bytes: \"%.100s...\"", size - 1, datum);
	return used + (size_t)added;
}

void do_mount_by_flags(const struct op_mount_by_flags *op)
{
	static char list[4096]; // a page is what the kernel reads
	char mode[16];
	int target_fd = open_filesystem_target(op->type, op->target, op->inheritMode != 0, mode);
	size_t used = 0;
	for (uint32_t i = 0; i < op->data.count; i++)
		used = append_datum(list, sizeof list, used, op->data.items[i]);
	if (mode[0] != 0)
		append_datum(list, sizeof list, used, mode);
	// By way of the working directory: mount(2) takes no descriptor, and a path could lead elsewhere by now.
	if (fchdir(target_fd) != 0)
		fail(errno, "enter \"%s\" below the root", op->target);
	if (mount(op->source, ".", op->type, mount_flags(op->attributes) | op->superFlags, list) != 0)
		fail(errno, "mount %s \"%.200s\" at \"%s\"", op->type, op->source, op->target);
	if (chdir("/") != 0)
		fail(errno, "leave \"%s\"", op->target);
	if (op->copyUp) {
		int mount_fd = open_in_root(op->target, O_RDONLY | O_DIRECTORY, 0);
		if (mount_fd < 0)
			fail(errno, "open \"%s\" below the root", op->target);
		copy_directory(target_fd, mount_fd, op->target);
		close(mount_fd);
	}
	close(target_fd);
}

void do_reconfigure_filesystem(const struct op_reconfigure_filesystem *op)
{
	int target_fd = open_in_root(op->target, O_PATH, 0);
	if (target_fd < 0)
		fail(errno, "open \"%s\" below the root", op->target);
	int fs_fd = (int)syscall(SYS_fspick, target_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs_fd < 0)
		fail(errno, "remount \"%s\"", op->target);
	for (uint32_t i = 0; i < op->data.count; i++)
		configure(fs_fd, "remount", op->data.items[i]);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != 0) {
		int error = errno;
		char reason[256];
		read_kernel_message(fs_fd, reason);
		fail(error, "remount \"%s\"%s%s", op->target, *reason ? ": kernel: " : "", reason);
	}
	close(fs_fd);
	close(target_fd);
}
