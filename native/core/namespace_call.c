// SPDX-License-Identifier: Apache-2.0
#include "namespace_call.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"

/** One child at a time: all host functions are called by one thread. */
static char child_stack[64 << 10] __attribute__((aligned(16)));

struct call {
	int namespace_fd, type;
	int (*function)(void *);
	void *argument;
	int result, error;
};

static int run_call(void *data)
{
	struct call *call = data;
	call->result = -1;
	if (setns(call->namespace_fd, call->type) == 0)
		call->result = call->function(call->argument);
	call->error = errno;
	_exit(0);
}

/** clone(2) with every signal blocked in the child: no handler of ours runs there. */
static pid_t clone_quietly(int (*function)(void *), int flags, void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &before) != 0)
		return -1;
	pid_t pid = clone(function, child_stack + sizeof child_stack, flags | SIGCHLD, argument);
	int saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

int er_call_in_namespace(int namespace_fd, int type, int (*function)(void *), void *argument)
{
	struct call call = {.namespace_fd = namespace_fd, .type = type, .function = function, .argument = argument, .error = ECHILD};
	pid_t pid = clone_quietly(run_call, CLONE_VM | CLONE_VFORK | CLONE_FILES, &call);
	if (pid < 0 || ER_RETRY(waitpid(pid, NULL, __WALL)) < 0)
		return -1;
	errno = call.error;
	return call.result;
}

/** Keeps a user namespace alive until it has been opened. */
static int hold_namespace(void *unused)
{
	(void)unused;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
		pause(); // for ever: every signal but SIGKILL is blocked
	_exit(125);
}

static int write_map(pid_t pid, const char *file, const char *map)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	er_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(map);
	return fd >= 0 && write(fd, map, size) == (ssize_t)size ? 0 : -1;
}

int er_make_user_namespace(const char *uid_map, const char *gid_map)
{
	pid_t pid = clone_quietly(hold_namespace, CLONE_VM | CLONE_NEWUSER, NULL);
	if (pid < 0)
		return -1;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	int fd = -1;
	if (write_map(pid, "uid_map", uid_map) == 0 && write_map(pid, "gid_map", gid_map) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	int saved = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	errno = saved;
	return fd;
}

int er_open_namespace(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	er_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return er_fail(error, errno, "open namespace \"%s\"", path);
	if (ioctl(fd, NS_GET_NSTYPE) < 0)
		return er_fail(error, EINVAL, "\"%s\" is no namespace", path);
	result->ints[0] = fd;
	fd = -1; // handed to the caller
	return 0;
}
