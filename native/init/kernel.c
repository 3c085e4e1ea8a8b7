// SPDX-License-Identifier: Apache-2.0
// Kernel parameters of the container's namespaces.
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void do_set_hostname(const struct op_set_hostname *op)
{
	if (sethostname(op->name, strlen(op->name)) != 0)
		fail(errno, "set hostname \"%s\"", op->name);
}

void do_set_domainname(const struct op_set_domainname *op)
{
	if (setdomainname(op->name, strlen(op->name)) != 0)
		fail(errno, "set domainname \"%s\"", op->name);
}

/** Through the host's own procfs, which no container can have put a mount or a link into (CVE-2025-52881). */
void do_set_sysctl(const struct op_set_sysctl *op)
{
	int proc_fd = open_host_proc();
	char path[512];
	if (snprintf(path, sizeof path, "sys/%s", op->path) >= (int)sizeof path)
		fail(ENAMETOOLONG, "sysctl \"%.200s...\"", op->path);
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof how);
	size_t size = strlen(op->value);
	if (fd < 0 || write(fd, op->value, size) != (ssize_t)size)
		fail(errno, "set sysctl \"%s\" to \"%s\"", op->path, op->value);
	close(fd);
	close(proc_fd);
}

void do_bring_loopback_up(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		fail(errno, "bring the loopback interface up");
	close(fd);
}
