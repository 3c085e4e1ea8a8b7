// SPDX-License-Identifier: Apache-2.0
// From a profile to BPF. libseccomp writes the program; what is decided here follows runc, whose profiles these are.
#include <ctype.h>
#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "seccomp.h"

_Static_assert(sizeof(struct sock_filter) == ER_SECCOMP_INSTRUCTION_BYTES, "the kernel's instruction");

#define MAX_CONDITIONS 6
/** More than libseccomp knows. */
#define MAX_ARCHITECTURES 32
/** From this many rules on, a binary tree is shorter for the kernel to walk than a list. */
#define MANY_RULES 32

/** Reads a profile's words. What runs past the end reads as 0 and sets `malformed`, which is asked for once. */
struct reader {
	const struct er_seccomp_profile *profile;
	size_t at;
	int malformed;
};

static uint32_t next_word(struct reader *reader)
{
	if (reader->at < reader->profile->word_count)
		return reader->profile->words[reader->at++];
	reader->malformed = 1;
	return 0;
}

static uint64_t next_long(struct reader *reader)
{
	uint64_t low = next_word(reader);
	return low | (uint64_t)next_word(reader) << 32;
}

static const char *next_string(struct reader *reader)
{
	uint32_t index = next_word(reader);
	if (!reader->malformed && index < reader->profile->string_count)
		return reader->profile->strings[index].data;
	reader->malformed = 1;
	return "";
}

/** An action and its errno (the answer of ERRNO, the message of TRACE) as libseccomp's number. */
static uint32_t next_action(struct reader *reader)
{
	uint32_t action = next_word(reader);
	uint32_t number = next_word(reader);
	if (number > UINT16_MAX)
		reader->malformed = 1;
	switch (action) {
	case 0:
		return SCMP_ACT_KILL_THREAD;
	case 1:
		return SCMP_ACT_KILL_PROCESS;
	case 2:
		return SCMP_ACT_TRAP;
	case 3:
		return SCMP_ACT_ERRNO(number);
	case 4:
		return SCMP_ACT_TRACE(number);
	case 5:
		return SCMP_ACT_ALLOW;
	case 6:
		return SCMP_ACT_LOG;
	case 7:
		return SCMP_ACT_NOTIFY;
	default:
		reader->malformed = 1;
		return SCMP_ACT_KILL_PROCESS;
	}
}

static int fail_malformed(struct er_error *error)
{
	return er_fail(error, EINVAL, "compile \"seccomp profile\": malformed");
}

/** SCMP_ARCH_* of its name in a profile; 0 where this libseccomp doesn't know it. */
static uint32_t resolve_architecture(const char *name)
{
	static const char prefix[] = "SCMP_ARCH_";
	char lower[32] = "";
	if (strncmp(name, prefix, sizeof prefix - 1) == 0 && strlen(name) < sizeof prefix + sizeof lower - 1) {
		for (size_t i = 0; name[sizeof prefix - 1 + i] != '\0'; i++)
			lower[i] = (char)tolower((unsigned char)name[sizeof prefix - 1 + i]);
	}
	return seccomp_arch_resolve_name(lower);
}

/** A filter under construction. */
struct generation {
	scmp_filter_ctx filter;
	uint32_t default_action;
	struct er_known_calls known[MAX_ARCHITECTURES]; // the machine's own first
	size_t architecture_count;
	int rules;
};

/** The listed architectures, beside the machine's own, which is always there. */
static int add_architectures(struct reader *reader, struct generation *generation, struct er_error *error)
{
	generation->known[generation->architecture_count++].architecture = seccomp_arch_native();
	uint32_t count = next_word(reader);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = next_string(reader);
		if (reader->malformed)
			return fail_malformed(error);
		uint32_t architecture = resolve_architecture(name);
		if (architecture == 0)
			return er_fail(error, EINVAL, "unknown seccomp architecture \"%s\"", name);
		int number = -seccomp_arch_add(generation->filter, architecture);
		if (number == EEXIST)
			continue;
		if (number > 0 || generation->architecture_count == MAX_ARCHITECTURES)
			return er_fail(error, number > 0 ? number : E2BIG, "add seccomp architecture \"%s\"", name);
		generation->known[generation->architecture_count++].architecture = architecture;
	}
	return 0;
}

/** A profile knows a system call that it names, whatever it says of it. Numbers differ between architectures. */
static void note_known_call(struct generation *generation, const char *name)
{
	for (size_t i = 0; i < generation->architecture_count; i++) {
		struct er_known_calls *known = &generation->known[i];
		int number = seccomp_syscall_resolve_name_arch(known->architecture, name);
		if (number > 0 && (uint32_t)number > known->highest) // negative: not on this architecture
			known->highest = (uint32_t)number;
	}
}

/** A rule's conditions; returns their number. */
static unsigned next_conditions(struct reader *reader, struct scmp_arg_cmp conditions[MAX_CONDITIONS])
{
	uint32_t count = next_word(reader);
	if (count > MAX_CONDITIONS) {
		reader->malformed = 1;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t argument = next_word(reader);
		uint32_t comparison = next_word(reader);
		uint64_t value = next_long(reader);
		uint64_t second = next_long(reader);
		if (argument > 5 || comparison < SCMP_CMP_NE || comparison > SCMP_CMP_MASKED_EQ)
			reader->malformed = 1;
		// For MASKED_EQ the first is the mask, the second what must be left under it.
		conditions[i] = (struct scmp_arg_cmp){
			.arg = argument, .op = (enum scmp_compare)comparison, .datum_a = value, .datum_b = second};
	}
	return count;
}

