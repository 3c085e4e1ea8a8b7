// SPDX-License-Identifier: Apache-2.0
// Processes by descriptor: shared by the host functions. Not all C libraries that edgerun is built with have pidfds.
#pragma once
#include <sys/types.h>

/** pidfd_open(2); the descriptor is close-on-exec. */
int er_pidfd_open(pid_t pid);

/** pidfd_send_signal(2). Async-signal-safe. */
int er_pidfd_send_signal(int pidfd, int signal);

/** The exit code of a wait status as shells and engines give it: 128+n for signal n. */
int er_exit_code(int wait_status);
