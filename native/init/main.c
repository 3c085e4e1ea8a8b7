// SPDX-License-Identifier: Apache-2.0
// argv: the plan's memfd, the control socket. Started by native/core/launch.c only.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct init init = {.control_fd = -1, .start_fd = -1, .root_fd = -1, .empty_fd = -1};

/** What a caller's environment or shell left behind must not reach the container: ignored signals, mask, umask. */
static void reset_process_state(void)
{
	const struct {
		void *handler; // SIG_DFL
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} by_default = {0};
	// Not by libc, which keeps some signals to itself: the caller's libc may have ignored those.
	for (int number = 1; number < 65; number++)
		syscall(SYS_rt_sigaction, number, &by_default, NULL, sizeof by_default.mask);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	if (setsid() < 0) // no controlling terminal to push input into (CVE-2016-10124)
		fail(errno, "make a session");
}

static void carry_out(const struct operation *op)
{
	switch ((enum plan_code)op->code) {
	case OP_WAIT_GO:
		init.host_pid = (pid_t)await_message(MESSAGE_GO);
		return;
	case OP_JOIN_NAMESPACES:
		return do_join_namespaces(op->fields);
	case OP_UNSHARE:
		return do_unshare(op->fields);
	case OP_RECEIVE_PLAN:
		do_receive_plan();
	case OP_WAIT_CGROUPS:
		await_message(MESSAGE_CGROUPS);
		return;
	case OP_JOIN_CGROUP:
		return do_join_cgroup(op->fields);
	case OP_TIME_OFFSETS:
		return do_time_offsets(op->fields);
	case OP_FORK:
		return do_fork(op->fields);
	case OP_ANNOUNCE:
		return do_announce(op->fields);
	case OP_SET_IDS_IN_USERNS:
		return do_set_ids_in_userns();
	case OP_SET_PROPAGATION:
		return do_set_propagation(op->fields);
	case OP_OPEN_ROOT:
		return do_open_root(op->fields);
	case OP_MOUNT_FILESYSTEM:
		return do_mount_filesystem(op->fields);
	case OP_MOUNT_BIND:
		return do_mount_bind(op);
	case OP_RECEIVE_SOURCES:
		return do_receive_sources(op->fields);
	case OP_MOUNT_BY_FLAGS:
		return do_mount_by_flags(op->fields);
	case OP_REMOUNT:
		return do_remount(op->fields);
	case OP_RECONFIGURE_FILESYSTEM:
		return do_reconfigure_filesystem(op->fields);
	case OP_PREPARE_MOUNT_CHANGES:
		return do_prepare_mount_changes(op->fields);
	case OP_COMMIT_MOUNTS:
		do_commit_mounts();
	case OP_REMOVE_MOUNTS:
		do_remove_mounts(op->fields);
	case OP_MAKE_DIRECTORY:
		return do_make_directory(op->fields);
	case OP_MAKE_SYMLINK:
		return do_make_symlink(op->fields);
	case OP_MAKE_DEVICE:
		return do_make_device(op->fields);
	case OP_BIND_DEVICE:
		return do_bind_device(op);
	case OP_MASK_PATH:
		return do_mask_path(op->fields);
	case OP_READONLY_PATH:
		return do_readonly_path(op->fields);
	case OP_OPEN_TERMINAL:
		return do_open_terminal(op->fields);
	case OP_HOST_INTERFACES:
		return do_host_interfaces();
	case OP_HOST_HOOKS:
		return do_host_hooks();
	case OP_RUN_HOOK:
		return do_run_hook(op->fields);
	case OP_PIVOT_ROOT:
		return do_pivot_root(op->fields);
	case OP_CHROOT:
		return do_chroot();
	case OP_ROOT_ATTRIBUTES:
		return do_root_attributes(op->fields);
	case OP_SET_HOSTNAME:
		return do_set_hostname(op->fields);
	case OP_SET_DOMAINNAME:
		return do_set_domainname(op->fields);
	case OP_SET_SYSCTL:
		return do_set_sysctl(op->fields);
	case OP_BRING_LOOPBACK_UP:
		return do_bring_loopback_up();
	case OP_SESSION_KEYRING:
		return do_session_keyring(op->fields);
	case OP_SET_LSM_LABEL:
		return do_set_lsm_label(op->fields);
	case OP_NO_NEW_PRIVILEGES:
		return do_no_new_privileges();
	case OP_LOAD_SECCOMP:
		return do_load_seccomp(op->fields);
	case OP_SET_SCHEDULER:
		return do_set_scheduler(op->fields);
	case OP_SET_IO_PRIORITY:
		return do_set_io_priority(op->fields);
	case OP_SET_PERSONALITY:
		return do_set_personality(op->fields);
	case OP_SET_CPU_AFFINITY:
		return do_set_cpu_affinity(op->fields);
	case OP_SET_MEMORY_POLICY:
		return do_set_memory_policy(op->fields);
	case OP_LIMIT_CAPABILITY_BOUNDS:
		return do_limit_capability_bounds(op->fields);
	case OP_SET_USER:
		return do_set_user(op->fields);
	case OP_SET_CAPABILITIES:
		return do_set_capabilities(op->fields);
	case OP_CHANGE_DIRECTORY:
		return do_change_directory(op->fields);
	case OP_FIND_PROGRAM:
		return do_find_program(op->fields);
	case OP_SET_HOME:
		return do_set_home(op->fields);
	case OP_SET_LISTEN_PID:
		return do_set_listen_pid();
	case OP_READY:
		return do_ready();
	case OP_CLOSE_DESCRIPTORS:
		return do_close_descriptors(op->fields);
	case OP_EXIT:
		_exit(0);
	case OP_EXEC:
		do_exec(op->fields);
	}
	fail(EINVAL, "operation %u", op->code); // the decoder let through what nobody carries out
}

