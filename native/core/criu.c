// SPDX-License-Identifier: Apache-2.0
// Starting criu(8) as a server of one connection (`criu swrk`), and the packets of that connection. What is in them
// is the brain's business (src/checkpoint/messages.ts).
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"
#include "process.h"

/** The server's end of the connection, as told to it on its command line; the files follow it. */
#define CONNECTION_FD 3
#define MAX_FILES 8
/** The server sends small messages; the longest hold the text of an error. */
#define MAX_PACKET_BYTES (64 << 10)

/**
 * Runs between clone and exec, in our memory: the sanitizer would keep books of a stack that is left without a return.
 */
#define IN_CHILD __attribute__((no_sanitize_address))

/** What the new process needs between clone and exec. It shares our memory: it only makes system calls. */
struct child {
	const char *path;
	char *const *environment;
	int null_fd; // replaces stdio, or -1: it has ours
	int transfer_fd;
	const struct er_bytes *files;
	size_t file_count;
	const char *root, *root_target; // "": it stays in our mount namespace
	sigset_t signals;
	const char *failed, *object;
	int error;
};

IN_CHILD static int send_descriptor(int socket_fd, int fd)
{
	struct iovec part = {"", 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return sendmsg(socket_fd, &packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/**
 * The new process makes the connection, and hands one end to us: the server takes the descriptors that requests name
 * out of the process that made it (SO_PEERCRED), and they must be of its own mount namespace.
 */
IN_CHILD static int connect_to_parent(const struct child *child)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || send_descriptor(child->transfer_fd, pair[0]) != 0)
		return -1;
	// Out of the way of the numbers that are given out below.
	int copy = fcntl(pair[1], F_DUPFD_CLOEXEC, CONNECTION_FD + 1 + MAX_FILES);
	return copy < 0 ? -1 : dup2(copy, CONNECTION_FD);
}

IN_CHILD static int place_stdio(const struct child *child)
{
	for (int fd = 0; fd < CONNECTION_FD; fd++) {
		if (child->null_fd >= 0 ? dup2(child->null_fd, fd) < 0 : er_host_closes_inherited && fcntl(fd, F_SETFD, 0) != 0)
			return -1;
	}
	return 0;
}

IN_CHILD static int open_files(struct child *child)
{
	for (size_t i = 0; i < child->file_count; i++) {
		child->object = child->files[i].data;
		struct stat info;
		int access = stat(child->object, &info) == 0 && S_ISCHR(info.st_mode) ? O_RDWR : O_RDONLY;
		int fd = open(child->object, access | O_CLOEXEC | O_NONBLOCK);
		int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, CONNECTION_FD + 1 + MAX_FILES);
		if (copy < 0 || dup2(copy, CONNECTION_FD + 1 + (int)i) < 0)
			return -1;
	}
	return (int)syscall(SYS_close_range, CONNECTION_FD + 1 + (unsigned)child->file_count, ~0u, 0);
}

/**
 * A mount namespace of its own, which goes when the server does: whatever becomes of us, the host's mounts are as they
 * were. What happens on the host is seen in it, not the other way around.
 */
IN_CHILD static int enter_mount_namespace(const struct child *child)
{
	if (child->root[0] == 0)
		return 0;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0)
		return -1;
	return mount(child->root, child->root_target, NULL, MS_BIND | MS_REC, NULL);
}

IN_CHILD static int run_child(void *data)
{
	struct child *child = data;
	char *const arguments[] = {(char[]){"criu"}, (char[]){"swrk"}, (char[]){"3"}, NULL};
	child->failed = "connect to";
	child->object = child->path;
	if (place_stdio(child) != 0 || connect_to_parent(child) < 0) // in this order: null_fd may be what becomes the connection
		goto failed;
	child->failed = "bind the root file system";
	child->object = child->root;
	if (enter_mount_namespace(child) != 0)
		goto failed;
	child->failed = "open";
	if (open_files(child) != 0)
		goto failed;
	child->failed = "execute";
	child->object = child->path;
	if (sigprocmask(SIG_SETMASK, &child->signals, NULL) != 0)
		goto failed;
	execve(child->path, arguments, child->environment);
failed:
	child->error = errno;
	_exit(125);
}

