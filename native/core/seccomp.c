// SPDX-License-Identifier: Apache-2.0
#include "seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sodium.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "functions.h"

/** Part of every cache key: to be raised when er_seccomp_generate makes something else of the same profile. */
#define GENERATION 2

static void add_number(crypto_hash_sha256_state *state, uint64_t number)
{
	crypto_hash_sha256_update(state, (const unsigned char *)&number, sizeof number);
}

/** The digest of all that the program depends on. Every list is preceded by its length, so no two inputs are alike. */
static void compute_key(const struct er_seccomp_profile *profile, unsigned char key[ER_SECCOMP_KEY_BYTES])
{
	_Static_assert(crypto_hash_sha256_BYTES == ER_SECCOMP_KEY_BYTES, "the key is a SHA-256 digest");
	const struct scmp_version *library = seccomp_version();
	crypto_hash_sha256_state state;
	crypto_hash_sha256_init(&state);
	add_number(&state, GENERATION);
	add_number(&state, library->major);
	add_number(&state, library->minor);
	add_number(&state, library->micro);
	add_number(&state, seccomp_arch_native());
	add_number(&state, profile->word_count);
	crypto_hash_sha256_update(&state, (const unsigned char *)profile->words,
	                          profile->word_count * sizeof *profile->words);
	add_number(&state, profile->string_count);
	for (size_t i = 0; i < profile->string_count; i++) {
		add_number(&state, profile->strings[i].size);
		crypto_hash_sha256_update(&state, (const unsigned char *)profile->strings[i].data, profile->strings[i].size);
	}
	crypto_hash_sha256_final(&state, key);
}

int er_compile_seccomp(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const struct er_seccomp_profile profile = {.words = args[0].words.items,
	                                           .word_count = args[0].words.count,
	                                           .strings = args[1].list.items,
	                                           .string_count = args[1].list.count};
	const char *directory = args[2].bytes.data;
	if (*directory == '\0')
		return er_seccomp_generate(&profile, &result->owned, &result->size, error);
	unsigned char key[ER_SECCOMP_KEY_BYTES];
	compute_key(&profile, key);
	if (er_seccomp_cache_read(directory, key, &result->owned, &result->size))
		return 0;
	if (er_seccomp_generate(&profile, &result->owned, &result->size, error) < 0)
		return -1;
	er_seccomp_cache_write(directory, key, result->owned, result->size);
	return 0;
}

int er_supports_seccomp_flags(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)error;
	// There is no filter: with flags that the kernel knows, this gets as far as EFAULT, and changes nothing.
	long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)args[0].number, NULL);
	result->ints[0] = loaded < 0 && errno == EFAULT;
	return 0;
}
