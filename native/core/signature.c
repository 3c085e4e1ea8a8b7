// SPDX-License-Identifier: Apache-2.0
// Verification of signatures: libsodium for Ed25519, mbedTLS (2.28 and 3.x) for P-256 and P-521.
// Algorithm names are those of JOSE (RFC 7518, RFC 8037). Nothing secret is handled here.
// A function for an algorithm gives 1 for valid, 0 for not valid, -1 with the error when the key is unusable: keys are
// the owner's, signatures a stranger's.
#include <errno.h>
#include <mbedtls/ecdsa.h>
#include <sodium.h>
#include <string.h>

#include "functions.h"

static const unsigned char *octets(struct er_bytes bytes)
{
	return (const unsigned char *)bytes.data;
}

static int verify_ed25519(struct er_bytes key, struct er_bytes message, struct er_bytes signature,
                          struct er_error *error)
{
	if (key.size != crypto_sign_PUBLICKEYBYTES)
		return er_fail(error, EINVAL, "verify \"EdDSA key of %zu bytes\"", key.size);
	if (sodium_init() < 0)
		return er_fail(error, ENOSYS, "initialize \"libsodium\"");
	if (signature.size != crypto_sign_BYTES)
		return 0;
	return crypto_sign_verify_detached(octets(signature), octets(message), message.size, octets(key)) == 0;
}

/** One of the two curves, with the digest that JOSE pairs it with. */
struct curve {
	const char *algorithm;
	mbedtls_ecp_group_id group;
	size_t coordinate_bytes;
	size_t digest_bytes;
	int (*digest)(unsigned char *out, const unsigned char *in, unsigned long long size);
};

static const struct curve es256 = {"ES256", MBEDTLS_ECP_DP_SECP256R1, 32, crypto_hash_sha256_BYTES, crypto_hash_sha256};
static const struct curve es512 = {"ES512", MBEDTLS_ECP_DP_SECP521R1, 66, crypto_hash_sha512_BYTES, crypto_hash_sha512};

/** Everything mbedTLS needs for one verification; all members initialized and freed together. */
struct verification {
	mbedtls_ecp_group group;
	mbedtls_ecp_point key;
	mbedtls_mpi r, s;
};

/** The sizes of key and signature are right already. */
static int verify_sized(struct verification *ecdsa, const struct curve *curve, struct er_bytes key,
                        struct er_bytes message, struct er_bytes signature, struct er_error *error)
{
	if (mbedtls_ecp_group_load(&ecdsa->group, curve->group) != 0)
		return er_fail(error, ENOMEM, "verify \"%s\"", curve->algorithm);
	// A point that is not on the curve would leak nothing here, but signatures under it mean nothing either.
	if (octets(key)[0] != 0x04 ||
	    mbedtls_ecp_point_read_binary(&ecdsa->group, &ecdsa->key, octets(key), key.size) != 0 ||
	    mbedtls_ecp_check_pubkey(&ecdsa->group, &ecdsa->key) != 0)
		return er_fail(error, EINVAL, "verify \"%s key\": not a point of the curve", curve->algorithm);
	if (mbedtls_mpi_read_binary(&ecdsa->r, octets(signature), curve->coordinate_bytes) != 0 ||
	    mbedtls_mpi_read_binary(&ecdsa->s, octets(signature) + curve->coordinate_bytes, curve->coordinate_bytes) != 0)
		return er_fail(error, ENOMEM, "verify \"%s\"", curve->algorithm);
	unsigned char digest[crypto_hash_sha512_BYTES];
	curve->digest(digest, octets(message), message.size);
	// Ranges of r and s are checked in there.
	return mbedtls_ecdsa_verify(&ecdsa->group, digest, curve->digest_bytes, &ecdsa->key, &ecdsa->r, &ecdsa->s) == 0;
}

static int verify_ecdsa(const struct curve *curve, struct er_bytes key, struct er_bytes message,
                        struct er_bytes signature, struct er_error *error)
{
	if (key.size != 1 + 2 * curve->coordinate_bytes) // 0x04, x, y
		return er_fail(error, EINVAL, "verify \"%s key of %zu bytes\"", curve->algorithm, key.size);
	if (signature.size != 2 * curve->coordinate_bytes) // r, s
		return 0;
	struct verification ecdsa;
	mbedtls_ecp_group_init(&ecdsa.group);
	mbedtls_ecp_point_init(&ecdsa.key);
	mbedtls_mpi_init(&ecdsa.r);
	mbedtls_mpi_init(&ecdsa.s);
	int verdict = verify_sized(&ecdsa, curve, key, message, signature, error);
	mbedtls_mpi_free(&ecdsa.s);
	mbedtls_mpi_free(&ecdsa.r);
	mbedtls_ecp_point_free(&ecdsa.key);
	mbedtls_ecp_group_free(&ecdsa.group);
	return verdict;
}

int er_verify_signature(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *algorithm = args[0].bytes.data;
	struct er_bytes key = args[1].bytes, message = args[2].bytes, signature = args[3].bytes;
	int verdict;
	if (strcmp(algorithm, "EdDSA") == 0)
		verdict = verify_ed25519(key, message, signature, error);
	else if (strcmp(algorithm, es256.algorithm) == 0)
		verdict = verify_ecdsa(&es256, key, message, signature, error);
	else if (strcmp(algorithm, es512.algorithm) == 0)
		verdict = verify_ecdsa(&es512, key, message, signature, error);
	else
		return er_fail(error, EINVAL, "verify \"algorithm %s\"", algorithm);
	if (verdict < 0)
		return -1;
	result->ints[0] = verdict;
	return 0;
}
