// SPDX-License-Identifier: Apache-2.0
// Device control of cgroup v2: a BPF program on the container's cgroup. What it allows is decided in
// src/plan/device_program.ts.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "functions.h"

/** More instructions than this no kernel takes (BPF_COMPLEXITY_LIMIT_INSNS). */
#define MAX_INSTRUCTIONS 1000000
#define LOG_SIZE 65536
/** Of the verifier's log, as much as fits an error message: its end says what was wrong. */
#define LOG_TAIL 600

/** Always the whole union: some kernels write beyond a shorter one. */
static int bpf(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

/** The table's words to what the kernel reads: in a word, fields have the same place on every machine. */
static struct bpf_insn *decode_program(const uint32_t *words, size_t count)
{
	struct bpf_insn *instructions = calloc(count, sizeof *instructions);
	if (instructions == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		uint32_t first = words[2 * i];
		instructions[i] = (struct bpf_insn){.code = first & 0xff,
		                                    .dst_reg = first >> 8 & 0xf,
		                                    .src_reg = first >> 12 & 0xf,
		                                    .off = (int16_t)(first >> 16),
		                                    .imm = (int32_t)words[2 * i + 1]};
	}
	return instructions;
}

/** Loads the program. `log`, if not null, receives what the verifier has to say. A descriptor, or -1 with errno. */
static int load_program(const struct bpf_insn *instructions, size_t count, char *log)
{
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attributes.insn_cnt = (uint32_t)count;
	attributes.insns = (uintptr_t)instructions;
	attributes.license = (uintptr_t) "Apache-2.0"; // no helper is called, so any license does
	strcpy(attributes.prog_name, "edgerun_devices");
	if (log != NULL) {
		attributes.log_level = 1;
		attributes.log_size = LOG_SIZE;
		attributes.log_buf = (uintptr_t)log;
	}
	return bpf(BPF_PROG_LOAD, &attributes);
}

/** Linux before 5.11 charges programs to RLIMIT_MEMLOCK: its usual 64 KiB are used up by a few containers. */
static int load_program_unlimited(const struct bpf_insn *instructions, size_t count)
{
	struct rlimit before;
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	if (getrlimit(RLIMIT_MEMLOCK, &before) != 0 || setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) {
		errno = EPERM;
		return -1;
	}
	int fd = load_program(instructions, count, NULL);
	int saved = errno;
	setrlimit(RLIMIT_MEMLOCK, &before); // what is started later inherits it
	errno = saved;
	return fd;
}

/** Why the kernel refuses the program: loaded once more, for the verifier's log. */
static int fail_to_load(const struct bpf_insn *instructions, size_t count, int number, struct er_error *error)
{
	er_auto_free char *log = calloc(1, LOG_SIZE);
	if (log == NULL)
		return er_fail(error, number, "load device program");
	er_auto_close int fd = load_program(instructions, count, log);
	size_t size = strnlen(log, LOG_SIZE - 1);
	while (size > 0 && log[size - 1] == '\n')
		log[--size] = '\0';
	const char *tail = size > LOG_TAIL ? log + size - LOG_TAIL : log;
	for (char *newline = log; (newline = strchr(newline, '\n')) != NULL;)
		*newline = ';';
	return er_fail(error, number, "load device program%s%s", *tail == '\0' ? "" : ": ", tail);
}

int er_attach_device_program(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	const char *path = args[0].bytes.data;
	size_t count = args[1].words.count / 2;
	if (count == 0 || count > MAX_INSTRUCTIONS || args[1].words.count % 2 != 0)
		return er_fail(error, EINVAL, "load device program");
	er_auto_close int cgroup_fd = ER_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (cgroup_fd < 0)
		return er_fail(error, errno, "open cgroup \"%s\"", path);
	er_auto_free struct bpf_insn *instructions = decode_program(args[1].words.items, count);
	if (instructions == NULL)
		return er_fail(error, errno, "load device program");
	er_auto_close int program_fd = load_program(instructions, count, NULL);
	if (program_fd < 0 && errno == EPERM)
		program_fd = load_program_unlimited(instructions, count);
	if (program_fd < 0)
		return fail_to_load(instructions, count, errno, error);
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.target_fd = (uint32_t)cgroup_fd;
	attributes.attach_bpf_fd = (uint32_t)program_fd;
	attributes.attach_type = BPF_CGROUP_DEVICE;
	// Beside the programs of cgroups above and of other owners: all of them must allow an access.
	attributes.attach_flags = BPF_F_ALLOW_MULTI;
	if (bpf(BPF_PROG_ATTACH, &attributes) != 0)
		return er_fail(error, errno, "attach device program to cgroup \"%s\"", path);
	return 0;
}
