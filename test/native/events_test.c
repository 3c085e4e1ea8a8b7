// SPDX-License-Identifier: Apache-2.0
// Waiting for descriptors, and for the end of a cgroup's memory (on a made-up version 2 directory).
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "check.h"

static union er_arg words(const uint32_t *items, size_t count)
{
	return (union er_arg){.words = {items, count}};
}

static int awaits(const uint32_t *fds, size_t count, int64_t timeout_ms, int64_t wanted)
{
	return CALL(er_await_readable, words(fds, count), num(timeout_ms)) == 0 && result.ints[0] == wanted;
}

static void test_waiting(void)
{
	uint32_t fds[2] = {(uint32_t)eventfd(0, EFD_NONBLOCK), (uint32_t)eventfd(0, EFD_NONBLOCK)};
	check(awaits(fds, 2, 0, -1), "awaitReadable: none is readable");
	check(awaits(fds, 2, 20, -1), "awaitReadable ends in time");
	eventfd_write((int)fds[1], 1);
	check(awaits(fds, 2, 10000, 1), "awaitReadable gives the one that is readable");
	eventfd_write((int)fds[0], 1);
	check(awaits(fds, 2, 10000, 0), "awaitReadable gives the first of them");
	check(CALL(er_drain, num(fds[0])) == 0 && awaits(fds, 2, 0, 1), "drain reads what there is");
	check(CALL(er_drain, num(fds[0])) == 0, "drain does not wait");
	check(failed_with(CALL(er_drain, num(-1)), EBADF), "drain fails on a bad descriptor");
	uint32_t many[9] = {0};
	check(failed_with(CALL(er_await_readable, words(many, 9), num(0)), EINVAL), "awaitReadable refuses too many");
	close((int)fds[0]);
	close((int)fds[1]);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		exit(1);
}

static void test_memory_events(void)
{
	mkdir("cgroup", 0700);
	check(failed_with(CALL(er_watch_out_of_memory, str("cgroup")), ENOENT), "a cgroup without memory can't be watched");
	put("cgroup/memory.events", "oom_kill 0\n");
	check(CALL(er_watch_out_of_memory, str("cgroup")) == 0, "memory.events is watched");
	uint32_t fd = (uint32_t)result.ints[0];
	check(awaits(&fd, 1, 0, -1), "nothing has happened yet");
	put("cgroup/memory.events", "oom_kill 1\n");
	check(awaits(&fd, 1, 10000, 0), "it is readable when the file was modified");
	check(CALL(er_drain, num(fd)) == 0 && awaits(&fd, 1, 0, -1), "and not any more when it was drained");
	close((int)fd);
}

int main(void)
{
	enter_directory();
	test_waiting();
	test_memory_events();
	leave_directory();
	return check_summary();
}
