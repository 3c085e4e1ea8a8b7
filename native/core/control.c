// SPDX-License-Identifier: Apache-2.0
// The host side's half of the conversation with edgerun-init (docs/architecture.md).
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../wire/wire.h"
#include "functions.h"
#include "gen/plan.h"
#include "launch.h"
#include "unix_socket.h"

static const char *message_name(uint32_t kind)
{
	switch (kind) {
	case MESSAGE_HOOKS:
		return "hooks";
	case MESSAGE_FORKED:
		return "forked";
	case MESSAGE_RUNNING:
		return "running";
	case MESSAGE_TERMINAL:
		return "terminal";
	case MESSAGE_READY:
		return "ready";
	case MESSAGE_FAILED:
		return "failed";
	case MESSAGE_LISTENER:
		return "listener";
	case MESSAGE_MOUNTED:
		return "mounted";
	case MESSAGE_OPEN_SOURCES:
		return "open_sources";
	case MESSAGE_INTERFACES:
		return "interfaces";
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

/** The listening socket on which a created container waits for `start`. */
static int make_start_socket(const char *path)
{
	er_auto_close int directory_fd = -1;
	struct sockaddr_un address;
	if (er_unix_address(path, &address, &directory_fd) != 0)
		return -1;
	er_auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
		return -1;
	int listening = fd;
	fd = -1;
	return listening;
}

int er_send_plan(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const struct er_bytes plan = args[1].bytes;
	const char *start_path = args[2].bytes.data;
	er_auto_close int plan_fd = er_make_memfd("edgerun-plan", 0, plan.data, plan.size, 0);
	if (plan_fd < 0)
		return er_fail(error, errno, "prepare the plan");
	er_auto_close int start_fd = start_path[0] == 0 ? -1 : make_start_socket(start_path);
	if (start_path[0] != 0 && start_fd < 0)
		return er_fail(error, errno, "make start socket \"%s\"", start_path);
	const int descriptors[PLAN_DESCRIPTORS] = {plan_fd, start_fd};
	struct message message = {.kind = MESSAGE_PLAN};
	struct er_bytes bytes = {(const char *)&message, MESSAGE_HEAD_BYTES + 1};
	if (er_unix_send((int)args[0].number, bytes, descriptors, start_fd < 0 ? 1 : PLAN_DESCRIPTORS) != 0)
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
