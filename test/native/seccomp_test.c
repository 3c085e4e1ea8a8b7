// SPDX-License-Identifier: Apache-2.0
// Compiled filters, loaded into children that then try system calls.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum action { KILL_THREAD, KILL_PROCESS, TRAP, ERRNO, TRACE, ALLOW, LOG, NOTIFY };

/** A profile under construction; the strings are each used once. */
static uint32_t words[16384];
static struct er_bytes strings[512];
static size_t word_count, string_count;

static void word(uint32_t value)
{
	words[word_count++] = value;
}
static void name(const char *text)
{
	word((uint32_t)string_count);
	strings[string_count++] = (struct er_bytes){text, strlen(text)};
}
static void start_profile(enum action action, uint32_t number, uint32_t rule_count)
{
	word_count = string_count = 0;
	word(action);
	word(number);
	word(0);
	word(rule_count);
}
static void condition(uint32_t argument, enum scmp_compare comparison, uint64_t value, uint64_t second)
{
	word(argument);
	word(comparison);
	word((uint32_t)value);
	word((uint32_t)(value >> 32));
	word((uint32_t)second);
	word((uint32_t)(second >> 32));
}
/** A rule for one system call; as many conditions as announced must follow. */
static void rule(enum action action, uint32_t number, const char *syscall_name, uint32_t conditions)
{
	word(action);
	word(number);
	word(1);
	name(syscall_name);
	word(conditions);
}

static int compile(void)
{
	return CALL(er_compile_seccomp, (union er_arg){.words = {words, word_count}}, list(strings, string_count), str(""));
}

#ifdef __x86_64__
/** A system call of a 32-bit program, which a 64-bit one can make, too; a negative errno as the kernel returns it. */
static long call_as_i386(long number)
{
	int answer;
	__asm__ volatile("int $0x80" : "=a"(answer) : "a"((int)number), "b"(0), "c"(0), "d"(0) : "memory");
	return answer;
}
#endif

static long call_native(long number, long first, long second)
{
	long answer = syscall(number, first, second, 0, 0, 0);
	return answer < 0 ? -errno : answer;
}

/**
 * errno of one system call under the compiled filter, 0 when it worked, -1 when it ended the process.
 * i386: the call is made as 32-bit programs do.
 */
static int call_filtered_as(int i386, long number, long first, long second)
{
	struct sock_fprog program = {.len = (unsigned short)(result.size / sizeof(struct sock_filter)),
								 .filter = (struct sock_filter *)(void *)result.owned};
	pid_t child = fork();
	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
			_exit(255);
#ifdef __x86_64__
		long answer = i386 ? call_as_i386(number) : call_native(number, first, second);
#else
		(void)i386;
		long answer = call_native(number, first, second);
#endif
		syscall(SYS_exit_group, answer < 0 ? -answer : 0); // the sanitizers' _exit does more than the filter allows
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int call_filtered(long number, long first, long second)
{
	return call_filtered_as(0, number, first, second);
}

static void test_actions(void)
{
	start_profile(ALLOW, 0, 0);
	check(compile() == 0 && call_filtered(SYS_getpid, 0, 0) == 0, "a filter without rules allows");
	int unfiltered = call_filtered(SYS_keyctl, 0, 0);
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, EPERM, "keyctl", 0);
	check(compile() == 0 && unfiltered != EPERM && call_filtered(SYS_keyctl, 0, 0) == EPERM,
		  "keyctl gives EPERM with the filter, not without");
	check(call_filtered(SYS_getpid, 0, 0) == 0, "other system calls still work");
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, ENOTTY, "keyctl", 0);
	check(compile() == 0 && call_filtered(SYS_keyctl, 0, 0) == ENOTTY, "the errno is the profile's");
	start_profile(ALLOW, 0, 1);
	rule(KILL_PROCESS, 0, "keyctl", 0);
	check(compile() == 0 && call_filtered(SYS_keyctl, 0, 0) == -1, "KILL_PROCESS ends the process");
	start_profile(ERRNO, ENOSYS, 3);
	rule(ALLOW, 0, "exit_group", 0);
	rule(ALLOW, 0, "getpid", 0);
	rule(ERRNO, ENOSYS, "keyctl", 0);
	check(compile() == 0 && call_filtered(SYS_getpid, 0, 0) == 0 && call_filtered(SYS_keyctl, 0, 0) == ENOSYS,
		  "a default action meets what no rule names; a rule equal to it is no error");
	for (enum action action = KILL_THREAD; action <= NOTIFY; action++) {
		char text[40];
		snprintf(text, sizeof text, "action %d compiles", action);
		start_profile(ALLOW, 0, 1);
		rule(action, 1, "keyctl", 0);
		check(compile() == 0, text);
	}
}

