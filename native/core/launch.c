// SPDX-License-Identifier: Apache-2.0
// Starts edgerun-init with a plan, and the host side of its messages. docs/architecture.md draws the handshake.
#include "../wire/wire.h"
#include "gen/plan.h"
#include "host.h"
#include "process.h"
#include "unix_socket.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

int er_host_closes_inherited;

/** edgerun-init, carried in the binary (native/core/init_elf.S). */
extern const char er_init_elf[];
extern const uint32_t er_init_elf_size;

int er_make_memfd(const char *name, unsigned flags, const char *data, size_t size, int lowest)
{
	er_auto_close int fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | flags);
	if (fd < 0 && errno == EINVAL && flags & MFD_EXEC) // before Linux 6.3 every memfd is executable
		fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | (flags & ~MFD_EXEC));
	if (fd < 0)
		return -1;
	for (size_t done = 0; done < size;) {
		ssize_t written = ER_RETRY(write(fd, data + done, size - done));
		if (written < 0)
			return -1;
		done += (size_t)written;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, lowest);
}

/** edgerun-init as an executable that nobody can change any more, whatever handle they get (CVE-2019-5736). */
static int make_init_executable(int lowest)
{
	int fd = er_make_memfd("edgerun-init", MFD_ALLOW_SEALING | MFD_EXEC, er_init_elf, er_init_elf_size, lowest);
	if (fd >= 0 && (fchmod(fd, 0555) != 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/** What the new process needs between clone and exec. It shares our memory: it only makes system calls. */
struct child {
	int init_fd, plan_fd, control_fd;
	unsigned first_closed;
	int in_user_namespace;
	char *arguments[4];
	sigset_t signals;
	int error;
};

/**
 * In a new user namespace a process has every capability, but until its id maps are written it is not root there, and
 * exec would take them all. Ambient capabilities stay (capabilities(7)).
 */
static int keep_capabilities_over_exec(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets) != 0)
		return -1;
	sets[0].inheritable = sets[0].permitted;
	sets[1].inheritable = sets[1].permitted;
	if (syscall(SYS_capset, &header, sets) != 0)
		return -1;
	for (unsigned capability = 0; capability < 64; capability++)
		if (sets[capability / 32].permitted >> capability % 32 & 1 &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
			return -1;
	return 0;
}

static int run_child(void *data)
{
	struct child *child = data;
	const int kept[] = {child->plan_fd, child->control_fd};
	char *const no_environment[] = {NULL};
	if (syscall(SYS_close_range, child->first_closed, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
		goto failed;
	for (unsigned fd = 0; er_host_closes_inherited && fd < child->first_closed; fd++)
		fcntl((int)fd, F_SETFD, 0);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (fcntl(kept[i], F_SETFD, 0) != 0)
			goto failed;
	if (child->in_user_namespace && keep_capabilities_over_exec() != 0)
		goto failed;
	if (sigprocmask(SIG_SETMASK, &child->signals, NULL) != 0)
		goto failed;
	syscall(SYS_execveat, child->init_fd, "", child->arguments, no_environment, AT_EMPTY_PATH);
failed:
	child->error = errno;
	_exit(125);
}

int er_launch_init(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const struct er_bytes plan = args[0].bytes;
	const int clone_flags = (int)args[1].number;
	const int lowest = 3 + (int)args[2].number; // descriptors below belong to the container (--preserve-fds)

	er_auto_close int host_control = -1;
	er_auto_close int init_control = -1;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return er_fail(error, errno, "make the control socket of init");
	host_control = pair[0];
	init_control = fcntl(pair[1], F_DUPFD_CLOEXEC, lowest);
	close(pair[1]);
	er_auto_close int plan_fd = er_make_memfd("edgerun-plan", 0, plan.data, plan.size, lowest);
	er_auto_close int init_fd = make_init_executable(lowest);
	if (init_control < 0 || plan_fd < 0 || init_fd < 0)
		return er_fail(error, errno, "prepare init");
	char numbers[2][16];
	snprintf(numbers[0], sizeof numbers[0], "%d", plan_fd);
	snprintf(numbers[1], sizeof numbers[1], "%d", init_control);
	struct child child = {
		.init_fd = init_fd, .plan_fd = plan_fd, .control_fd = init_control,
		.first_closed = (unsigned)lowest,
		.in_user_namespace = (clone_flags & CLONE_NEWUSER) != 0,
		.arguments = {(char[]){"edgerun-init"}, numbers[0], numbers[1], NULL},
	};
	int pidfd = -1;
	pid_t pid = er_clone_vfork(run_child, &child, clone_flags, &child.signals, &pidfd);
	if (pid < 0) {
		const char *hint = errno == ENOSPC ? ": a limit in /proc/sys/user is reached"
			: errno == EINVAL ? ": this kernel lacks one of them" : "";
		return er_fail(error, errno, "clone the container's process: linux.namespaces 0x%x%s", (unsigned)clone_flags, hint);
	}
	if (child.error != 0) {
		close(pidfd);
		waitpid(pid, NULL, 0);
		return er_fail(error, child.error, "execute init");
	}
	result->ints[0] = pid;
	result->ints[1] = host_control;
	result->ints[2] = pidfd;
	result->count = 3;
	host_control = -1; // handed to the caller
	return 0;
}
