// SPDX-License-Identifier: Apache-2.0
// createContainer and startContainer hooks: programs that run in the container's namespaces.
#include "init.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/** The text with @PID@ replaced by this process's pid on the host, in a memfd at its start. */
static int make_input(const char *text)
{
	int fd = (int)syscall(SYS_memfd_create, "hook-stdin", MFD_CLOEXEC);
	if (fd < 0)
		fail(errno, "make the input of a hook");
	const char *marker = strstr(text, "@PID@");
	int written = marker == NULL
		? dprintf(fd, "%s", text)
		: dprintf(fd, "%.*s%d%s", (int)(marker - text), text, (int)init.host_pid, marker + 5);
	if (written < 0 || lseek(fd, 0, SEEK_SET) != 0)
		fail(errno, "write the input of a hook");
	return fd;
}

/** Waits for the hook; kills its process group at the deadline. Returns 1 if it was killed for that. */
static int await_hook(pid_t pid, uint32_t timeout_ms, int *status)
{
	int timed_out = 0;
	if (timeout_ms > 0) {
		int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0)
			fail(errno, "watch a hook");
		struct pollfd watched = {.fd = pidfd, .events = POLLIN};
		if (poll(&watched, 1, (int)timeout_ms) == 0) {
			timed_out = 1;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
		close(pidfd);
	}
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			fail(errno, "wait for a hook");
	return timed_out;
}

void do_run_hook(const struct op_run_hook *op)
{
	int input_fd = make_input(op->input);
	int output_fd = (int)syscall(SYS_memfd_create, "hook-output", MFD_CLOEXEC);
	if (output_fd < 0)
		fail(errno, "make the output of a hook");
	pid_t pid = fork();
	if (pid < 0)
		fail(errno, "fork for a hook");
	if (pid == 0) {
		setpgid(0, 0);
		if (dup2(input_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
			_exit(126);
		sys_close_range(3, ~0u, 0);
		execve(op->path, (char *const *)op->args.items, (char *const *)op->env.items);
		dprintf(2, "exec \"%s\": %s", op->path, strerror(errno));
		_exit(127);
	}
	int status = 0;
	int timed_out = await_hook(pid, op->timeoutMs, &status);
	if (!timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		close(input_fd);
		close(output_fd);
		return;
	}
	char output[400];
	off_t end = lseek(output_fd, 0, SEEK_END);
	ssize_t size = pread(output_fd, output, sizeof output - 1, end > (off_t)sizeof output - 1 ? end - (off_t)sizeof output + 1 : 0);
	output[size > 0 ? size : 0] = 0;
	if (timed_out)
		fail(0, "error running %s hook #%u: \"%s\" did not end within %u ms", op->name, op->index, op->path, op->timeoutMs);
	if (WIFSIGNALED(status))
		fail(0, "error running %s hook #%u: \"%s\": killed by signal %d, output: %s", op->name, op->index, op->path, WTERMSIG(status), output);
	fail(0, "error running %s hook #%u: \"%s\": exit status %d, output: %s", op->name, op->index, op->path, WEXITSTATUS(status), output);
}
