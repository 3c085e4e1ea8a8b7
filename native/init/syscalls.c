// SPDX-License-Identifier: Apache-2.0
#include "init.h"
#include <linux/mount.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

// On 32-bit ARM and x86 the plain names are the calls with 16-bit ids: uid 65536 would become root.
#ifdef SYS_setresuid32
#define SETGROUPS SYS_setgroups32
#define SETRESGID SYS_setresgid32
#define SETRESUID SYS_setresuid32
#else
#define SETGROUPS SYS_setgroups
#define SETRESGID SYS_setresgid
#define SETRESUID SYS_setresuid
#endif

int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC);
}

int sys_move_mount(int from, int to)
{
	return (int)syscall(SYS_move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int sys_mount_setattr(int fd, unsigned flags, const struct mount_attr *attributes)
{
	return (int)syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attributes, sizeof *attributes);
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

int sys_setgroups(size_t count, const uint32_t *groups)
{
	return (int)syscall(SETGROUPS, count, groups);
}

int sys_set_gid(uint32_t gid)
{
	return (int)syscall(SETRESGID, gid, gid, gid);
}

int sys_set_uid(uint32_t uid)
{
	return (int)syscall(SETRESUID, uid, uid, uid);
}
