// SPDX-License-Identifier: Apache-2.0
// System calls in a namespace of another process. This process can't go there itself: Node has threads, and a way back
// is not always allowed.
#pragma once

/**
 * Calls the function in a child that shares our memory and our descriptors and has entered the namespace (setns(2),
 * `type`: CLONE_NEW*). What it opens stays open here. It must only make system calls.
 * Returns what the function returned, with its errno; -1 and errno, too, where the namespace could not be entered.
 */
int er_call_in_namespace(int namespace_fd, int type, int (*function)(void *), void *argument);

/**
 * A new user namespace with these maps, each in the form of /proc/PID/uid_map. Returns its descriptor, or -1 and errno.
 */
int er_make_user_namespace(const char *uid_map, const char *gid_map);
