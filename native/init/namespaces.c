// SPDX-License-Identifier: Apache-2.0
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	uint32_t type;
	const char *name, *file;
} namespace_types[] = {{CLONE_NEWPID, "pid", "pid"}, {CLONE_NEWNET, "network", "net"}, {CLONE_NEWNS, "mount", "mnt"},
	{CLONE_NEWIPC, "ipc", "ipc"}, {CLONE_NEWUTS, "uts", "uts"}, {CLONE_NEWUSER, "user", "user"},
	{CLONE_NEWCGROUP, "cgroup", "cgroup"}, {CLONE_NEWTIME, "time", "time"}};
#define NAMESPACE_TYPES (sizeof namespace_types / sizeof *namespace_types)

static const char *namespace_name(uint32_t type)
{
	for (size_t i = 0; i < NAMESPACE_TYPES; i++)
		if (namespace_types[i].type == type)
			return namespace_types[i].name;
	return "unknown";
}

/** 1 if joined; 0 where it isn't permitted, but may be later. */
static int join_namespace(int fd, uint32_t type, const char *source, int may_be_later)
{
	if (setns(fd, (int)type) == 0)
		return 1;
	if (errno == EPERM && may_be_later)
		return 0;
	if (errno == EINVAL)
		fail(errno, "\"%s\" is not a %s namespace", source, namespace_name(type));
	fail(errno, "join %s namespace \"%s\"", namespace_name(type), source);
}

void do_join_namespaces(const struct op_join_namespaces *op)
{
	int fds[NAMESPACE_TYPES];
	uint32_t count = op->types.count;
	if (count > NAMESPACE_TYPES || count != op->sources.count)
		fail(EINVAL, "join %u namespaces", count);
	// All of them first: in another mount namespace their paths mean something else.
	for (uint32_t i = 0; i < count; i++)
		if ((fds[i] = open(op->sources.items[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
			fail(errno, "open namespace \"%s\"", op->sources.items[i]);
	int joins_user = 0;
	for (uint32_t i = 0; i < count; i++)
		joins_user |= op->types.items[i] == CLONE_NEWUSER;
	for (int turn = 0; turn <= joins_user; turn++)
		for (uint32_t i = 0; i < count; i++) {
			int is_user = op->types.items[i] == CLONE_NEWUSER;
			if (fds[i] < 0 || !join_namespace(fds[i], op->types.items[i], op->sources.items[i], turn == 0 && joins_user && !is_user))
				continue;
			close(fds[i]);
			fds[i] = -1;
		}
}

/**
 * The kernel moves a process that has one thread and moves itself (0, and cgroup v1's `tasks`) without its lock over
 * all forks and exits; taking that lock first waits for an RCU grace period, 10 ms and more on an idle machine.
 */
void do_join_cgroup(const struct op_join_cgroup *op)
{
	int directory_fd = open(op->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		fail(errno, "open cgroup \"%s\"", op->source);
	int fd = openat(directory_fd, "tasks", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		fd = openat(directory_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || write(fd, "0", 1) != 1)
		fail(errno, "join cgroup \"%s\"", op->source);
	close(fd);
	close(directory_fd);
}

/** What the kernel's answer to a whole set of flags means: which of them it has not. */
static void explain_unshare(uint32_t flags, int error)
{
	int proc_fd = open_host_proc();
	for (size_t i = 0; i < NAMESPACE_TYPES; i++) {
		if (!(flags & namespace_types[i].type))
			continue;
		char path[32];
		snprintf(path, sizeof path, "self/ns/%s", namespace_types[i].file);
		if (error == EINVAL && faccessat(proc_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			fail(0, "linux.namespaces: this kernel has no %s namespaces", namespace_types[i].name);
	}
	if (error == ENOSPC)
		fail(error, "make namespaces 0x%x: a limit in /proc/sys/user is reached", flags);
	fail(error, "make namespaces 0x%x", flags);
}

void do_unshare(const struct op_unshare *op)
{
	if (unshare((int)op->flags) != 0)
		explain_unshare(op->flags, errno);
}

void do_time_offsets(const struct op_time_offsets *op)
{
	int proc_fd = open_host_proc();
	int fd = openat(proc_fd, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
	size_t size = strlen(op->text);
	if (fd < 0 || write(fd, op->text, size) != (ssize_t)size)
		fail(errno, "set time namespace offsets");
	close(fd);
	close(proc_fd);
}

/**
 * A process can't move itself into another pid namespace, only its next child. CLONE_PARENT makes that child a child
 * of the host side, which goes on with it; this process tells its pid and ends.
 */
void do_fork(const struct op_fork *op)
{
	long pid = syscall(SYS_clone, (unsigned long)op->flags | CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		fail(errno, "fork into the new namespaces");
	if (pid > 0) {
		send_message(MESSAGE_FORKED, (uint32_t)pid, -1);
		_exit(0);
	}
	// The parent was the leader of its session; only a leader can have a terminal.
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || setsid() < 0)
		fail(errno, "make a session");
}

void do_set_ids_in_userns(void)
{
	open_sources_ahead();
	if (sys_set_gid(0) != 0 || sys_set_uid(0) != 0)
		fail(errno, "become root of the user namespace");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		fail(errno, "hide the process");
}
