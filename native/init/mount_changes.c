// SPDX-License-Identifier: Apache-2.0
// Mounts of a running container. Its processes are hostile and run at the same time: what was mounted is known by its
// descriptor or its id, never by where it was.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/** More than a list of mounts has; a list with more is refused. */
#define MAX_MOUNTS 256

static struct {
	int own_descriptors_fd; // the host's /proc/self/fd: umount2(2) takes a path, and a path of the container's is no good
	int keep;
	int fds[MAX_MOUNTS];
	uint32_t count;
} changes = {.own_descriptors_fd = -1};

void do_prepare_mount_changes(const struct op_prepare_mount_changes *op)
{
	int proc_fd = open_host_proc();
	changes.own_descriptors_fd = openat(proc_fd, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (changes.own_descriptors_fd < 0)
		fail(errno, "open the descriptors of this process");
	close(proc_fd);
	changes.keep = op->keep != 0;
	// If the host side is killed, what it can't record any more has to be taken back.
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0)
		fail(errno, "outlive edgerun");
}

void release_mount(int mount_fd)
{
	if (!changes.keep) {
		close(mount_fd);
		return;
	}
	if (changes.count == MAX_MOUNTS)
		fail(0, "more than %d mounts at a time", MAX_MOUNTS);
	changes.fds[changes.count++] = mount_fd;
}

/** Detaches the mount that the descriptor is the root of. 0, or -1 and errno. */
static int unmount(int fd)
{
	char name[16];
	snprintf(name, sizeof name, "%d", fd);
	return fchdir(changes.own_descriptors_fd) != 0 ? -1 : umount2(name, MNT_DETACH);
}

void take_back_mounts(void)
{
	while (changes.count > 0)
		(void)unmount(changes.fds[--changes.count]); // the container may have unmounted it
}

/** Sends a message; without a host side that takes it, the mounts are taken back. */
static void tell(uint32_t kind, uint32_t value)
{
	struct message message = {.kind = kind, .value = value};
	if (send(init.control_fd, &message, MESSAGE_HEAD_BYTES + 1, MSG_NOSIGNAL) >= 0)
		return;
	take_back_mounts();
	_exit(125);
}

_Noreturn void do_commit_mounts(void)
{
	for (uint32_t i = 0; i < changes.count; i++)
		tell(MESSAGE_MOUNTED, (uint32_t)find_mount_id(changes.fds[i]));
	tell(MESSAGE_READY, 0);
	struct message message = {0};
	ssize_t received;
	do
		received = recv(init.control_fd, &message, sizeof message, 0);
	while (received < 0 && errno == EINTR);
	if (received >= (ssize_t)MESSAGE_HEAD_BYTES && message.kind == MESSAGE_START)
		_exit(0);
	take_back_mounts();
	_exit(125);
}

_Noreturn void do_remove_mounts(const struct op_remove_mounts *op)
{
	int fds[MAX_MOUNTS];
	if (op->targets.count != op->ids.count || op->targets.count > MAX_MOUNTS)
		fail(EINVAL, "remove %u mounts", op->targets.count);
	for (uint32_t i = 0; i < op->targets.count; i++) {
		const char *target = op->targets.items[i];
		fds[i] = open_in_root(target, O_PATH | O_NOFOLLOW, 0);
		if (fds[i] < 0)
			fail(errno, "open \"%s\" below the root", target);
		if (find_mount_id(fds[i]) != op->ids.items[i])
			fail(EBUSY, "the mount at \"%s\" is not the one that was added: it is mounted over, or was moved", target);
	}
	for (uint32_t i = 0; i < op->targets.count; i++)
		if (unmount(fds[i]) != 0)
			fail(errno, "unmount \"%s\"", op->targets.items[i]);
	tell(MESSAGE_READY, 0);
	_exit(0);
}