static void test_names(void)
{
	start_profile(ALLOW, 0, 2);
	rule(ERRNO, EPERM, "no_such_call", 0);
	rule(ERRNO, EPERM, "keyctl", 0);
	check(compile() == 0 && call_filtered(SYS_keyctl, 0, 0) == EPERM, "an unknown system call is skipped");
	static const char *const many[] = {"acct",
									   "add_key",
									   "bpf",
									   "chroot",
									   "delete_module",
									   "fanotify_init",
									   "finit_module",
									   "fsconfig",
									   "fsmount",
									   "fsopen",
									   "fspick",
									   "init_module",
									   "ioperm",
									   "iopl",
									   "kcmp",
									   "kexec_load",
									   "keyctl",
									   "lookup_dcookie",
									   "mbind",
									   "mount",
									   "move_mount",
									   "move_pages",
									   "nfsservctl",
									   "open_by_handle_at",
									   "open_tree",
									   "perf_event_open",
									   "personality",
									   "pivot_root",
									   "process_vm_readv",
									   "process_vm_writev",
									   "ptrace",
									   "query_module",
									   "quotactl",
									   "reboot",
									   "request_key",
									   "setns",
									   "swapoff",
									   "swapon",
									   "syslog",
									   "umount2",
									   "unshare",
									   "uselib",
									   "userfaultfd",
									   "ustat",
									   "vm86"};
	word_count = string_count = 0;
	word(ALLOW);
	word(0);
	word(3);
	name("SCMP_ARCH_X86_64");
	name("SCMP_ARCH_X86");
	name("SCMP_ARCH_X32");
	word(1);
	word(ERRNO);
	word(EPERM);
	word(sizeof many / sizeof *many);
	for (size_t i = 0; i < sizeof many / sizeof *many; i++)
		name(many[i]);
	word(0);
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		check(compile() == 0 && call_filtered(SYS_keyctl, 0, 0) == EPERM && call_filtered(SYS_unshare, 0, 0) == EPERM &&
				  call_filtered(SYS_getpid, 0, 0) == 0,
			  "many rules for three architectures work as a tree");
	else
		skip("many rules for three architectures work as a tree", "not x86-64");
	words[2] = 1;
	name("SCMP_ARCH_NONE");
	words[3] = (uint32_t)string_count - 1;
	check(failed_with(compile(), EINVAL) && strstr(error.message, "\"SCMP_ARCH_NONE\"") != NULL,
		  "an unknown architecture is an error that names it");
}

