// SPDX-License-Identifier: Apache-2.0
// HOME, where the environment has none: programs expect it, and only the container's /etc/passwd knows it. The file is
// the image's: it may be a FIFO, a device, a link, or endless (CVE-2026-47262 was such a read in an engine).
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PASSWD_BYTES (1 << 20)

/** Splits a line of passwd(5) in place at its colons; returns how many fields there are, at most 7. */
static int split_line(char *line, char *fields[7])
{
	int count = 0;
	while (line != NULL && count < 7) {
		fields[count++] = line;
		line = strchr(line, ':');
		if (line != NULL)
			*line++ = 0;
	}
	return count;
}

static int is_uid(const char *text, uint32_t uid)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && value == uid;
}

/** Finds the home of `uid` in the text of a passwd file, which is changed; NULL if it isn't there. */
static const char *find_home(char *text, uint32_t uid)
{
	char *next;
	for (char *line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = 0;
		char *fields[7]; // name:password:uid:gid:comment:home:shell
		if (split_line(line, fields) >= 6 && is_uid(fields[2], uid) && fields[5][0] == '/')
			return fields[5];
	}
	return NULL;
}

void do_set_home(const struct op_set_home *op)
{
	const char *home = NULL;
	int fd = open_in_root("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat info;
	if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
		char *text = malloc(MAX_PASSWD_BYTES + 1);
		ssize_t size = text == NULL ? -1 : read(fd, text, MAX_PASSWD_BYTES);
		if (size > 0) {
			text[size] = 0;
			home = find_home(text, op->uid);
		}
	}
	if (fd >= 0)
		close(fd);
	strcpy(init.home, "HOME=");
	strcat(init.home, home != NULL && strlen(home) < sizeof init.home - 6 ? home : "/");
}
