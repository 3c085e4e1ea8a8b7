// SPDX-License-Identifier: Apache-2.0
// Starts edgerun-init with a plan, and the host side of its messages. docs/architecture.md draws the handshake.
#include "../wire/wire.h"
#include "gen/plan.h"
#include "host.h"
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
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

int er_host_closes_inherited;

/** edgerun-init, carried in the binary (native/core/init_elf.S). */
extern const char er_init_elf[];
extern const uint32_t er_init_elf_size;

int er_encode_plan(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const uint32_t *words = args[0].words.items;
	size_t word_count = args[0].words.count;
	const struct er_bytes *blobs = args[1].list.items;
	size_t blob_count = args[1].list.count;

	uint64_t total = sizeof(struct plan_header) + 4ull * word_count + 4ull * blob_count;
	for (size_t i = 0; i < blob_count; i++)
		total += (uint64_t)blobs[i].size + 1;
	if (total > PLAN_MAX_BYTES)
		return er_fail(error, 0, "the plan has %llu bytes, more than the %u that are allowed", (unsigned long long)total, PLAN_MAX_BYTES);
	char *out = malloc(total);
	if (out == NULL)
		return er_fail(error, errno, "encode the plan");
	struct plan_header header = {PLAN_MAGIC, PLAN_VERSION, (uint32_t)total, (uint32_t)word_count, (uint32_t)blob_count};
	memcpy(out, &header, sizeof header);
	char *at = out + sizeof header;
	if (word_count > 0)
		memcpy(at, words, 4 * word_count);
	at += 4 * word_count;
	for (size_t i = 0; i < blob_count; i++, at += 4) {
		uint32_t size = (uint32_t)blobs[i].size;
		memcpy(at, &size, 4);
	}
	for (size_t i = 0; i < blob_count; i++) {
		if (blobs[i].size > 0)
			memcpy(at, blobs[i].data, blobs[i].size);
		at += blobs[i].size;
		*at++ = 0;
	}
	result->owned = out;
	result->size = total;
	return 0;
}

