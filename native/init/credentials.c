// SPDX-License-Identifier: Apache-2.0
// What the process may do: labels, seccomp, ids, capabilities.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

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

/** Names of the flags that kernels differ in, which answer EINVAL to those that they don't know. */
static _Noreturn void fail_to_load(const struct op_load_seccomp *op, int error)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG"},
		{SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{SECCOMP_FILTER_FLAG_NEW_LISTENER, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
		// The kernel takes it only with a listener.
		{SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
	};
	for (size_t i = 0; error == EINVAL && i < sizeof flags / sizeof *flags; i++)
		// Without a filter, a flag that is known gets as far as EFAULT.
		if ((op->flags & flags[i].flag) == flags[i].flag &&
			syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i].flag, NULL) != 0 && errno == EINVAL)
			fail(0, "load seccomp filter: this kernel does not support %s", flags[i].name);
	fail(error, "load seccomp filter");
}

/**
 * The filter is in force already, and may notify of any system call but write(2): nobody answers until the host side
 * has taken the listener and given it to the agent. Ours must be closed: an agent's end is noticed by the last one.
 */
static void hand_listener_over(int fd)
{
	struct message message = {.kind = MESSAGE_LISTENER, .value = (uint32_t)fd};
	if (write(init.control_fd, &message, MESSAGE_HEAD_BYTES + 1) < 0)
		_exit(125);
	await_message(MESSAGE_LISTENER_TAKEN);
	close(fd);
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
	long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->flags, &program);
	if (loaded < 0)
		fail_to_load(op, errno);
	if (op->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		hand_listener_over((int)loaded);
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

/**
 * Programs open /dev/stdout and /dev/stderr, which is to open their pipes anew: only the owner of a pipe may. Nothing
 * but a pipe changes its owner: stdio may be a file or a terminal of the host.
 */
static void hand_pipes_over(uint32_t uid)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat info;
		if (fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode) && info.st_uid != uid)
			(void)!fchown(fd, uid, (gid_t)-1); // EPERM: its owner has no id in our user namespace
	}
}

/** A seccomp filter that is loaded already may answer "done" to calls that it doesn't let through. */
static void verify_user(const struct op_set_user *op)
{
	uid_t uids[3] = {~op->uid, ~op->uid, ~op->uid};
	gid_t gids[3] = {~op->gid, ~op->gid, ~op->gid};
	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		fail(errno, "read the ids of the process");
	for (int i = 0; i < 3; i++)
		if (uids[i] != op->uid || gids[i] != op->gid)
			fail(0, "the ids of the process did not change to %u:%u: does the seccomp filter keep them?", op->uid, op->gid);
	if (!op->keepGroups && getgroups(0, NULL) != (int)op->groups.count)
		fail(0, "the supplementary groups did not change: does the seccomp filter keep them?");
}

/** After setresuid(2) capabilities are permitted, not effective: load_seccomp may come next, which needs one. */
static void make_permitted_effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets) != 0)
		fail(errno, "read capabilities");
	sets[0].effective = sets[0].permitted;
	sets[1].effective = sets[1].permitted;
	if (syscall(SYS_capset, &header, sets) != 0)
		fail(errno, "keep capabilities");
}

void do_set_user(const struct op_set_user *op)
{
	hand_pipes_over(op->uid);
	if (!op->keepGroups && sys_setgroups(op->groups.count, op->groups.items) != 0)
		fail(errno, "set %u supplementary groups", op->groups.count);
	// What launch.c raised for the way into a user namespace.
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		fail(errno, "clear ambient capabilities");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		fail(errno, "keep capabilities");
	if (sys_set_gid(op->gid) != 0)
		fail(errno, "set gid %u", op->gid);
	if (sys_set_uid(op->uid) != 0)
		fail(errno, "set uid %u", op->uid);
	verify_user(op);
	make_permitted_effective();
	umask((mode_t)op->umask);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		fail(errno, "hide the process");
}

/** As verify_user(): capset(2) that only seems to be done would leave the process every right there is. */
static void verify_capabilities(const struct __user_cap_data_struct wanted[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];
	for (int half = 0; half < 2; half++)
		sets[half] = (struct __user_cap_data_struct){~wanted[half].effective, ~wanted[half].permitted, ~wanted[half].inheritable};
	if (syscall(SYS_capget, &header, sets) != 0)
		fail(errno, "read capabilities");
	if (memcmp(sets, wanted, sizeof sets) != 0)
		fail(0, "the capabilities did not change: does the seccomp filter keep them?");
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
	verify_capabilities(sets);
	for (unsigned capability = 0; capability < 64; capability++)
		if (op->ambient >> capability & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
			fail(errno, "raise ambient capability %u", capability);
}