static void test_conditions(void)
{
	static const struct {
		enum scmp_compare comparison;
		uint64_t value, second;
		int denied[3]; // of 4, 5, 6
	} cases[] = {{SCMP_CMP_NE, 5, 0, {1, 0, 1}},        {SCMP_CMP_LT, 5, 0, {1, 0, 0}},
				 {SCMP_CMP_LE, 5, 0, {1, 1, 0}},        {SCMP_CMP_EQ, 5, 0, {0, 1, 0}},
				 {SCMP_CMP_GE, 5, 0, {0, 1, 1}},        {SCMP_CMP_GT, 5, 0, {0, 0, 1}},
				 {SCMP_CMP_MASKED_EQ, 3, 1, {0, 1, 0}}, {SCMP_CMP_EQ, 5 | 1ull << 32, 0, {0, 0, 0}}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_profile(ALLOW, 0, 1);
		rule(ERRNO, ENOTTY, "keyctl", 1);
		condition(1, cases[i].comparison, cases[i].value, cases[i].second);
		int holds = compile() == 0;
		for (int j = 0; holds && j < 3; j++)
			holds = (call_filtered(SYS_keyctl, -1, 4 + j) == ENOTTY) == cases[i].denied[j];
		char text[60];
		snprintf(text, sizeof text, "comparison %d with %llu selects", cases[i].comparison,
				 (unsigned long long)cases[i].value);
		check(holds, text);
	}
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, ENOTTY, "keyctl", 2);
	condition(0, SCMP_CMP_EQ, 100, 0);
	condition(1, SCMP_CMP_EQ, 5, 0);
	check(compile() == 0 && call_filtered(SYS_keyctl, 100, 5) == ENOTTY && call_filtered(SYS_keyctl, 100, 6) != ENOTTY,
		  "conditions on several arguments must all hold");
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, ENOTTY, "keyctl", 2);
	condition(1, SCMP_CMP_EQ, 5, 0);
	condition(1, SCMP_CMP_EQ, 6, 0);
	check(compile() == 0 && call_filtered(SYS_keyctl, -1, 5) == ENOTTY && call_filtered(SYS_keyctl, -1, 6) == ENOTTY &&
			  call_filtered(SYS_keyctl, -1, 7) != ENOTTY,
		  "of several conditions on one argument any may hold");
}

/** No kernel has it on any architecture. */
#define NEWEST 1000

/** A profile as engines have them: few calls are allowed, and others are named to be refused. */
static void start_strict_profile(enum action action, uint32_t number)
{
	start_profile(action, number, 3);
	rule(ALLOW, 0, "exit_group", 0);
	rule(ALLOW, 0, "getpid", 0);
	rule(action, number, "close_range", 0); // the default's own action: known all the same
}

static void test_newer_calls(void)
{
	start_strict_profile(ERRNO, EPERM);
	check(compile() == 0 && call_filtered(NEWEST, 0, 0) == ENOSYS && call_filtered(SYS_close_range + 1, 0, 0) == ENOSYS,
		  "what is newer than every call that the profile names is unknown (ENOSYS)");
	check(call_filtered(SYS_close_range, 0, 0) == EPERM && call_filtered(SYS_keyctl, 0, 0) == EPERM &&
			  call_filtered(SYS_getpid, 0, 0) == 0,
		  "what is older has the profile's answer");
	start_strict_profile(KILL_PROCESS, 0);
	check(compile() == 0 && call_filtered(NEWEST, 0, 0) == ENOSYS && call_filtered(SYS_keyctl, 0, 0) == -1,
		  "a newer call is unknown where the default is to kill");
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, EPERM, "getpid", 0);
	check(compile() == 0 && call_filtered(SYS_getppid, 0, 0) == 0,
		  "where the default allows, newer calls are not refused");
}

static void test_supported_flags(void)
{
	check(CALL(er_supports_seccomp_flags, num(0)) == 0 && result.ints[0] == 1, "a filter without flags is supported");
	check(CALL(er_supports_seccomp_flags, num(SECCOMP_FILTER_FLAG_LOG)) == 0 && result.ints[0] == 1,
		  "SECCOMP_FILTER_FLAG_LOG is supported");
	check(CALL(er_supports_seccomp_flags, num(1 << 30)) == 0 && result.ints[0] == 0, "no kernel supports bit 30");
}