/** A memfd with the bytes, at a descriptor number of at least `lowest`. */
static int make_memfd(const char *name, unsigned flags, const char *data, size_t size, int lowest)
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
	int fd = make_memfd("edgerun-init", MFD_ALLOW_SEALING | MFD_EXEC, er_init_elf, er_init_elf_size, lowest);
	if (fd >= 0 && (fchmod(fd, 0555) != 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/** The listening socket on which a created container waits for `start`. */
static int make_start_socket(const char *path, int lowest)
{
	er_auto_close int directory_fd = -1;
	struct sockaddr_un address;
	if (er_unix_address(path, &address, &directory_fd) != 0)
		return -1;
	er_auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, lowest);
}

/** What the new process needs between clone and exec. It shares our memory: it only makes system calls. */
struct child {
	int init_fd, plan_fd, control_fd, start_fd;
	unsigned first_closed;
	int in_user_namespace;
	char *arguments[5];
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
	const int kept[] = {child->plan_fd, child->control_fd, child->start_fd};
	char *const no_environment[] = {NULL};
	if (syscall(SYS_close_range, child->first_closed, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
		goto failed;
	for (unsigned fd = 0; er_host_closes_inherited && fd < child->first_closed; fd++)
		fcntl((int)fd, F_SETFD, 0);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (kept[i] >= 0 && fcntl(kept[i], F_SETFD, 0) != 0)
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

/**
 * Clones the process that becomes init. CLONE_VM|CLONE_VFORK: nothing of us is copied (a fork of a Node process costs
 * milliseconds), and it works from a process with threads.
 */
static pid_t clone_child(struct child *child, int clone_flags, int *pidfd)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	sigset_t all;
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &child->signals) != 0)
		return -1;
	sigset_t inherited = child->signals;
	pid_t pid = clone(run_child, stack + sizeof stack, clone_flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child, pidfd);
	int saved = errno;
	sigprocmask(SIG_SETMASK, &inherited, NULL);
	errno = saved;
	return pid;
}

int er_launch_init(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const struct er_bytes plan = args[0].bytes;
	const int clone_flags = (int)args[1].number;
	const int lowest = 3 + (int)args[2].number; // descriptors below belong to the container (--preserve-fds)
	const char *start_path = args[3].bytes.data;

	er_auto_close int host_control = -1;
	er_auto_close int init_control = -1;
	er_auto_close int start_fd = -1;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return er_fail(error, errno, "make the control socket of init");
	host_control = pair[0];
	init_control = fcntl(pair[1], F_DUPFD_CLOEXEC, lowest);
	close(pair[1]);
	er_auto_close int plan_fd = make_memfd("edgerun-plan", 0, plan.data, plan.size, lowest);
	er_auto_close int init_fd = make_init_executable(lowest);
	if (init_control < 0 || plan_fd < 0 || init_fd < 0)
		return er_fail(error, errno, "prepare init");
	if (start_path[0] != 0) {
		start_fd = make_start_socket(start_path, lowest);
		if (start_fd < 0)
			return er_fail(error, errno, "make start socket \"%s\"", start_path);
	}
	char numbers[3][16];
	snprintf(numbers[0], sizeof numbers[0], "%d", plan_fd);
	snprintf(numbers[1], sizeof numbers[1], "%d", init_control);
	snprintf(numbers[2], sizeof numbers[2], "%d", start_fd);
	struct child child = {
		.init_fd = init_fd, .plan_fd = plan_fd, .control_fd = init_control, .start_fd = start_fd,
		.first_closed = (unsigned)lowest,
		.in_user_namespace = (clone_flags & CLONE_NEWUSER) != 0,
		.arguments = {(char[]){"edgerun-init"}, numbers[0], numbers[1], numbers[2], NULL},
	};
	int pidfd = -1;
	pid_t pid = clone_child(&child, clone_flags, &pidfd);
	if (pid < 0)
		return er_fail(error, errno, "clone the container's process (namespaces 0x%x)", (unsigned)clone_flags);
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

static const char *message_name(uint32_t kind)
{
	switch (kind) {
	case MESSAGE_HOOKS:
		return "hooks";
	case MESSAGE_FORKED:
		return "forked";
	case MESSAGE_TERMINAL:
		return "terminal";
	case MESSAGE_READY:
		return "ready";
	case MESSAGE_FAILED:
		return "failed";
	}
	return "unknown";
}

/** Copies text into a JSON string body: init's texts hold names that the container chose. */
static void escape_json(char *out, size_t size, const char *text)
{
	size_t used = 0;
	for (; *text != 0 && used + 7 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			used += (size_t)snprintf(out + used, size - used, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			out[used++] = c < 0x80 ? ' ' : '?';
		else
			out[used++] = (char)c;
	}
	out[used] = 0;
}

static int receive(int fd, struct message *message, ssize_t *size, int *passed_fd)
{
	struct iovec part = {message, sizeof *message - 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary;
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	*size = ER_RETRY(recvmsg(fd, &packet, MSG_CMSG_CLOEXEC));
	// Once, where the other side ended without having read what we sent; what it sent before that comes after it.
	if (*size < 0 && errno == ECONNRESET)
		*size = ER_RETRY(recvmsg(fd, &packet, MSG_CMSG_CLOEXEC));
	if (*size < 0)
		return -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet); header != NULL; header = CMSG_NXTHDR(&packet, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(passed_fd, CMSG_DATA(header), sizeof(int));
	return 0;
}

int er_await_init(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int fd = (int)args[0].number;
	if (args[1].number >= 0) {
		struct pollfd watched = {.fd = fd, .events = POLLIN};
		int ready = (int)ER_RETRY(poll(&watched, 1, (int)args[1].number));
		if (ready <= 0)
			return er_fail(error, ready == 0 ? ETIMEDOUT : errno, "wait for init");
	}
	static struct message message;
	ssize_t size;
	int passed_fd = -1;
	if (receive(fd, &message, &size, &passed_fd) != 0)
		return er_fail(error, errno, "receive from init");
	const char *kind = "end"; // of file: init became the program, or died
	char text[2 * MESSAGE_TEXT_BYTES] = "";
	if (size > 0) {
		if ((size_t)size < MESSAGE_HEAD_BYTES)
			return er_fail(error, EPROTO, "receive from init");
		((char *)&message)[size] = 0;
		kind = message_name(message.kind);
		escape_json(text, sizeof text, (size_t)size > MESSAGE_HEAD_BYTES ? message.text : "");
	} else {
		message = (struct message){0};
	}
	char *json = NULL;
	int length = asprintf(&json, "{\"kind\":\"%s\",\"operation\":%u,\"errno\":\"%s\",\"value\":%u,\"fd\":%d,\"text\":\"%s\"}", kind,
		message.operation, message.error != 0 ? er_errno_name(message.error) : "", message.value, passed_fd, text);
	if (length < 0)
		return er_fail(error, ENOMEM, "receive from init");
	result->owned = json;
	result->size = (size_t)length;
	result->label = "message of init";
	return 0;
}

int er_tell_init(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	struct message message = {.kind = (uint32_t)args[1].number, .value = (uint32_t)args[2].number};
	if (ER_RETRY(send((int)args[0].number, &message, MESSAGE_HEAD_BYTES + 1, MSG_NOSIGNAL)) < 0)
		return er_fail(error, errno, "send to init");
	return 0;
}

int er_connect_start(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	int fd = er_unix_connect(path, SOCK_SEQPACKET, args[1].number);
	if (fd < 0)
		return er_fail(error, errno, "connect to start socket \"%s\"", path);
	result->ints[0] = fd;
	return 0;
}
