// SPDX-License-Identifier: Apache-2.0
// Netlink: sends messages that the brain made (src/netlink) and returns what the kernel answers. What is asked for is
// decided there; here is only the exchange, in the network namespace that it is for.
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

/** The kernel's answers are no longer than this (NLMSG_GOODSIZE is less); a dump comes in several. */
#define RECEIVE_BYTES ((size_t)64 << 10)
/** Of all answers to one exchange: a dump of 100,000 set elements fits. */
#define MAX_ANSWER_BYTES ((size_t)64 << 20)

struct answers {
	char *data;
	size_t size, capacity;
};

/** A socket of the network namespace that `path` names; of ours when it is "". Returns -1 with errno. */
static int open_socket(const char *path, int protocol)
{
	if (path[0] == 0)
		return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	er_auto_close int ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	er_auto_close int theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (ours < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) != 0)
		return -1;
	// A socket stays in the namespace that it was made in.
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int saved = errno;
	if (setns(ours, CLONE_NEWNET) != 0)
		abort(); // what follows would be done to the wrong network
	errno = saved;
	return fd;
}

/** Answers as texts where they have one (NLMSGERR_ATTR_MSG), requests without their echo, strict checks of dumps. */
static void set_options(int fd, size_t message_bytes)
{
	// Each is a convenience of newer kernels; what the kernel checks does not depend on it.
	int on = 1;
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	int bytes = message_bytes > (size_t)1 << 30 ? 1 << 30 : (int)message_bytes;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
}

/** Appends one datagram. 0 at the end of what there is, 1 when there was one, -1 with errno. */
static int receive(int fd, struct answers *answers)
{
	if (answers->capacity - answers->size < RECEIVE_BYTES) {
		size_t capacity = answers->capacity * 2 + 2 * RECEIVE_BYTES;
		char *data = capacity > 2 * MAX_ANSWER_BYTES ? NULL : realloc(answers->data, capacity);
		if (data == NULL) {
			errno = EMSGSIZE;
			return -1;
		}
		answers->data = data;
		answers->capacity = capacity;
	}
	// The kernel acts within sendmsg(2), and goes on with a dump within recvmsg(2): what there is to read is there.
	ssize_t got = ER_RETRY(recv(fd, answers->data + answers->size, RECEIVE_BYTES, MSG_DONTWAIT | MSG_TRUNC));
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if ((size_t)got > RECEIVE_BYTES) {
		errno = EMSGSIZE;
		return -1;
	}
	answers->size += (size_t)got;
	return 1;
}

/** What the kernel says beside the error's number, or "". */
static const char *find_text(const struct nlmsghdr *message)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nlmsgerr));
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || message->nlmsg_len < head)
		return "";
	const struct nlmsgerr *body = NLMSG_DATA(message);
	// Without NLM_F_CAPPED the request follows the number.
	size_t at = head;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		at += NLMSG_ALIGN(body->msg.nlmsg_len) - NLMSG_HDRLEN;
	while (at + NLA_HDRLEN <= message->nlmsg_len) {
		const struct nlattr *attribute = (const void *)((const char *)message + at);
		if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > message->nlmsg_len)
			break;
		const char *text = (const char *)attribute + NLA_HDRLEN;
		if ((attribute->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG && memchr(text, 0, attribute->nla_len - NLA_HDRLEN) != NULL)
			return text;
		at += NLA_ALIGN(attribute->nla_len);
	}
	return "";
}

/** Fails with the first error among the answers; `labels` name the messages, whose numbers start at 1. */
static int check_answers(const struct answers *answers, const union er_arg *labels, struct er_error *error)
{
	for (size_t at = 0; at + NLMSG_HDRLEN <= answers->size;) {
		const struct nlmsghdr *message = (const void *)(answers->data + at);
		if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > answers->size - at)
			return er_fail(error, EBADMSG, "netlink: read the kernel's answers");
		int is_error = message->nlmsg_type == NLMSG_ERROR && message->nlmsg_len >= NLMSG_LENGTH(sizeof(int));
		int number = is_error ? -*(const int *)NLMSG_DATA(message) : 0;
		if (number != 0) {
			uint32_t index = message->nlmsg_seq - 1;
			const char *label = index < labels->list.count ? labels->list.items[index].data : "netlink";
			const char *text = find_text(message);
			return er_fail(error, number, "%s%s%s%s", label, text[0] ? " (" : "", text, text[0] ? ")" : "");
		}
		at += NLMSG_ALIGN(message->nlmsg_len);
	}
	return 0;
}

int er_netlink_exchange(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *namespace = args[0].bytes.data;
	struct er_bytes messages = args[2].bytes;
	er_auto_close int fd = open_socket(namespace, (int)args[1].number);
	if (fd < 0)
		return er_fail(error, errno, "netlink: open a socket in network namespace \"%s\"", namespace[0] ? namespace : "own");
	set_options(fd, messages.size + 4096);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	if (ER_RETRY(sendto(fd, messages.data, messages.size, 0, (struct sockaddr *)&kernel, sizeof kernel)) < 0)
		return er_fail(error, errno, "netlink: send %zu bytes", messages.size);
	struct answers answers = {0};
	int more;
	do
		more = receive(fd, &answers);
	while (more > 0 && answers.size <= MAX_ANSWER_BYTES);
	int failed = more < 0 ? er_fail(error, errno, "netlink: receive") :
	             more > 0 ? er_fail(error, EMSGSIZE, "netlink: receive") : check_answers(&answers, &args[3], error);
	if (failed) {
		free(answers.data);
		return failed;
	}
	result->owned = answers.data;
	result->size = answers.size;
	return 0;
}