static void test_newer_calls_of_other_modes(void)
{
#ifdef __x86_64__
	start_strict_profile(ERRNO, EPERM);
	check(compile() == 0 && call_filtered(0x40000000 | NEWEST, 0, 0) == -1 && call_filtered_as(1, NEWEST, 0, 0) == -1,
		  "calls of x32 and 32-bit programs end the process where the profile has only x86-64");
	word_count = string_count = 0;
	word(ERRNO);
	word(EPERM);
	word(2);
	name("SCMP_ARCH_X86");
	name("SCMP_ARCH_X32");
	word(2);
	rule(ALLOW, 0, "exit_group", 0);
	rule(ERRNO, EPERM, "openat2", 0);
	enum { I386_OPENAT2 = 437, I386_KEYCTL = 288 };
	check(compile() == 0 && call_filtered(0x40000000 | NEWEST, 0, 0) == ENOSYS &&
			  call_filtered(0x40000000 | SYS_keyctl, 0, 0) == EPERM,
		  "x32: newer calls are unknown, older ones refused");
	check(call_filtered_as(1, I386_OPENAT2 + 1, 0, 0) == ENOSYS && call_filtered_as(1, I386_OPENAT2, 0, 0) == EPERM &&
			  call_filtered_as(1, I386_KEYCTL, 0, 0) == EPERM,
		  "x86: newer calls are unknown, older ones refused");
	check(call_filtered(NEWEST, 0, 0) == ENOSYS && call_filtered(SYS_keyctl, 0, 0) == EPERM,
		  "x86-64 beside them: newer calls are unknown, older ones refused");
#else
	skip("newer calls of x32 and 32-bit programs", "not x86-64");
#endif
}

static void test_malformed(void)
{
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, EPERM, "keyctl", 1);
	condition(1, SCMP_CMP_EQ, 5, 0);
	size_t whole = word_count;
	int refused = 0;
	for (word_count = 0; word_count < whole; word_count++)
		refused += failed_with(compile(), EINVAL);
	check(refused == (int)whole, "a profile cut off anywhere is refused");
	word(0);
	check(failed_with(compile(), EINVAL), "words after the end are refused");
	word_count = whole;
	// Each word alone set to what it must not be.
	static const size_t places[] = {0, 2, 3, 4, 6, 7, 8, 9, 10};
	refused = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		uint32_t saved = words[places[i]];
		words[places[i]] = UINT32_MAX;
		refused += failed_with(compile(), EINVAL);
		words[places[i]] = saved;
	}
	check(refused == sizeof places / sizeof *places,
		  "counts, indexes, actions and comparisons out of range are refused");
	start_profile(ALLOW, 0, 1);
	rule(ERRNO, 0x10000, "keyctl", 0);
	check(failed_with(compile(), EINVAL), "an errno of more than 16 bits is refused");
}

static void test_too_large(void)
{
	static const char *const calls[] = {"keyctl", "bpf", "mount", "ptrace", "unshare", "setns", "reboot", "swapon"};
	enum { PER_CALL = 60 };
	start_profile(ALLOW, 0, 8 * PER_CALL);
	for (uint64_t i = 0; i < 8 * PER_CALL; i++) {
		word(ERRNO);
		word(EPERM);
		word(1);
		if (i % PER_CALL == 0)
			name(calls[i / PER_CALL]);
		else
			word((uint32_t)string_count - 1);
		word(3);
		// Values that share no half, so that libseccomp can't merge their checks.
		for (uint32_t argument = 0; argument < 3; argument++)
			condition(argument, SCMP_CMP_EQ, (i + 1) * 0x100000001ull * (argument + 1), 0);
	}
	check(failed_with(compile(), EINVAL) && strstr(error.message, "filter too large") != NULL,
		  "a filter of more than 4096 instructions is refused");
}

int main(void)
{
	test_actions();
	test_names();
	test_conditions();
	test_newer_calls();
	test_newer_calls_of_other_modes();
	test_supported_flags();
	test_malformed();
	test_too_large();
	er_result_clear(&result);
	return check_summary();
}
