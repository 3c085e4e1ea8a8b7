// SPDX-License-Identifier: Apache-2.0
// sd_notify(3): notify MESSAGE sends it to $NOTIFY_SOCKET as one datagram; --barrier also waits until it was handled.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_barrier(int fd)
{
	int ends[2];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	if (pipe(ends) != 0)
		return -1;
	memcpy(CMSG_DATA(&ancillary.header), &ends[1], sizeof(int));
	struct iovec part = {"BARRIER=1", 9};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
	if (sendmsg(fd, &packet, 0) < 0)
		return -1;
	close(ends[1]);
	struct pollfd closed = {.fd = ends[0], .events = POLLIN};
	return poll(&closed, 1, 10000) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (argc < 2 || path == NULL || strlen(path) >= sizeof address.sun_path)
		return 2;
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || send(fd, argv[1], strlen(argv[1]), 0) < 0) {
		perror("notify");
		return 1;
	}
	return argc > 2 && strcmp(argv[2], "--barrier") == 0 ? -send_barrier(fd) : 0;
}
