// SPDX-License-Identifier: Apache-2.0
// The proxy between a container and the service manager of whoever started it (sd_notify(3), systemd's $NOTIFY_SOCKET).
// A container can't be given the service manager's own socket: it would be sent from the wrong process, and the
// container could name any process as the service's, or store descriptors in the service manager.
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "functions.h"
#include "unix_socket.h"

/** As the protocol has it for a datagram. */
#define MAX_MESSAGE_BYTES 4096
/** How long the service manager may take to make room for a message. */
#define SEND_TIMEOUT_MS 1000
/** How long it may take to act on our messages before we end (runc waits as long). */
#define BARRIER_TIMEOUT_MS 30000

int er_bind_notify_socket(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	er_auto_close int directory_fd = -1;
	struct sockaddr_un address;
	if (er_unix_address(path, &address, &directory_fd) != 0)
		return er_fail(error, errno, "make notify socket \"%s\"", path);
	er_auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	// Of a start that failed.
	unlink(address.sun_path);
	// Any user of the container may notify; nobody else reaches the directory.
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || chmod(address.sun_path, 0777) != 0)
		return er_fail(error, errno, "make notify socket \"%s\"", path);
	result->ints[0] = fd;
	fd = -1; // handed to the caller
	return 0;
}

/** A socket connected to the service manager's; -1 and errno. */
static int connect_manager(const char *name)
{
	if (name[0] != '@')
		return er_unix_connect(name, SOCK_DGRAM, SEND_TIMEOUT_MS);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);
	if (length > sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path + 1, name + 1, length - 1); // abstract: its first byte is 0
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) == 0)
		return fd;
	er_close_at(&fd);
	return -1;
}

/** What a container may say: about itself. Not which process is the service's, nor what to keep for it. */
static int may_pass(const char *line)
{
	static const char *const names[] = {"READY=",     "RELOADING=", "STOPPING=", "STATUS=",
	                                    "ERRNO=",     "BUSERROR=",  "EXIT_STATUS=", "MONOTONIC_USEC=",
	                                    "WATCHDOG=", "EXTEND_TIMEOUT_USEC="};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			return 1;
	return 0;
}

/** The lines of `message`, which is changed, that may pass, and where it says that the container is ready, our own. */
static size_t filter(struct er_notify *notify, char *message, char *out, size_t size)
{
	size_t used = 0;
	char *rest = message;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		if (!may_pass(line))
			continue;
		if (!notify->is_ready && strncmp(line, "READY=", 6) == 0) {
			notify->is_ready = 1;
			used += (size_t)snprintf(out + used, size - used, "MAINPID=%d\n", notify->main_pid);
		}
		used += (size_t)snprintf(out + used, size - used, "%s\n", line);
	}
	return used;
}

int er_notify_forward(struct er_notify *notify, struct er_error *error)
{
	for (;;) {
		char message[MAX_MESSAGE_BYTES + 1];
		// Descriptors that come with it are not taken: the kernel closes them. To a barrier, that is the answer.
		ssize_t size = ER_RETRY(recv(notify->socket_fd, message, MAX_MESSAGE_BYTES, 0));
		if (size < 0 && errno == EAGAIN)
			return 0;
		if (size < 0)
			return er_fail(error, errno, "receive a notification of the container");
		message[size] = 0;
		char passed[MAX_MESSAGE_BYTES + 64];
		size_t length = filter(notify, message, passed, sizeof passed);
		if (length == 0)
			continue;
		er_auto_close int manager_fd = connect_manager(notify->address);
		if (manager_fd < 0 || ER_RETRY(send(manager_fd, passed, length, MSG_NOSIGNAL)) < 0)
			return er_fail(error, errno, "notify the service manager at \"%s\"", notify->address);
	}
}

/**
 * Waits until the service manager has acted on what it was sent: messages of processes that have ended it may not be
 * able to tell whose they are. It closes the descriptor that comes with BARRIER=1 when it is there.
 */
static void await_manager(const char *address)
{
	er_auto_close int manager_fd = connect_manager(address);
	int ends[2];
	if (manager_fd < 0 || pipe2(ends, O_CLOEXEC) != 0)
		return;
	static const char barrier[] = "BARRIER=1";
	int sent = er_unix_send(manager_fd, (struct er_bytes){barrier, sizeof barrier - 1}, &ends[1], 1);
	close(ends[1]);
	struct pollfd closed = {.fd = ends[0], .events = POLLIN};
	if (sent == 0)
		ER_RETRY(poll(&closed, 1, BARRIER_TIMEOUT_MS)); // one that knows no barriers has the time that runc gives it
	close(ends[0]);
}

int er_relay_notifications(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	struct er_notify notify = {
		.socket_fd = (int)args[0].number, .address = args[1].bytes.data, .main_pid = (pid_t)args[3].number};
	struct pollfd watched[] = {{.fd = notify.socket_fd, .events = POLLIN}, {.fd = (int)args[2].number, .events = POLLIN}};
	while (!notify.is_ready) {
		if (ER_RETRY(poll(watched, 2, -1)) < 0)
			return er_fail(error, errno, "wait for a notification of the container");
		// Its last words come before its end.
		if (er_notify_forward(&notify, error) != 0)
			return -1;
		if (watched[1].revents != 0)
			break;
	}
	if (notify.is_ready)
		await_manager(notify.address);
	result->ints[0] = notify.is_ready;
	return 0;
}
