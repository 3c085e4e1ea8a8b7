// SPDX-License-Identifier: Apache-2.0
// UNIX sockets that others listen on: engines, seccomp agents, the journal, a created container.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "functions.h"
#include "unix_socket.h"

/** How long an engine may take to accept a connection, or to read. */
#define CONNECT_TIMEOUT_MS 10000
/** How long a log daemon may take to make room. */
#define LOG_TIMEOUT_MS 1000

int er_unix_address(const char *path, struct sockaddr_un *address, int *directory_fd)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof address->sun_path) {
		strcpy(address->sun_path, path);
		return 0;
	}
	const char *slash = strrchr(path, '/');
	char directory[4096];
	if (slash == NULL || (size_t)(slash - path) >= sizeof directory) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = 0;
	*directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*directory_fd < 0)
		return -1;
	if (snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *directory_fd, slash) >= (int)sizeof address->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

int er_unix_connect(const char *path, int type, int64_t timeout_ms)
{
	er_auto_close int directory_fd = -1;
	struct sockaddr_un address;
	if (er_unix_address(path, &address, &directory_fd) != 0)
		return -1;
	er_auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
		return -1;
	if (ER_RETRY(connect(fd, (struct sockaddr *)&address, sizeof address)) != 0)
		return -1;
	int connected = fd;
	fd = -1;
	return connected;
}

int er_unix_send(int fd, struct er_bytes bytes, const int *descriptors, size_t count)
{
	struct iovec part = {(void *)bytes.data, bytes.size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(ER_UNIX_MAX_DESCRIPTORS * sizeof(int))];
	} ancillary = {0};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
	ssize_t sent = ER_RETRY(sendmsg(fd, &packet, MSG_NOSIGNAL));
	// A stream takes what it has room for; the descriptors went with the first bytes.
	for (size_t done = (size_t)sent; sent >= 0 && done < bytes.size; done += (size_t)sent)
		sent = ER_RETRY(send(fd, bytes.data + done, bytes.size - done, MSG_NOSIGNAL));
	return sent < 0 ? -1 : 0;
}

int er_send_descriptor(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	int sent_fd = (int)args[1].number;
	er_auto_close int fd = er_unix_connect(path, SOCK_STREAM, CONNECT_TIMEOUT_MS);
	if (fd < 0)
		return er_fail(error, errno, "connect to socket \"%s\"", path);
	if (er_unix_send(fd, args[2].bytes, &sent_fd, 1) != 0)
		return er_fail(error, errno, "send to socket \"%s\"", path);
	return 0;
}

int er_send_datagram(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	er_auto_close int fd = er_unix_connect(path, SOCK_DGRAM, LOG_TIMEOUT_MS);
	if (fd < 0)
		return er_fail(error, errno, "connect to socket \"%s\"", path);
	if (ER_RETRY(send(fd, args[1].bytes.data, args[1].bytes.size, MSG_NOSIGNAL)) < 0)
		return er_fail(error, errno, "send to socket \"%s\"", path);
	return 0;
}
