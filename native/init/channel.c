// SPDX-License-Identifier: Apache-2.0
// Messages with the host side, and the wait of a created container for its `start`.
#include "init.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

void send_message(uint32_t kind, uint32_t value, int fd)
{
	struct message message = {.kind = kind, .value = value};
	struct iovec part = {&message, MESSAGE_HEAD_BYTES + 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		packet.msg_control = &ancillary;
		packet.msg_controllen = sizeof ancillary;
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	ssize_t sent;
	do
		sent = sendmsg(init.control_fd, &packet, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		_exit(125); // the host side is gone: nobody is left to tell
}

uint32_t await_message(uint32_t kind)
{
	struct message message;
	ssize_t received;
	do
		received = recv(init.control_fd, &message, sizeof message, 0);
	while (received < 0 && errno == EINTR);
	if (received <= 0)
		_exit(125);
	if ((size_t)received < MESSAGE_HEAD_BYTES || message.kind != kind)
		fail(EPROTO, "message %u was expected from edgerun", kind);
	return message.value;
}

/** The message `plan`: its descriptors are in `descriptors` (-1: not sent). */
static void await_plan(int descriptors[PLAN_DESCRIPTORS])
{
	struct message message;
	struct iovec part = {&message, sizeof message};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(PLAN_DESCRIPTORS * sizeof(int))];
	} ancillary;
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	ssize_t received;
	do
		received = recvmsg(init.control_fd, &packet, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received <= 0)
		_exit(125);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	if ((size_t)received < MESSAGE_HEAD_BYTES || message.kind != MESSAGE_PLAN || packet.msg_flags & MSG_CTRUNC ||
		header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		fail(EPROTO, "a plan was expected from edgerun");
	memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
}

_Noreturn void do_receive_plan(void)
{
	int descriptors[PLAN_DESCRIPTORS] = {-1, -1};
	await_plan(descriptors);
	init.start_fd = descriptors[1];
	decode_plan(descriptors[0], &init.plan);
	carry_out_plan();
}

void do_host_interfaces(void)
{
	send_message(MESSAGE_INTERFACES, 0, -1);
	await_message(MESSAGE_INTERFACES_MOVED);
}

void do_announce(const struct op_announce *op)
{
	// /proc/PID of a process that can't be dumped belongs to root. Nobody else is in the new user namespace yet.
	if (op->visible && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
		fail(errno, "show the process to its user");
	send_message(MESSAGE_RUNNING, 0, -1);
}

void do_host_hooks(void)
{
	send_message(MESSAGE_HOOKS, 0, -1);
	await_message(MESSAGE_HOOKS_DONE);
}

/**
 * `run` and `exec` answer on the control socket. A created container outlives its `create`: it waits on the start
 * socket, and from then on speaks to whoever runs `start`.
 */
void do_ready(void)
{
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0)
		fail(errno, "outlive edgerun");
	send_message(MESSAGE_READY, 0, -1);
	if (init.start_fd >= 0) {
		int connection;
		do
			connection = accept4(init.start_fd, NULL, NULL, SOCK_CLOEXEC);
		while (connection < 0 && (errno == EINTR || errno == ECONNABORTED));
		if (connection < 0)
			fail(errno, "accept on the start socket");
		close(init.start_fd);
		close(init.control_fd);
		init.start_fd = -1;
		init.control_fd = connection;
	}
	await_message(MESSAGE_START);
}
