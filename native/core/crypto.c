// SPDX-License-Identifier: Apache-2.0
// Digests (libsodium). Signatures are in signature.c.
#include <errno.h>
#include <sodium.h>

#include "functions.h"
#include "io.h"

int er_sha256(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	char text[2 * sizeof digest + 1];
	crypto_hash_sha256(digest, (const unsigned char *)args[0].bytes.data, args[0].bytes.size);
	sodium_bin2hex(text, sizeof text, digest, sizeof digest);
	if (er_result_copy(result, text, sizeof text - 1) < 0)
		return er_fail(error, errno, "digest \"SHA-256\"");
	return 0;
}
