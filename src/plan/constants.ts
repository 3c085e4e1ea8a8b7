// SPDX-License-Identifier: Apache-2.0
// Numbers of the kernel's interface (include/uapi/linux) that plans are made of.

/** clone(2), unshare(2), setns(2). */
export const CLONE_NEWTIME = 0x80;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

/** mount_setattr(2), fsmount(2). The three access time modes are values of one field, not bits. */
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
export const MOUNT_ATTR_NOATIME = 0x10;
export const MOUNT_ATTR_STRICTATIME = 0x20;
export const MOUNT_ATTR__ATIME = 0x70;
export const MOUNT_ATTR_NODIRATIME = 0x80;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000;

/** mount(2): flags of a file system's super block. */
export const MS_RDONLY = 0x1;
export const MS_SYNCHRONOUS = 0x10;
export const MS_MANDLOCK = 0x40;
export const MS_DIRSYNC = 0x80;
export const MS_SILENT = 0x8000;
export const MS_POSIXACL = 0x10000;
export const MS_I_VERSION = 0x800000;
export const MS_LAZYTIME = 0x2000000;

/** mount(2): propagation. */
export const MS_REC = 0x4000;
export const MS_UNBINDABLE = 0x20000;
export const MS_PRIVATE = 0x40000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;

/** mknod(2): file types. */
export const S_IFIFO = 0o10000;
export const S_IFCHR = 0o20000;
export const S_IFBLK = 0o60000;
