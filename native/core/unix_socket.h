// SPDX-License-Identifier: Apache-2.0
// Addresses of, and connections to UNIX sockets: shared by the host functions.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "host.h"

/**
 * Fills an address for a socket path of any length: by way of its directory's descriptor where it is too long, which the
 * caller closes after use. 0, or -1 with errno.
 */
int er_unix_address(const char *path, struct sockaddr_un *address, int *directory_fd);

/** connect(2), without hanging for ever when nobody accepts. The descriptor (close-on-exec), or -1 with errno. */
int er_unix_connect(const char *path, int type, int64_t timeout_ms);

/** Sends bytes with `count` descriptors, one at least and ER_UNIX_MAX_DESCRIPTORS at most. 0, or -1 with errno. */
int er_unix_send(int fd, struct er_bytes bytes, const int *descriptors, size_t count);
/** The kernel passes on 253 at once (SCM_MAX_FD). */
#define ER_UNIX_MAX_DESCRIPTORS 250
