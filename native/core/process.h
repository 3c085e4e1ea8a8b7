// SPDX-License-Identifier: Apache-2.0
// Processes by descriptor: shared by the host functions. Not all C libraries that edgerun is built with have pidfds.
#pragma once
#include <signal.h>
#include <sys/types.h>

/** pidfd_open(2); the descriptor is close-on-exec. */
int er_pidfd_open(pid_t pid);

/** pidfd_send_signal(2). Async-signal-safe. */
int er_pidfd_send_signal(int pidfd, int signal);

/** The exit code of a wait status as shells and engines give it: 128+n for signal n. */
int er_exit_code(int wait_status);

/**
 * Clones a process that runs run(data) and then executes a program or ends; returns when it has. CLONE_VM|CLONE_VFORK:
 * nothing of us is copied (a fork of a Node process costs milliseconds), and it works from a process with threads. It
 * shares our memory, so it only makes system calls. Every signal is blocked in it: *signals is the mask to set before
 * exec. flags: CLONE_NEW*. The pid, or -1 with errno.
 */
pid_t er_clone_vfork(int (*run)(void *data), void *data, int flags, sigset_t *signals, int *pidfd);
