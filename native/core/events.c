// SPDX-License-Identifier: Apache-2.0
// Waiting for what happens to a container: the end of a process, or of its memory.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"

#define MAX_WATCHED 8

/** cgroup v1: an eventfd that the kernel signals (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"). */
static int watch_oom_control(int directory_fd)
{
	er_auto_close int control_fd = openat(directory_fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	er_auto_close int register_fd = openat(directory_fd, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	if (control_fd < 0 || register_fd < 0)
		return -1;
	er_auto_close int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return -1;
	char line[64];
	int length = snprintf(line, sizeof line, "%d %d", event_fd, control_fd);
	if (er_write_all(register_fd, line, (size_t)length) < 0)
		return -1;
	int watching = event_fd;
	event_fd = -1;
	return watching;
}

/** cgroup v2: memory.events is modified when one of its figures changes. */
static int watch_memory_events(const char *cgroup)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/memory.events", cgroup) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	er_auto_close int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return -1;
	int watching = fd;
	fd = -1;
	return watching;
}

int er_watch_out_of_memory(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *cgroup = args[0].bytes.data;
	er_auto_close int directory_fd = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return er_fail(error, errno, "open cgroup \"%s\"", cgroup);
	int fd = watch_oom_control(directory_fd);
	if (fd < 0 && errno == ENOENT)
		fd = watch_memory_events(cgroup);
	if (fd < 0)
		return er_fail(error, errno, "watch the memory of cgroup \"%s\"", cgroup);
	result->ints[0] = fd;
	return 0;
}

int er_await_readable(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	struct pollfd watched[MAX_WATCHED];
	size_t count = args[0].words.count;
	if (count > MAX_WATCHED)
		return er_fail(error, EINVAL, "poll %zu descriptors", count);
	for (size_t i = 0; i < count; i++)
		watched[i] = (struct pollfd){(int)args[0].words.items[i], POLLIN, 0};
	int64_t deadline = er_monotonic_ms() + args[1].number;
	int ready;
	do {
		int64_t left = deadline - er_monotonic_ms();
		left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
		ready = poll(watched, count, (int)left);
	} while ((ready < 0 && errno == EINTR) || (ready == 0 && er_monotonic_ms() < deadline));
	if (ready < 0)
		return er_fail(error, errno, "poll");
	result->ints[0] = -1;
	for (size_t i = count; ready > 0 && i-- > 0;) {
		if (watched[i].revents != 0)
			result->ints[0] = (int64_t)i;
	}
	return 0;
}

int er_drain(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	char forgotten[4096];
	ssize_t got;
	do
		got = ER_RETRY(read((int)args[0].number, forgotten, sizeof forgotten));
	while (got > 0);
	if (got < 0 && errno != EAGAIN)
		return er_fail(error, errno, "read \"fd %d\"", (int)args[0].number);
	return 0;
}
