// SPDX-License-Identifier: Apache-2.0
// The device binary: an engine with the program in it, one call.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utf8.h"
#include "engine.h"
#include "snapshot.h"

/** Every failure of the program itself, before main() of the TypeScript side could report it. */
#define EXIT_INTERNAL 1

static void fail_early(const char *operation)
{
	dprintf(STDERR_FILENO, "edgerun: %s: %s\n", operation, strerror(errno));
	_exit(EXIT_INTERNAL);
}

/** Opens /dev/null for each of descriptors 0 to 2 that is closed: else the next file opened would become stdio. */
static void ensure_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		int opened = open("/dev/null", O_RDWR);
		if (opened != fd)
			_exit(EXIT_INTERNAL);
	}
}

/** Refuses arguments that are not UTF-8: the program could neither show nor use them as they were given. */
static void check_arguments(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t length = strlen(argv[i]);
		if (er_utf8_valid_prefix(argv[i], length) == length)
			continue;
		dprintf(STDERR_FILENO, "edgerun: argument %d is not valid UTF-8\n", i);
		_exit(EXIT_INTERNAL);
	}
}

int main(int argc, char **argv)
{
	ensure_stdio();
	check_arguments(argc, argv);
	umask(022);
	signal(SIGCHLD, SIG_DFL); // a caller that ignores it would have the kernel reap our children before we know how they ended
	// Nothing else of this user may read or trace the process that is about to be trusted with a container.
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		fail_early("prctl(PR_SET_DUMPABLE)");
	if (argc >= 4 && !snapshot_exists() && strcmp(argv[1], SNAPSHOT_DUMP) == 0)
		return snapshot_dump(argv[2], argv[3], argv + 4) == 0 ? 0 : EXIT_INTERNAL;
	struct engine *engine = snapshot_restore();
	if (engine == NULL)
		engine = engine_boot();
	if (engine == NULL)
		return EXIT_INTERNAL;
	int code = engine_run(engine, argc, argv);
#ifdef EDGERUN_SANITIZE
	engine_free(engine);
#endif
	return code;
}
