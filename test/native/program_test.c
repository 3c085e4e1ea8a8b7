// SPDX-License-Identifier: Apache-2.0
// Running host programs as hooks.
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "check.h"

static const char *input = "";
static struct er_bytes environment[4];
static size_t environment_count;

/** Runs `sh -c SCRIPT`. */
static int run(const char *script, int64_t timeout_ms)
{
	const struct er_bytes arguments[] = {{"sh", 2}, {"-c", 2}, {script, strlen(script)}};
	return CALL(er_run_program, str("/bin/sh"), list(arguments, 3), list(environment, environment_count), str(input),
				num(timeout_ms));
}

static int ends_with(int exit_code, int signal, const char *output)
{
	char expected[1024];
	snprintf(expected, sizeof expected, "{\"exitCode\":%d,\"signal\":%d,\"timedOut\":false,\"output\":\"%s\"}",
			 exit_code, signal, output);
	if (gave(expected))
		return 1;
	printf("# got %.200s, want %s\n", result.owned == NULL ? error.message : result.owned, expected);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void test_results(void)
{
	check(run("echo out; echo err >&2; exit 3", 0) == 0 && ends_with(3, 0, "out\\u000aerr\\u000a"),
		  "exit code, stdout and stderr are given");
	check(run("kill -9 $$", 0) == 0 && ends_with(137, 9, ""), "a signal is given, with 128+n as exit code");
	check(run("printf '\"\\\\\\001\\377\\303\\251'", 0) == 0 &&
			  ends_with(0, 0, "\\u0022\\u005c\\u0001\xEF\xBF\xBD\xC3\xA9"),
		  "output is given as valid JSON");
	check(failed_with(CALL(er_run_program, str("/none"), list(NULL, 0), list(NULL, 0), str(""), num(0)), ENOENT),
		  "an absent program is ENOENT");
	check(failed_with(CALL(er_run_program, str("/dev/null"), list(NULL, 0), list(NULL, 0), str(""), num(0)), EACCES),
		  "a file that is no program is EACCES");
	check(failed_with(CALL(er_run_program, str("sh"), list(NULL, 0), list(NULL, 0), str(""), num(0)), EINVAL),
		  "a relative path is refused");
	check(CALL(er_run_program, str("/bin/true"), list(NULL, 0), list(NULL, 0), str(""), num(0)) == 0 &&
			  ends_with(0, 0, ""),
		  "without arguments the path is argv[0]");
}

static void test_surroundings(void)
{
	setenv("LD_PRELOAD_TEST", "leaked", 1);
	check(run("/usr/bin/env", 1000) == 0 && strstr(result.owned, "leaked") == NULL,
		  "nothing of our environment is passed on");
	environment[0] = (struct er_bytes){"A=1", 3};
	environment_count = 1;
	check(run("echo $A$LD_PRELOAD_TEST", 0) == 0 && ends_with(0, 0, "1\\u000a"), "the given environment is passed on");
	environment_count = 0;
	int fd = open("/dev/null", O_RDONLY); // without O_CLOEXEC, as a careless host program would
	int high = fcntl(fd, F_DUPFD, 200);
	check(run("for f in /proc/self/fd/*; do test -e $f && echo ${f##*/}; done", 0) == 0 &&
			  strstr(result.owned, "200") == NULL,
		  "no other descriptor is passed on");
	close(fd);
	close(high);
	signal(SIGUSR1, SIG_IGN);
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	// Without the two signals that glibc keeps for itself, which its posix_spawn leaves ignored.
	check(run("sed -n 's/^Sig\\(Blk\\|Ign\\):.*\\(.......\\)$/\\2/p' /proc/self/status | tr -d '\\n'", 0) == 0 &&
			  ends_with(0, 0, "00000000000000"),
		  "signals are neither blocked nor ignored");
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void test_streams(void)
{
	char *large = malloc((1 << 20) + 1);
	if (large == NULL)
		exit(1);
	memset(large, 'x', 1 << 20);
	large[1 << 20] = '\0';
	input = large;
	check(run("cat | wc -c", 0) == 0 && ends_with(0, 0, "1048576\\u000a"), "stdin is given whole");
	check(run("exit 0", 0) == 0 && ends_with(0, 0, ""), "a program need not read its stdin");
	check(run("cat", 0) == 0 && result.size > 65536 && result.size < 65536 + 100,
		  "output over 64 KiB is read but not kept");
	check(run("cat; cat /dev/stdin; exit 5", 0) == 0 && strstr(result.owned, "\"exitCode\":5") != NULL,
		  "a program that writes much comes to its end");
	input = "";
	free(large);
	int64_t start = now_ms();
	check(run("sleep 5 & echo started", 0) == 0 && ends_with(0, 0, "started\\u000a") && now_ms() - start < 3000,
		  "a daemon that holds the output does not keep the program running");
}

static void test_timeout(void)
{
	int64_t start = now_ms();
	check(run("sleep 60", 100) == 0 && strstr(result.owned, "\"signal\":9,\"timedOut\":true") != NULL &&
			  now_ms() - start < 3000,
		  "a sleeping program is killed");
	check(run("trap '' TERM; (sleep 0.3; touch survived) & sleep 60", 100) == 0 &&
			  strstr(result.owned, "\"timedOut\":true") != NULL,
		  "one that ignores signals is killed");
	usleep(400000);
	check(access("survived", F_OK) < 0, "what it started is killed, too");
	check(run("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", 100) == 0 &&
			  strstr(result.owned, "\"timedOut\":true") != NULL,
		  "one that writes without end is killed");
	check(run("echo fast", 60000) == 0 && ends_with(0, 0, "fast\\u000a"),
		  "a timeout changes nothing for a fast program");
}

int main(void)
{
	enter_directory();
	test_results();
	test_surroundings();
	test_streams();
	test_timeout();
	leave_directory();
	return check_summary();
}