/** libseccomp takes one condition per argument. Several on one are, as in runc, a rule each: any may hold. */
static int has_repeated_argument(const struct scmp_arg_cmp *conditions, unsigned count)
{
	unsigned seen = 0;
	for (unsigned i = 0; i < count; i++) {
		if (seen & 1u << conditions[i].arg)
			return 1;
		seen |= 1u << conditions[i].arg;
	}
	return 0;
}

static int add_rule(scmp_filter_ctx filter, uint32_t action, int syscall_number,
                    const struct scmp_arg_cmp *conditions, unsigned count)
{
	if (!has_repeated_argument(conditions, count))
		return seccomp_rule_add_array(filter, action, syscall_number, count, conditions);
	int result = 0;
	for (unsigned i = 0; i < count && result == 0; i++)
		result = seccomp_rule_add_array(filter, action, syscall_number, 1, &conditions[i]);
	return result;
}

/** One rule for each of its system calls. */
static int add_rules(struct reader *reader, struct generation *generation, struct er_error *error)
{
	uint32_t action = next_action(reader);
	uint32_t name_count = next_word(reader);
	struct reader names = *reader;
	for (uint32_t i = 0; i < name_count && !reader->malformed; i++)
		next_string(reader);
	struct scmp_arg_cmp conditions[MAX_CONDITIONS] = {0};
	unsigned condition_count = next_conditions(reader, conditions);
	if (reader->malformed)
		return fail_malformed(error);
	for (uint32_t i = 0; i < name_count; i++) {
		const char *name = next_string(&names);
		note_known_call(generation, name);
		int syscall_number = seccomp_syscall_resolve_name(name);
		// Of another kernel's time: the default action meets it. And libseccomp refuses rules that change nothing.
		if (syscall_number == __NR_SCMP_ERROR || action == generation->default_action)
			continue;
		int result = add_rule(generation->filter, action, syscall_number, conditions, condition_count);
		if (result < 0)
			return er_fail(error, -result, "add seccomp rule \"%s\"", name);
		generation->rules++;
	}
	return 0;
}

static int fill_filter(struct reader *reader, struct generation *generation, struct er_error *error)
{
	// The plan says whether no_new_privs is set; with it on, libseccomp would set it.
	seccomp_attr_set(generation->filter, SCMP_FLTATR_CTL_NNP, 0);
	if (add_architectures(reader, generation, error) < 0)
		return -1;
	uint32_t count = next_word(reader);
	for (uint32_t i = 0; i < count; i++) {
		if (add_rules(reader, generation, error) < 0)
			return -1;
	}
	if (reader->malformed || reader->at != reader->profile->word_count)
		return fail_malformed(error);
	// Never with few rules: libseccomp up to 2.5.4 makes a broken tree of none. Libraries without it make a list.
	if (generation->rules > MANY_RULES)
		seccomp_attr_set(generation->filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return 0;
}

/** A default that lets calls through, or hands them to a tracer that knows what it does, answers new ones as well. */
static int refuses_by_default(uint32_t default_action)
{
	return default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
	       default_action != SCMP_ACT_ERRNO(ENOSYS) &&
	       (default_action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE;
}

/** libseccomp's program, as a malloc'd text with room for `room` bytes before it. */
static int export_program(scmp_filter_ctx filter, size_t room, char **program, size_t *size, struct er_error *error)
{
	// libseccomp before 2.6 can only write to a descriptor.
	er_auto_close int fd = memfd_create("edgerun-seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return er_fail(error, errno, "memfd_create \"edgerun-seccomp\"");
	if (lseek(fd, (off_t)room, SEEK_SET) < 0)
		return er_fail(error, errno, "seek \"edgerun-seccomp\"");
	int result = seccomp_export_bpf(filter, fd);
	if (result < 0)
		return er_fail(error, -result, "compile \"seccomp profile\"");
	struct stat info;
	if (fstat(fd, &info) < 0)
		return er_fail(error, errno, "fstat \"edgerun-seccomp\"");
	if (info.st_size > BPF_MAXINSNS * ER_SECCOMP_INSTRUCTION_BYTES)
		return er_fail(error, EINVAL, "compile \"seccomp profile\": filter too large (%lld instructions, at most %d)",
		               (long long)info.st_size / ER_SECCOMP_INSTRUCTION_BYTES, BPF_MAXINSNS);
	if (lseek(fd, 0, SEEK_SET) < 0 || er_read_to_end(fd, (size_t)info.st_size, program, size) < 0)
		return er_fail(error, errno, "read \"edgerun-seccomp\"");
	return 0;
}

int er_seccomp_generate(const struct er_seccomp_profile *profile, char **program, size_t *size,
                        struct er_error *error)
{
	struct reader reader = {.profile = profile};
	struct generation generation = {.default_action = next_action(&reader)};
	if (reader.malformed)
		return fail_malformed(error);
	generation.filter = seccomp_init(generation.default_action);
	if (generation.filter == NULL)
		return er_fail(error, EINVAL, "initialize \"seccomp filter\"");
	struct sock_filter newer[MAX_ARCHITECTURES * ER_SECCOMP_SECTION_INSTRUCTIONS];
	size_t newer_size = 0;
	int failed = fill_filter(&reader, &generation, error);
	if (!failed && refuses_by_default(generation.default_action))
		newer_size = sizeof *newer * er_seccomp_answer_newer(generation.known, generation.architecture_count, newer);
	if (!failed)
		failed = export_program(generation.filter, newer_size, program, size, error);
	if (!failed)
		memcpy(*program, newer, newer_size);
	seccomp_release(generation.filter);
	return failed;
}
