// SPDX-License-Identifier: Apache-2.0
// From a profile to BPF. libseccomp writes the program; what is decided here follows runc, whose profiles these are.
#include <ctype.h>
#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
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

/** The listed architectures, beside the machine's own, which is always there. */
static int add_architectures(struct reader *reader, scmp_filter_ctx filter, struct er_error *error)
{
	static const char prefix[] = "SCMP_ARCH_";
	uint32_t count = next_word(reader);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = next_string(reader);
		if (reader->malformed)
			return fail_malformed(error);
		char lower[32] = "";
		if (strncmp(name, prefix, sizeof prefix - 1) == 0 && strlen(name) < sizeof prefix + sizeof lower - 1) {
			for (size_t j = 0; name[sizeof prefix - 1 + j] != '\0'; j++)
				lower[j] = (char)tolower((unsigned char)name[sizeof prefix - 1 + j]);
		}
		uint32_t architecture = seccomp_arch_resolve_name(lower);
		if (architecture == 0)
			return er_fail(error, EINVAL, "unknown seccomp architecture \"%s\"", name);
		int number = -seccomp_arch_add(filter, architecture);
		if (number > 0 && number != EEXIST)
			return er_fail(error, number, "add seccomp architecture \"%s\"", name);
	}
	return 0;
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

/** One rule for each of its system calls. Returns how many were added, or -1 with the error. */
static int add_rules(struct reader *reader, scmp_filter_ctx filter, uint32_t default_action, struct er_error *error)
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
	if (action == default_action) // libseccomp refuses what changes nothing
		return 0;
	int added = 0;
	for (uint32_t i = 0; i < name_count; i++) {
		const char *name = next_string(&names);
		int syscall_number = seccomp_syscall_resolve_name(name);
		if (syscall_number == __NR_SCMP_ERROR) // of another kernel's time; the default action meets it
			continue;
		int result = add_rule(filter, action, syscall_number, conditions, condition_count);
		if (result < 0)
			return er_fail(error, -result, "add seccomp rule \"%s\"", name);
		added++;
	}
	return added;
}

static int fill_filter(struct reader *reader, scmp_filter_ctx filter, uint32_t default_action, struct er_error *error)
{
	// The plan says whether no_new_privs is set; with it on, libseccomp would set it.
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (add_architectures(reader, filter, error) < 0)
		return -1;
	int rules = 0;
	uint32_t count = next_word(reader);
	for (uint32_t i = 0; i < count; i++) {
		int added = add_rules(reader, filter, default_action, error);
		if (added < 0)
			return -1;
		rules += added;
	}
	if (reader->malformed || reader->at != reader->profile->word_count)
		return fail_malformed(error);
	// Never with few rules: libseccomp up to 2.5.4 makes a broken tree of none. Libraries without it make a list.
	if (rules > MANY_RULES)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return 0;
}

/** libseccomp before 2.6 can only write to a descriptor. */
static int export_program(scmp_filter_ctx filter, char **program, size_t *size, struct er_error *error)
{
	er_auto_close int fd = memfd_create("edgerun-seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return er_fail(error, errno, "memfd_create \"edgerun-seccomp\"");
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
	uint32_t default_action = next_action(&reader);
	if (reader.malformed)
		return fail_malformed(error);
	scmp_filter_ctx filter = seccomp_init(default_action);
	if (filter == NULL)
		return er_fail(error, EINVAL, "initialize \"seccomp filter\"");
	int failed = fill_filter(&reader, filter, default_action, error);
	if (!failed)
		failed = export_program(filter, program, size, error);
	seccomp_release(filter);
	return failed;
}
