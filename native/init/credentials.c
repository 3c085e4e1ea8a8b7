// SPDX-License-Identifier: Apache-2.0
// What the process may do: keys, labels, seccomp, ids, capabilities.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void do_session_keyring(const struct op_session_keyring *op)
{
	// ENOSYS: the kernel has no keyrings, so there is none to share with the host.
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, op->name) < 0 && errno != ENOSYS)
		fail(errno, "make session keyring \"%s\"", op->name);
}

void do_set_lsm_label(const struct op_set_lsm_label *op)
{
	int proc_fd = open_host_proc();
	char path[128];
	snprintf(path, sizeof path, "thread-self/attr/%s", op->attribute);
	struct open_how how = {.flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof how);
	size_t size = strlen(op->label);
	if (fd < 0 || write(fd, op->label, size) != (ssize_t)size)
		fail(errno, "set security label \"%s\"", op->label);
	close(fd);
	close(proc_fd);
}

void do_no_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail(errno, "set no_new_privs");
}

void do_load_seccomp(const struct op_load_seccomp *op)
{
	if (op->filter.size == 0 || op->filter.size % sizeof(struct sock_filter) != 0)
		fail(EINVAL, "seccomp filter of %u bytes", op->filter.size);
	// Copied: blobs are not aligned.
	static struct sock_filter instructions[BPF_MAXINSNS];
	if (op->filter.size > sizeof instructions)
		fail(E2BIG, "seccomp filter of %u bytes", op->filter.size);
	memcpy(instructions, op->filter.data, op->filter.size);
	struct sock_fprog program = {(unsigned short)(op->filter.size / sizeof(struct sock_filter)), instructions};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->flags, &program) != 0)
		fail(errno, "load seccomp filter");
}

void do_limit_capability_bounds(const struct op_limit_capability_bounds *op)
{
	for (unsigned capability = 0; capability < 64; capability++) {
		if (op->bounding >> capability & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
			if (errno == EINVAL)
				return; // past the last one that this kernel knows
			fail(errno, "drop capability %u from the bounding set", capability);
		}
	}
}

void do_set_user(const struct op_set_user *op)
{
	if (!op->keepGroups) {
		gid_t groups[op->groups.count + 1];
		for (uint32_t i = 0; i < op->groups.count; i++)
			groups[i] = op->groups.items[i];
		if (syscall(SYS_setgroups, (size_t)op->groups.count, groups) != 0)
			fail(errno, "set %u supplementary groups", op->groups.count);
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		fail(errno, "keep capabilities");
	if (syscall(SYS_setresgid, op->gid, op->gid, op->gid) != 0)
		fail(errno, "set gid %u", op->gid);
	if (syscall(SYS_setresuid, op->uid, op->uid, op->uid) != 0)
		fail(errno, "set uid %u", op->uid);
	umask((mode_t)op->umask);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void do_set_capabilities(const struct op_set_capabilities *op)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];
	for (int half = 0; half < 2; half++)
		sets[half] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(op->effective >> 32 * half),
			.permitted = (uint32_t)(op->permitted >> 32 * half),
			.inheritable = (uint32_t)(op->inheritable >> 32 * half),
		};
	if (syscall(SYS_capset, &header, sets) != 0)
		fail(errno, "set capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		fail(errno, "clear ambient capabilities");
	for (unsigned capability = 0; capability < 64; capability++)
		if (op->ambient >> capability & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
			fail(errno, "raise ambient capability %u", capability);
}
