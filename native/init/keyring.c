// SPDX-License-Identifier: Apache-2.0
// The session keyring: without one of its own, a container would hold the keys of whoever started it.
#include "init.h"
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/** The permissions in a description of a key: "type;uid;gid;permissions;name" (keyctl_describe(3)). */
static unsigned read_permissions(long keyring)
{
	char description[256];
	unsigned permissions;
	long size = syscall(SYS_keyctl, KEYCTL_DESCRIBE, keyring, description, sizeof description - 1);
	if (size < 0)
		fail(errno, "describe the session keyring");
	description[size < (long)sizeof description ? size : (long)sizeof description - 1] = 0;
	if (sscanf(description, "%*[^;];%*d;%*d;%x;", &permissions) != 1)
		fail(0, "the session keyring has no permissions in \"%s\"", description);
	return permissions;
}

void do_session_keyring(const struct op_session_keyring *op)
{
	long keyring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, op->name);
	if (keyring < 0 && errno == ENOSYS)
		return; // the kernel has no keyrings, so there is none to share with the host
	if (keyring < 0)
		fail(errno, "make session keyring \"%s\"", op->name);
	if (op->permissions == 0)
		return;
	if (syscall(SYS_keyctl, KEYCTL_SETPERM, keyring, read_permissions(keyring) | op->permissions) < 0)
		fail(errno, "set the permissions of session keyring \"%s\"", op->name);
}
