// SPDX-License-Identifier: Apache-2.0
// Datagrams to log daemons.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "check.h"

/** A datagram socket at the path; -1 on failure. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int received(int fd, const char *text)
{
	char buffer[100];
	ssize_t size = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	return size == (ssize_t)strlen(text) && memcmp(buffer, text, (size_t)size) == 0;
}

static void test_datagrams(void)
{
	int fd = listen_at("log");
	check(CALL(er_send_datagram, str("log"), str("<27>meter: text")) == 0 && received(fd, "<27>meter: text"),
		  "sendDatagram sends the text as one datagram");
	close(fd);
	check(failed_with(CALL(er_send_datagram, str("log"), str("x")), ECONNREFUSED), "nobody listens: it fails");
	check(failed_with(CALL(er_send_datagram, str("none"), str("x")), ENOENT), "no socket: it fails");
	check(strcasecmp(error.message, "connect to socket \"none\": no such file or directory") == 0,
		  "its message names operation and object");
}

/** sun_path holds 108 bytes; a path may be longer. */
static void test_long_path(void)
{
	char directory[200];
	memset(directory, 'd', sizeof directory - 1);
	directory[sizeof directory - 1] = 0;
	char path[300];
	snprintf(path, sizeof path, "%s/%s/log", check_directory, directory);
	int entered = mkdir(directory, 0700) == 0 && chdir(directory) == 0;
	int fd = listen_at("log");
	check(entered && CALL(er_send_datagram, str(path), str("far")) == 0 && received(fd, "far"),
		  "a socket's path may be longer than its address");
	close(fd);
}

int main(void)
{
	enter_directory();
	test_datagrams();
	test_long_path();
	leave_directory();
	return check_summary();
}
