// SPDX-License-Identifier: Apache-2.0
// What passes between the host side (native/core/launch.c) and edgerun-init (native/init): the plan in a memfd, and
// messages on a SOCK_SEQPACKET socket. Both ends are always of the same build, so the byte order is the machine's.
#pragma once
#include <stdint.h>

#define PLAN_MAGIC 0x31505245u // "ERP1"
#define PLAN_VERSION 1u
#define PLAN_MAX_BYTES (16u << 20)

/**
 * The plan: this header, `word_count` words (operations: code, number of field words, fields), `blob_count` sizes,
 * then the blobs one after the other, each followed by a NUL that its size does not count.
 */
struct plan_header {
	uint32_t magic, version;
	uint32_t total_bytes;
	uint32_t word_count, blob_count;
};

#define MESSAGE_TEXT_BYTES 1000

/** One message, in either direction. Only the used part of `text` is sent, with its NUL. */
struct message {
	uint32_t kind;      // enum plan_message
	uint32_t operation; // failed: the operation's code
	int32_t error;      // failed: errno
	uint32_t value;     // forked: the new process, as seen in init's own pid namespace; go: init's pid on the host
	char text[MESSAGE_TEXT_BYTES];
};
#define MESSAGE_HEAD_BYTES (sizeof(struct message) - MESSAGE_TEXT_BYTES)

/** Descriptors with the message `plan`: the plan's memfd and, for a created container, its listening start socket. */
#define PLAN_DESCRIPTORS 2
