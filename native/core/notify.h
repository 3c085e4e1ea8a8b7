// SPDX-License-Identifier: Apache-2.0
// The service manager's notifications (sd_notify(3)): from the container's socket to the one that we were given.
#pragma once
#include <sys/types.h>

#include "host.h"

/** A relay of notifications. Zeroed, with socket_fd -1: every function does nothing. */
struct er_notify {
	int socket_fd;       // the container's socket, bound by er_bind_notify_socket()
	const char *address; // the service manager's socket: a path, or "@" and an abstract name
	pid_t main_pid;      // what the service manager is told to watch, as soon as the container is ready
	int is_ready;
};

/**
 * Forwards what has come, without waiting: whole lines, and of those only what a container may say of itself. With the
 * first READY= goes MAINPID=. 0, or -1 with the error when the service manager can't be reached.
 */
int er_notify_forward(struct er_notify *notify, struct er_error *error);
