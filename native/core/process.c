// SPDX-License-Identifier: Apache-2.0
// Looking at, signalling, waiting for and limiting processes.
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#define MAX_STAT_BYTES 4096

int er_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int er_pidfd_send_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

pid_t er_clone_vfork(int (*run)(void *data), void *data, int flags, sigset_t *signals, int *pidfd)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	sigset_t all;
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, signals) != 0)
		return -1;
	sigset_t inherited = *signals;
	pid_t pid = clone(run, stack + sizeof stack, flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, data, pidfd);
	int saved = errno;
	sigprocmask(SIG_SETMASK, &inherited, NULL);
	errno = saved;
	return pid;
}

int er_exit_code(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/** What is used of /proc/PID/stat (proc(5)). */
struct process_stat {
	char state;
	int64_t parent;
	int64_t start_time; // clock ticks since boot
};

/**
 * The fields behind the process's name. The name is the process's own choice and may hold spaces and parentheses, so
 * the last ')' ends it: everything after it comes from the kernel.
 */
static int parse_stat(const char *text, struct process_stat *stat)
{
	const char *name_end = strrchr(text, ')');
	unsigned long long start_time = 0;
	long long parent = 0;
	char state = 0;
	// state (field 3) and ppid (4) are kept, 17 fields skipped, then starttime (22).
	if (name_end == NULL || sscanf(name_end + 1,
	                               " %c %lld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
	                               &state, &parent, &start_time) != 3) {
		errno = EBADMSG;
		return -1;
	}
	*stat = (struct process_stat){.state = state, .parent = parent, .start_time = (int64_t)start_time};
	return 0;
}

/** 0, or -1 with errno: ESRCH when there is no such process. */
static int read_stat(pid_t pid, struct process_stat *stat)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	er_auto_close int fd = ER_RETRY(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0) {
		if (errno == ENOENT)
			errno = ESRCH;
		return -1;
	}
	er_auto_free char *text = NULL;
	size_t size = 0;
	if (er_read_to_end(fd, MAX_STAT_BYTES, &text, &size) < 0)
		return -1;
	return parse_stat(text, stat);
}

/** The pid in an argument: 0 and negative ones mean groups of processes to the kernel, never to us. */
static int check_pid(int64_t number, pid_t *pid)
{
	if (number < 1 || number > INT_MAX) {
		errno = EINVAL;
		return -1;
	}
	*pid = (pid_t)number;
	return 0;
}

int er_process_info(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	pid_t pid;
	struct process_stat stat;
	if (check_pid(args[0].number, &pid) < 0 || read_stat(pid, &stat) < 0) {
		if (errno != ESRCH)
			return er_fail(error, errno, "read \"/proc/%lld/stat\"", (long long)args[0].number);
		result->is_null = 1;
		return 0;
	}
	result->ints[0] = stat.start_time;
	result->ints[1] = stat.state;
	result->ints[2] = stat.parent;
	result->count = 3;
	return 0;
}

int er_signal_process(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	long long number = args[0].number;
	pid_t pid;
	if (check_pid(number, &pid) < 0)
		return er_fail(error, errno, "signal \"pid %lld\"", number);
	// The descriptor first, then the comparison: were the pid given to another process in between, the comparison
	// fails; after it, the descriptor still means the process that was compared.
	er_auto_close int pidfd = er_pidfd_open(pid);
	if (pidfd < 0)
		return er_fail(error, errno, "signal \"pid %lld\"", number);
	struct process_stat stat;
	if (read_stat(pid, &stat) < 0)
		return er_fail(error, errno, "signal \"pid %lld\"", number);
	if (stat.start_time != args[1].number)
		return er_fail(error, ESRCH, "signal \"pid %lld\"", number);
	if (er_pidfd_send_signal(pidfd, (int)args[2].number) < 0)
		return er_fail(error, errno, "signal \"pid %lld\"", number);
	return 0;
}

int er_open_process(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int pidfd = er_pidfd_open((pid_t)args[0].number);
	if (pidfd < 0)
		return er_fail(error, errno, "open process \"%lld\"", (long long)args[0].number);
	result->ints[0] = pidfd;
	return 0;
}

int er_take_descriptor(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int fd = (int)syscall(SYS_pidfd_getfd, (int)args[0].number, (int)args[1].number, 0);
	if (fd < 0)
		return er_fail(error, errno, "take descriptor %lld of a process", (long long)args[1].number);
	result->ints[0] = fd; // close-on-exec
	return 0;
}

int er_wait_process(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	pid_t pid;
	int status = 0;
	if (check_pid(args[0].number, &pid) < 0 || ER_RETRY(waitpid(pid, &status, __WALL)) < 0)
		return er_fail(error, errno, "wait \"pid %lld\"", (long long)args[0].number);
	result->ints[0] = er_exit_code(status);
	return 0;
}

/** Decimal digits and nothing else, no leading zero, no more than 64 bits. */
static int parse_limit(struct er_bytes text, rlim64_t *limit)
{
	uint64_t value = 0;
	int valid = text.size > 0 && (text.size == 1 || text.data[0] != '0');
	for (size_t i = 0; valid && i < text.size; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
		valid = digit <= 9 && !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, digit, &value);
	}
	if (!valid) {
		errno = EINVAL;
		return -1;
	}
	*limit = value;
	return 0;
}

int er_set_resource_limit(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	pid_t pid;
	struct rlimit64 limit;
	if (check_pid(args[0].number, &pid) < 0 || parse_limit(args[2].bytes, &limit.rlim_cur) < 0 ||
	    parse_limit(args[3].bytes, &limit.rlim_max) < 0 ||
	    prlimit64(pid, (enum __rlimit_resource)args[1].number, &limit, NULL) < 0)
		return er_fail(error, errno, "prlimit \"resource %lld of pid %lld\"", (long long)args[1].number,
		               (long long)args[0].number);
	return 0;
}
