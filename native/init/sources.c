// SPDX-License-Identifier: Apache-2.0
// What bind mounts show. Opened when its turn comes; in a user namespace before the rights to reach it are given up,
// or by the host side, which has them all.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/** The kernel passes on at most this many descriptors at once (SCM_MAX_FD). */
#define MAX_DESCRIPTORS 253

static int open_source(const char *source, int recursive)
{
	int fd = sys_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0));
	if (fd < 0)
		fail(errno, "bind mount source \"%s\"", source);
	return fd;
}

void open_sources_ahead(void)
{
	for (size_t i = 0; i < init.plan.count; i++) {
		struct operation *operation = &init.plan.operations[i];
		if (operation->code == OP_MOUNT_BIND) {
			const struct op_mount_bind *op = operation->fields;
			if (op->handed == 0)
				operation->source_fd = open_source(op->source, op->recursive != 0);
		} else if (operation->code == OP_BIND_DEVICE) {
			const struct op_bind_device *op = operation->fields;
			if (op->handed == 0)
				operation->source_fd = open_source(op->source, 0);
		}
	}
}

int take_source(const struct operation *operation, const char *source, int recursive, uint32_t handed)
{
	if (handed > init.source_count)
		fail(EINVAL, "bind mount source \"%s\": %u were received, not %u", source, init.source_count, handed);
	if (handed > 0)
		return init.sources[handed - 1];
	return operation->source_fd >= 0 ? operation->source_fd : open_source(source, recursive);
}

/** One message with some of the descriptors; returns how many. */
static uint32_t receive_some(int *descriptors, uint32_t most)
{
	struct message message;
	struct iovec part = {&message, sizeof message};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
	} ancillary;
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	ssize_t size;
	do
		size = recvmsg(init.control_fd, &packet, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size <= 0)
		_exit(125); // the host side is gone, or could not open one of them, and says so
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	if ((size_t)size < MESSAGE_HEAD_BYTES || message.kind != MESSAGE_SOURCES || header == NULL || header->cmsg_type != SCM_RIGHTS)
		fail(EPROTO, "message %u was expected from edgerun", MESSAGE_SOURCES);
	uint32_t count = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	// A limit of open files that is lower than the number of sources cuts the message short.
	if (packet.msg_flags & MSG_CTRUNC || count != message.value || count > most)
		fail(EMFILE, "receive %u bind mount sources", message.value);
	memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
	return count;
}

void do_receive_sources(const struct op_receive_sources *op)
{
	init.sources = mmap(NULL, (op->count + 1) * sizeof(int), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (init.sources == MAP_FAILED)
		fail(errno, "receive %u bind mount sources", op->count);
	send_message(MESSAGE_OPEN_SOURCES, op->count, -1);
	while (init.source_count < op->count)
		init.source_count += receive_some(init.sources + init.source_count, op->count - init.source_count);
}