/** One packet, and the descriptor that came with it or -1. The size as recvmsg(2) says it. */
static ssize_t receive(int fd, char *buffer, size_t size, int *passed_fd, int *flags)
{
	struct iovec part = {buffer, size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary;
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	*passed_fd = -1;
	ssize_t received = ER_RETRY(recvmsg(fd, &packet, MSG_CMSG_CLOEXEC));
	if (received < 0)
		return -1;
	*flags = packet.msg_flags;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet); header != NULL; header = CMSG_NXTHDR(&packet, header)) {
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(passed_fd, CMSG_DATA(header), sizeof *passed_fd);
	}
	return received;
}

static int start(struct child *child, struct er_result *result, struct er_error *error)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return er_fail(error, errno, "connect to \"%s\"", child->path);
	er_auto_close int transfer_fd = pair[0];
	er_auto_close int child_transfer_fd = pair[1];
	child->transfer_fd = child_transfer_fd;
	int pidfd = -1;
	pid_t pid = er_clone_vfork(run_child, child, 0, &child->signals, &pidfd);
	if (pid < 0)
		return er_fail(error, errno, "start \"%s\"", child->path);
	char byte;
	int connection = -1, flags;
	if (child->error == 0 && receive(transfer_fd, &byte, 1, &connection, &flags) < 0)
		child->error = errno;
	if (child->error != 0) {
		close(pidfd);
		waitpid(pid, NULL, 0);
		return er_fail(error, child->error, "%s \"%s\"", child->failed, child->object);
	}
	result->ints[0] = pid;
	result->ints[1] = connection;
	result->ints[2] = pidfd;
	result->count = 3;
	return 0;
}

int er_start_criu(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	struct child child = {
		.path = args[0].bytes.data, .files = args[2].list.items, .file_count = args[2].list.count,
		.root = args[3].bytes.data, .root_target = args[4].bytes.data, .null_fd = -1};
	if (child.file_count > MAX_FILES)
		return er_fail(error, E2BIG, "start \"%s\"", child.path);
	er_auto_free char **environment = calloc(args[1].list.count + 1, sizeof *environment);
	if (environment == NULL)
		return er_fail(error, errno, "start \"%s\"", child.path);
	for (size_t i = 0; i < args[1].list.count; i++)
		environment[i] = (char *)args[1].list.items[i].data;
	child.environment = environment;
	er_auto_close int null_fd = args[5].number != 0 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
	if (args[5].number == 0 && null_fd < 0)
		return er_fail(error, errno, "open \"/dev/null\"");
	child.null_fd = null_fd;
	return start(&child, result, error);
}

/** write(2) that answers EPIPE and does not kill us: the signal, which is this thread's, is taken back. */
static ssize_t write_without_signal(int fd, struct er_bytes data)
{
	sigset_t pipe_only, previous, pending;
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &previous);
	sigpending(&pending);
	ssize_t written = ER_RETRY(write(fd, data.data, data.size));
	int saved = errno;
	if (written < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	errno = saved;
	return written;
}

int er_write_bytes(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	int fd = (int)args[0].number;
	struct er_bytes data = args[1].bytes;
	ssize_t written = write_without_signal(fd, data);
	if (written < 0 || (size_t)written != data.size)
		return er_fail(error, written < 0 ? errno : EIO, "write to descriptor %d", fd);
	return 0;
}

int er_receive_packet(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int fd = (int)args[0].number;
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	int ready = (int)ER_RETRY(poll(&watched, 1, args[1].number < 0 ? -1 : (int)args[1].number));
	if (ready <= 0)
		return er_fail(error, ready == 0 ? ETIMEDOUT : errno, "receive a packet");
	er_auto_free char *buffer = malloc(sizeof(int32_t) + MAX_PACKET_BYTES);
	if (buffer == NULL)
		return er_fail(error, errno, "receive a packet");
	int32_t passed;
	int flags;
	ssize_t size = receive(fd, buffer + sizeof passed, MAX_PACKET_BYTES, &passed, &flags);
	if (size < 0 && errno == ECONNRESET) // the other end is gone, and has not read what we sent
		size = 0;
	else if (size < 0)
		return er_fail(error, errno, "receive a packet");
	else if (flags & MSG_TRUNC) {
		er_close_at(&passed);
		return er_fail(error, EMSGSIZE, "receive a packet");
	}
	memcpy(buffer, &passed, sizeof passed);
	if (er_result_copy(result, buffer, size == 0 ? 0 : sizeof passed + (size_t)size) != 0)
		return er_fail(error, errno, "receive a packet");
	return 0;
}
