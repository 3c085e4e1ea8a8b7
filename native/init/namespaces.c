// SPDX-License-Identifier: Apache-2.0
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void do_join_namespace(const struct op_join_namespace *op)
{
	int fd = open(op->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		fail(errno, "open namespace \"%s\"", op->source);
	if (setns(fd, (int)op->type) != 0)
		fail(errno, "join namespace \"%s\"", op->source);
	close(fd);
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

void do_unshare(const struct op_unshare *op)
{
	if (unshare((int)op->flags) != 0)
		fail(errno, "unshare namespaces 0x%x", op->flags);
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
