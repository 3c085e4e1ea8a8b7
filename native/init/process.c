// SPDX-License-Identifier: Apache-2.0
// Scheduling, the working directory, and the program.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/** As in sched_setattr(2); libc's headers don't have it. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void do_set_scheduler(const struct op_set_scheduler *op)
{
	struct scheduling attributes = {
		.size = sizeof attributes, .policy = op->policy, .flags = op->flags, .nice = (int32_t)op->nice,
		.priority = op->priority, .runtime = op->runtime, .deadline = op->deadline, .period = op->period};
	if (syscall(SYS_sched_setattr, 0, &attributes, 0u) != 0)
		fail(errno, "set scheduler policy %u", op->policy);
}

void do_set_io_priority(const struct op_set_io_priority *op)
{
	const int who_process = 1;
	if (syscall(SYS_ioprio_set, who_process, 0, (int)op->value) != 0)
		fail(errno, "set I/O priority");
}

void do_set_personality(const struct op_set_personality *op)
{
	if (personality(op->value) < 0)
		fail(errno, "set personality 0x%x", op->value);
}

void do_set_cpu_affinity(const struct op_set_cpu_affinity *op)
{
	if (syscall(SYS_sched_setaffinity, 0, op->cpus.count * sizeof(uint32_t), op->cpus.items) != 0)
		fail(errno, "process.execCPUAffinity: set the CPU affinity");
}

void do_set_memory_policy(const struct op_set_memory_policy *op)
{
	unsigned long nodes[64] = {0};
	const size_t size = op->nodes.count * sizeof(uint32_t);
	if (size > sizeof nodes)
		fail(EINVAL, "linux.memoryPolicy.nodes");
	// Copied: the kernel reads whole longs. Words of 32 bits are the same bit mask on a little-endian machine.
	memcpy(nodes, op->nodes.items, size);
	// One more than the number of bits: the kernel takes one off.
	if (syscall(SYS_set_mempolicy, op->mode, size == 0 ? NULL : nodes, size == 0 ? 0 : sizeof nodes * 8 + 1) != 0) {
		if (errno == ENOSYS)
			fail(0, "linux.memoryPolicy: this kernel has no memory policies");
		fail(errno, "linux.memoryPolicy: set memory policy 0x%x", op->mode);
	}
}

/** Nothing is made in the root any more; what the program names must not go by way of our descriptors. */
static void close_root(void)
{
	if (init.root_fd >= 0)
		close(init.root_fd);
	if (init.empty_fd >= 0)
		close(init.empty_fd);
	init.root_fd = init.empty_fd = -1;
}

void do_change_directory(const struct op_change_directory *op)
{
	if (op->retry && !init.directory_refused)
		return;
	close_root();
	init.directory_refused = 0;
	if (chdir(op->path) != 0) {
		// Some file systems refuse root what they give the user: NFS with root squashed, FUSE.
		if (!op->retry && errno == EACCES) {
			init.directory_refused = 1;
			return;
		}
		fail(errno, "chdir to cwd (\"%s\") set in config.json failed", op->path);
	}
	// A directory outside (through a leaked descriptor in /proc/self/fd) has no absolute path here (CVE-2024-21626).
	char path[4096];
	if (syscall(SYS_getcwd, path, sizeof path) < 0)
		fail(errno, "read the working directory");
	if (path[0] != '/')
		fail(0, "current working directory is outside of container mount namespace root -- possible container breakout detected");
}

/** 0 if `path` is a file that this process may execute, else the errno to report. */
static int check_executable(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return errno;
	if (S_ISDIR(info.st_mode))
		return EISDIR;
	// ENOSYS, EPERM: a seccomp filter that is loaded already is older than this call. execve will tell.
	if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) != 0 && errno != ENOSYS && errno != EPERM)
		return errno;
	return (info.st_mode & 0111) == 0 ? EACCES : 0;
}

void do_find_program(const struct op_find_program *op)
{
	if (strchr(op->name, '/') != NULL) {
		int error = check_executable(op->name);
		if (error != 0)
			fail(error, "exec: \"%s\"", op->name);
		if (strlen(op->name) >= sizeof init.program)
			fail(ENAMETOOLONG, "exec: \"%.200s...\"", op->name);
		strcpy(init.program, op->name);
		return;
	}
	int found_but = 0;
	for (const char *entry = op->searchPath; op->name[0] != 0 && entry != NULL;) {
		const char *colon = strchr(entry, ':');
		int length = colon == NULL ? (int)strlen(entry) : (int)(colon - entry);
		int used = snprintf(init.program, sizeof init.program, "%.*s%s%s", length, entry, length > 0 ? "/" : "./", op->name);
		if (used > 0 && (size_t)used < sizeof init.program) {
			int error = check_executable(init.program);
			if (error == 0)
				return;
			if (error == EACCES)
				found_but = error;
		}
		entry = colon == NULL ? NULL : colon + 1;
	}
	if (found_but != 0)
		fail(found_but, "exec: \"%s\"", op->name);
	fail(0, "exec: \"%s\": executable file not found in $PATH", op->name);
}

void do_close_descriptors(const struct op_close_descriptors *op)
{
	if (sys_close_range(op->first, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
		fail(errno, "close descriptors from %u on", op->first);
}

void do_set_listen_pid(void)
{
	snprintf(init.listen_pid, sizeof init.listen_pid, "LISTEN_PID=%d", (int)getpid());
}

_Noreturn void do_exec(const struct op_exec *op)
{
	const char *const added[] = {init.home, init.listen_pid};
	enum { ADDED = sizeof added / sizeof *added };
	const char *environment[op->env.count + ADDED + 1];
	memcpy(environment, op->env.items, op->env.count * sizeof *environment);
	size_t count = op->env.count;
	for (size_t i = 0; i < ADDED; i++)
		if (added[i][0] != 0)
			environment[count++] = added[i];
	environment[count] = NULL;
	execve(init.program, (char *const *)op->args.items, (char *const *)environment);
	fail(errno, "exec: \"%s\"", init.program);
}
