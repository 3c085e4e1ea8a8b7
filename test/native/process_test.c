// SPDX-License-Identifier: Apache-2.0
// Looking at, signalling, waiting for and limiting processes.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

/** A child that only waits; its name is made to look like other fields of /proc/PID/stat. */
static pid_t start_child(void)
{
	int ends[2];
	char byte;
	if (pipe(ends) < 0)
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, ") R 1 (x) Z 2");
		close(ends[0]);
		close(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	while (read(ends[0], &byte, 1) > 0)
		;
	close(ends[0]);
	return child;
}

static void test_info_and_signal(void)
{
	pid_t child = start_child();
	usleep(20000);
	check(CALL(er_process_info, num(child)) == 0 && result.count == 3 && result.ints[1] == 'S' &&
			  result.ints[2] == getpid() && result.ints[0] > 0,
		  "processInfo is not misled by a process's name");
	int64_t start_time = result.ints[0];
	check(failed_with(CALL(er_signal_process, num(child), num(start_time + 1), num(SIGKILL)), ESRCH),
		  "signalProcess refuses another start time");
	check(CALL(er_signal_process, num(child), num(start_time), num(0)) == 0, "signalProcess takes signal 0");
	check(CALL(er_signal_process, num(child), num(start_time), num(SIGTERM)) == 0, "signalProcess signals");
	check(CALL(er_wait_process, num(child)) == 0 && result.ints[0] == 128 + SIGTERM,
		  "waitProcess gives 128+n for signal n");
	check(CALL(er_process_info, num(child)) == 0 && result.is_null, "processInfo is null for a process that is gone");
	check(failed_with(CALL(er_signal_process, num(child), num(start_time), num(0)), ESRCH),
		  "signalProcess fails with ESRCH on one that is gone");
	check(failed_with(CALL(er_wait_process, num(child)), ECHILD), "waitProcess fails with ECHILD without a child");
}

static void test_hostile_numbers(void)
{
	static const int64_t pids[] = {0, -1, -2147483648LL, 1LL << 32, (1LL << 32) + 1};
	for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
		char name[80];
		snprintf(name, sizeof name, "pid %lld is refused everywhere", (long long)pids[i]);
		check(failed_with(CALL(er_process_info, num(pids[i])), EINVAL) &&
				  failed_with(CALL(er_signal_process, num(pids[i]), num(0), num(0)), EINVAL) &&
				  failed_with(CALL(er_wait_process, num(pids[i])), EINVAL) &&
				  failed_with(CALL(er_set_resource_limit, num(pids[i]), num(RLIMIT_CORE), str("0"), str("0")), EINVAL),
			  name);
	}
}

static void test_exit_code(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(42);
	check(CALL(er_wait_process, num(child)) == 0 && result.ints[0] == 42, "waitProcess gives the exit code");
}

static void test_limits(void)
{
	pid_t child = start_child();
	struct rlimit64 limit;
	check(CALL(er_set_resource_limit, num(child), num(RLIMIT_CORE), str("12"), str("345")) == 0 &&
			  prlimit64(child, RLIMIT_CORE, NULL, &limit) == 0 && limit.rlim_cur == 12 && limit.rlim_max == 345,
		  "setResourceLimit sets both limits");
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x1", "01", "1e3", "18446744073709551616", "99999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char name[80];
		snprintf(name, sizeof name, "setResourceLimit refuses \"%s\"", bad[i]);
		check(failed_with(CALL(er_set_resource_limit, num(child), num(RLIMIT_CORE), str("0"), str(bad[i])), EINVAL),
			  name);
	}
	struct rlimit64 infinite;
	prlimit64(child, RLIMIT_CPU, NULL, &infinite);
	check(infinite.rlim_max != RLIM64_INFINITY || CALL(er_set_resource_limit, num(child), num(RLIMIT_CPU),
													   str("18446744073709551615"), str("18446744073709551615")) == 0,
		  "setResourceLimit takes 2^64-1, infinity");
	check(failed_with(CALL(er_set_resource_limit, num(child), num(RLIMIT_CORE), str("2"), str("1")), EINVAL),
		  "setResourceLimit refuses a soft limit over the hard one");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	test_info_and_signal();
	test_hostile_numbers();
	test_exit_code();
	test_limits();
	er_result_clear(&result);
	return check_summary();
}
