// SPDX-License-Identifier: Apache-2.0
// Seccomp filters: from a profile to the kernel's BPF, and the cache of what was compiled.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "host.h"

struct sock_filter;

/** Bytes of one BPF instruction (struct sock_filter). */
#define ER_SECCOMP_INSTRUCTION_BYTES 8
#define ER_SECCOMP_KEY_BYTES 32

/**
 * A profile, as the brain sends it. Words: default action, its errno; the number of architectures, each an index into
 * strings ("SCMP_ARCH_X86_64"); the number of rules, and for each: action, its errno, the number of system calls and
 * their names' indexes, the number of conditions (all must hold) and for each: argument, comparison (enum
 * scmp_compare), value and second value, each as low and high word. Actions: see seccomp_generate.c.
 */
struct er_seccomp_profile {
	const uint32_t *words;
	size_t word_count;
	const struct er_bytes *strings;
	size_t string_count;
};

/**
 * Compiles a profile with libseccomp; takes milliseconds. Where the default action refuses, system calls newer than the
 * profile get ENOSYS instead (seccomp_newer.c). The program is malloc'd. 0, or -1 with the error: EINVAL for
 * what is malformed, unknown or larger than the kernel takes.
 */
int er_seccomp_generate(const struct er_seccomp_profile *profile, char **program, size_t *size,
                        struct er_error *error);

/** The highest number of a system call that a profile names, for an architecture (SCMP_ARCH_*); 0: it names none. */
struct er_known_calls {
	uint32_t architecture, highest;
};

/** Instructions that er_seccomp_answer_newer() writes for each architecture, at most. */
#define ER_SECCOMP_SECTION_INSTRUCTIONS 8

/** Writes the beginning of a program: ENOSYS for what is above those numbers. Returns how many instructions. */
size_t er_seccomp_answer_newer(const struct er_known_calls *known, size_t count, struct sock_filter *out);

/** 1 and a malloc'd program when the directory has a sound entry for the key, else 0. */
int er_seccomp_cache_read(const char *directory, const unsigned char key[ER_SECCOMP_KEY_BYTES], char **program,
                          size_t *size);

/** Keeps a program for the next time. A cache that can't be written costs time, nothing else: there is no error. */
void er_seccomp_cache_write(const char *directory, const unsigned char key[ER_SECCOMP_KEY_BYTES], const char *program,
                            size_t size);