_Noreturn void carry_out_plan(void)
{
	for (size_t i = 0; i < init.plan.count; i++) {
		init.current = &init.plan.operations[i];
		carry_out(init.current);
	}
	init.current = NULL;
	fail(EINVAL, "the plan ends without exec");
}

static int descriptor_argument(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (end == text || *end != 0 || value < 0 || value > INT32_MAX)
		_exit(125);
	if (fcntl((int)value, F_SETFD, FD_CLOEXEC) != 0)
		_exit(125);
	return (int)value;
}

int main(int argc, char **argv)
{
	// First of all: what can see this process must not be able to open its descriptors or its memory (CVE-2016-9962).
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 125;
	// A container whose program is /proc/self/exe ends here: without its host side this program does nothing.
	if (argc != 3) {
		static const char text[] = "edgerun-init: only edgerun can start this program\n";
		(void)!write(2, text, sizeof text - 1);
		return 125;
	}
	prctl(PR_SET_NAME, "edgerun-init", 0, 0, 0);
	int plan_fd = descriptor_argument(argv[1]);
	init.control_fd = descriptor_argument(argv[2]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) // until `ready`; a host side that died before is noticed at `wait_go`
		fail(errno, "end with edgerun");
	reset_process_state();
	decode_plan(plan_fd, &init.plan);
	carry_out_plan();
}

_Noreturn void fail(int error, const char *format, ...)
{
	struct message message = {.kind = MESSAGE_FAILED, .error = error, .operation = init.current ? init.current->code : 0};
	va_list arguments;
	va_start(arguments, format);
	int used = vsnprintf(message.text, sizeof message.text, format, arguments);
	va_end(arguments);
	if (used < 0)
		used = 0;
	if (error != 0 && (size_t)used < sizeof message.text) {
		char reason[128];
		snprintf(reason, sizeof reason, "%s", strerror(error));
		if (reason[0] >= 'A' && reason[0] <= 'Z' && !(reason[1] >= 'A' && reason[1] <= 'Z'))
			reason[0] += 'a' - 'A';
		snprintf(message.text + used, sizeof message.text - (size_t)used, ": %s", reason);
	}
	take_back_mounts();
	size_t size = MESSAGE_HEAD_BYTES + strlen(message.text) + 1;
	(void)!write(init.control_fd, &message, size);
	_exit(125);
}
