// SPDX-License-Identifier: Apache-2.0
// The answer to system calls that are newer than the profile. A C library tries the new call (clone3, openat2) and
// falls back to the old one at ENOSYS, and at nothing else: a default action of EPERM, or of death, would end programs
// that a profile's author never thought of. So what has a number above every one that the profile names gets ENOSYS,
// as in runc. libseccomp (up to 2.6) can't say "above": its rules are for numbers, one each.
//
// A section for each architecture, in front of libseccomp's program, which loads everything anew:
//
//       ld   [arch]
//       jeq  ARCHITECTURE, next, END
//       ld   [nr]
//       jset X32_BIT, END, next          x86-64; for x32 the other way round
//       jeq  0, RETURN, next             s390: the number of calls that the kernel can't even number
//       jgt  HIGHEST, next, DONE
//   RETURN: ret ENOSYS
//   DONE:   ja   the program behind the last section
//   END:
#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>

#include "seccomp.h"

/** x32 is x86-64 to the kernel's `arch`; this bit of the number tells them apart (syscall(2)). */
#define X32_BIT 0x40000000u

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

static struct sock_filter jump(unsigned short test, uint32_t value, size_t if_true, size_t if_false)
{
	return (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value, (unsigned char)if_true, (unsigned char)if_false);
}

static size_t write_section(struct er_known_calls known, struct sock_filter *out)
{
	int is_x32 = known.architecture == SCMP_ARCH_X32;
	int is_s390 = known.architecture == SCMP_ARCH_S390 || known.architecture == SCMP_ARCH_S390X;
	int has_mode = is_x32 || known.architecture == SCMP_ARCH_X86_64;
	size_t end = (size_t)(6 + has_mode + is_s390);
	size_t at = 0;
	out[at++] = (struct sock_filter)LOAD(arch);
	// libseccomp's numbers are the kernel's AUDIT_ARCH_*, but for x32, of which the kernel has none.
	out[at] = jump(BPF_JEQ, is_x32 ? SCMP_ARCH_X86_64 : known.architecture, 0, end - at - 1);
	at++;
	out[at++] = (struct sock_filter)LOAD(nr);
	if (has_mode) {
		size_t past = end - at - 1;
		out[at++] = jump(BPF_JSET, X32_BIT, is_x32 ? 0 : past, is_x32 ? past : 0);
	}
	if (is_s390)
		out[at++] = jump(BPF_JEQ, 0, 1, 0);
	out[at++] = jump(BPF_JGT, known.highest, 0, 1);
	out[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SCMP_ACT_ERRNO(ENOSYS));
	out[at++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0); // its way is known when all sections are written
	return at;
}

size_t er_seccomp_answer_newer(const struct er_known_calls *known, size_t count, struct sock_filter *out)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		if (known[i].highest != 0)
			size += write_section(known[i], out + size);
	for (size_t i = 0; i < size; i++)
		if (out[i].code == (BPF_JMP | BPF_JA))
			out[i].k = (uint32_t)(size - i - 1);
	return size;
}
