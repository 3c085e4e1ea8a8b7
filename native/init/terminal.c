// SPDX-License-Identifier: Apache-2.0
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

/** The multiplexer of the container's own devpts, verified: not a file that the image put there. */
static int open_multiplexer(void)
{
	int fd = open_in_root("/dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS);
	struct statfs filesystem;
	struct stat info;
	if (fd < 0 || fstatfs(fd, &filesystem) != 0 || fstat(fd, &info) != 0)
		fail(errno, "open \"/dev/pts/ptmx\": a terminal needs a devpts at /dev/pts");
	if (filesystem.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2))
		fail(0, "\"/dev/pts/ptmx\" is not the multiplexer of a devpts");
	return fd;
}

/** /dev/console becomes the terminal, as a mount: nothing that the image has there is opened (CVE-2025-52565). */
static void mount_console(int slave_fd)
{
	const char *name;
	int parent_fd = open_parent_in_root("/dev/console", &name);
	int created = openat(parent_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
	if (created < 0 && errno != EEXIST)
		fail(errno, "make \"/dev/console\"");
	if (created >= 0)
		close(created);
	int target_fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	if (target_fd < 0 || fstat(target_fd, &info) != 0)
		fail(errno, "open \"/dev/console\"");
	if (S_ISLNK(info.st_mode))
		fail(0, "\"/dev/console\" is a symbolic link");
	int tree_fd = sys_open_tree(slave_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (tree_fd < 0 || sys_move_mount(tree_fd, target_fd) != 0)
		fail(errno, "mount the terminal at \"/dev/console\"");
	close(tree_fd);
	close(target_fd);
	close(parent_fd);
}

void do_open_terminal(const struct op_open_terminal *op)
{
	int master_fd = open_multiplexer();
	int unlocked = 0;
	if (ioctl(master_fd, TIOCSPTLCK, &unlocked) != 0)
		fail(errno, "unlock the terminal");
	// By the master, not by the name: /dev/pts/N can be replaced meanwhile.
	int slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0)
		fail(errno, "open the terminal");
	if (op->columns != 0 || op->rows != 0) {
		struct winsize size = {.ws_col = (unsigned short)op->columns, .ws_row = (unsigned short)op->rows};
		if (ioctl(master_fd, TIOCSWINSZ, &size) != 0)
			fail(errno, "set the terminal's size");
	}
	if (fchown(slave_fd, op->uid, (gid_t)-1) != 0)
		fail(errno, "set the terminal's owner");
	if (op->console)
		mount_console(slave_fd);
	send_message(MESSAGE_TERMINAL, 0, master_fd);
	close(master_fd);
	if (ioctl(slave_fd, TIOCSCTTY, 0) != 0)
		fail(errno, "set the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave_fd, fd) < 0)
			fail(errno, "connect the terminal to descriptor %d", fd);
	close(slave_fd);
}
