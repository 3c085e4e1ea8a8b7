// SPDX-License-Identifier: Apache-2.0
// Running host programs: hooks, and helpers named by the owner. A hook gets exactly the environment, the descriptors
// and the signal state given here, nothing of ours (CVE-2025-23266 was an environment that leaked into one).
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"
#include "io.h"
#include "process.h"
#include "text.h"

#define MAX_OUTPUT_BYTES ((size_t)64 << 10)
#define MAX_DRAIN_ROUNDS 256

struct program {
	const char *path;
	pid_t pid;
	int pidfd;
	int output_fd;    // our end of the pipe that is its stdout and stderr; -1 after end of file
	int64_t deadline; // er_monotonic_ms, or INT64_MAX
	int timed_out;
	int status; // of waitpid
	size_t output_size;
	char output[MAX_OUTPUT_BYTES];
};

/** The texts of a list as a NULL-terminated vector, malloc'd; `first` stands in for an empty list when not NULL. */
static char **make_vector(const union er_arg *arg, const char *first)
{
	size_t count = arg->list.count;
	char **vector = calloc(count + 2, sizeof *vector);
	if (vector == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		vector[i] = (char *)arg->list.items[i].data;
	if (count == 0)
		vector[0] = (char *)first;
	return vector;
}

/** The text as a descriptor to read from. A memfd, not a pipe: the program may read it late, or not at all. */
static int open_text(struct er_bytes text)
{
	int fd = memfd_create("edgerun-stdin", MFD_CLOEXEC);
	if (fd >= 0 && (er_write_all(fd, text.data, text.size) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		er_close_at(&fd);
	return fd;
}

/** errno-style code of the first step that fails. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int stdin_fd, int output_fd)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	int number;
	if ((number = posix_spawn_file_actions_adddup2(actions, stdin_fd, STDIN_FILENO)) != 0 ||
	    (number = posix_spawn_file_actions_adddup2(actions, output_fd, STDOUT_FILENO)) != 0 ||
	    (number = posix_spawn_file_actions_adddup2(actions, output_fd, STDERR_FILENO)) != 0 ||
	    (number = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1)) != 0 ||
	    (number = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
	    (number = posix_spawnattr_setsigdefault(attributes, &all)) != 0 ||
	    (number = posix_spawnattr_setpgroup(attributes, 0)) != 0)
		return number;
	// A process group of its own, so that a timeout ends what the program started, too.
	return posix_spawnattr_setflags(attributes,
	                                POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/**
 * posix_spawn(3): safe in a host program with threads (the child shares nothing that a lock of theirs protects), and
 * exec's failure comes back as its result. Returns an errno-style code.
 */
static int spawn(struct program *program, char **argv, char **envp, int stdin_fd, int output_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int number = posix_spawn_file_actions_init(&actions);
	if (number != 0)
		return number;
	number = posix_spawnattr_init(&attributes);
	if (number == 0) {
		number = prepare(&actions, &attributes, stdin_fd, output_fd);
		if (number == 0)
			number = posix_spawn(&program->pid, program->path, &actions, &attributes, argv, envp);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return number;
}

/**
 * Takes what is in the pipe: the first 64 KiB are kept, the rest is read so that the program can go on. Returns after a
 * while even if something keeps writing.
 */
static void drain_output(struct program *program)
{
	for (int rounds = 0; rounds < MAX_DRAIN_ROUNDS && program->output_fd >= 0; rounds++) {
		char rest[4096];
		size_t room = MAX_OUTPUT_BYTES - program->output_size;
		char *target = room > 0 ? program->output + program->output_size : rest;
		ssize_t got = ER_RETRY(read(program->output_fd, target, room > 0 ? room : sizeof rest));
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			er_close_at(&program->output_fd);
		else if (room > 0)
			program->output_size += (size_t)got;
	}
}

static int remaining_ms(int64_t deadline)
{
	if (deadline == INT64_MAX)
		return -1;
	int64_t left = deadline - er_monotonic_ms();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/**
 * Waits until the program has ended or its time is over. Not until its output is closed: a daemon that it left behind
 * may hold that for ever. 0, or -1 with errno when its end can't be known.
 */
static int wait_for_end(struct program *program)
{
	for (;;) {
		struct pollfd watched[] = {{.fd = program->pidfd, .events = POLLIN},
		                           {.fd = program->output_fd, .events = POLLIN}};
		int left = remaining_ms(program->deadline);
		int ready = poll(watched, 2, left);
		if (ready > 0 && watched[1].revents != 0)
			drain_output(program);
		if (ready > 0 && watched[0].revents != 0)
			break;
		if (left == 0) {
			program->timed_out = 1;
			break;
		}
	}
	// The group has the pid of its leader, which is ours until it is reaped: this can't hit anyone else.
	if (program->timed_out)
		kill(-program->pid, SIGKILL);
	if (ER_RETRY(waitpid(program->pid, &program->status, 0)) < 0)
		return -1;
	drain_output(program);
	return 0;
}

/** The output as the inside of a JSON string: what is not UTF-8 becomes U+FFFD. */
static void write_json_text(FILE *out, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t length = er_utf8_sequence(text + at, size - at);
		unsigned char first = (unsigned char)text[at];
		if (length == 0)
			fputs("\xEF\xBF\xBD", out);
		else if (first < 0x20 || first == '"' || first == '\\')
			fprintf(out, "\\u%04x", first);
		else
			fwrite(text + at, 1, length, out);
		at += length == 0 ? 1 : length;
	}
}

static int describe(const struct program *program, struct er_result *result)
{
	int signaled = WIFSIGNALED(program->status);
	FILE *out = open_memstream(&result->owned, &result->size);
	if (out == NULL)
		return -1;
	fprintf(out, "{\"exitCode\":%d,\"signal\":%d,\"timedOut\":%s,\"output\":\"", er_exit_code(program->status),
	        signaled ? WTERMSIG(program->status) : 0, program->timed_out ? "true" : "false");
	write_json_text(out, program->output, program->output_size);
	fputs("\"}", out);
	if (fclose(out) != 0) {
		er_result_clear(result);
		return -1;
	}
	result->label = "result of a program";
	return 0;
}

static int run(struct program *program, const union er_arg *args, struct er_error *error)
{
	er_auto_free char **argv = make_vector(&args[1], program->path);
	er_auto_free char **envp = make_vector(&args[2], NULL);
	er_auto_close int stdin_fd = open_text(args[3].bytes);
	int ends[2] = {-1, -1};
	if (argv == NULL || envp == NULL || stdin_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return er_fail(error, errno, "run \"%s\"", program->path);
	program->output_fd = ends[0];
	er_auto_close int output_fd = ends[1];
	// Only our end: each end of a pipe has flags of its own.
	fcntl(program->output_fd, F_SETFL, O_NONBLOCK);
	int number = spawn(program, argv, envp, stdin_fd, output_fd);
	if (number != 0)
		return er_fail(error, number, "run \"%s\"", program->path);
	er_close_at(&output_fd);
	program->pidfd = er_pidfd_open(program->pid);
	if (program->pidfd < 0) {
		number = errno;
		kill(-program->pid, SIGKILL);
		ER_RETRY(waitpid(program->pid, &program->status, 0));
		return er_fail(error, number, "run \"%s\"", program->path);
	}
	if (wait_for_end(program) < 0)
		return er_fail(error, errno, "wait \"%s\"", program->path);
	return 0;
}

int er_run_program(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *path = args[0].bytes.data;
	int64_t timeout_ms = args[4].number;
	if (path[0] != '/' || timeout_ms < 0)
		return er_fail(error, EINVAL, "run \"%s\"", path);
	er_auto_free struct program *program = calloc(1, sizeof *program);
	if (program == NULL)
		return er_fail(error, errno, "run \"%s\"", path);
	program->path = path;
	program->pidfd = program->output_fd = -1;
	program->deadline = timeout_ms == 0 ? INT64_MAX : er_monotonic_ms() + timeout_ms;
	int failed = run(program, args, error);
	er_close_at(&program->output_fd);
	er_close_at(&program->pidfd);
	if (!failed && describe(program, result) < 0)
		failed = er_fail(error, errno, "run \"%s\"", path);
	return failed;
}
