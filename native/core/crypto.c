// SPDX-License-Identifier: Apache-2.0
// Digests and signature verification: libsodium for SHA-256 and Ed25519, mbedTLS (2.28 and 3.x) for P-256.
// Algorithm names are those of JOSE (RFC 7518, RFC 8037). Nothing secret is handled here.
#include <errno.h>
#include <mbedtls/ecdsa.h>
#include <sodium.h>
#include <string.h>

#include "functions.h"
#include "io.h"

#define P256_COORDINATE_BYTES 32
#define P256_POINT_BYTES (1 + 2 * P256_COORDINATE_BYTES) // 0x04, x, y
#define P256_SIGNATURE_BYTES (2 * P256_COORDINATE_BYTES) // r, s

static const unsigned char *octets(struct er_bytes bytes)
{
	return (const unsigned char *)bytes.data;
}

int er_sha256(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	char text[2 * sizeof digest + 1];
	crypto_hash_sha256(digest, octets(args[0].bytes), args[0].bytes.size);
	sodium_bin2hex(text, sizeof text, digest, sizeof digest);
	if (er_result_copy(result, text, sizeof text - 1) < 0)
		return er_fail(error, errno, "digest \"SHA-256\"");
	return 0;
}

/** 1 valid, 0 not valid, -1 with the error when the key is unusable: keys are the owner's, signatures a stranger's. */
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

/** Everything mbedTLS needs for one verification; all members initialized and freed together. */
struct p256 {
	mbedtls_ecp_group group;
	mbedtls_ecp_point key;
	mbedtls_mpi r, s;
};

/** As verify_ed25519; the sizes are right already. */
static int verify_p256(struct p256 *p256, struct er_bytes key, struct er_bytes message, struct er_bytes signature,
                       struct er_error *error)
{
	if (mbedtls_ecp_group_load(&p256->group, MBEDTLS_ECP_DP_SECP256R1) != 0)
		return er_fail(error, ENOMEM, "verify \"ES256\"");
	// A point that is not on the curve would leak nothing here, but signatures under it mean nothing either.
	if (octets(key)[0] != 0x04 ||
	    mbedtls_ecp_point_read_binary(&p256->group, &p256->key, octets(key), key.size) != 0 ||
	    mbedtls_ecp_check_pubkey(&p256->group, &p256->key) != 0)
		return er_fail(error, EINVAL, "verify \"ES256 key\": not a point of P-256");
	if (mbedtls_mpi_read_binary(&p256->r, octets(signature), P256_COORDINATE_BYTES) != 0 ||
	    mbedtls_mpi_read_binary(&p256->s, octets(signature) + P256_COORDINATE_BYTES, P256_COORDINATE_BYTES) != 0)
		return er_fail(error, ENOMEM, "verify \"ES256\"");
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(digest, octets(message), message.size);
	// Ranges of r and s are checked in there.
	return mbedtls_ecdsa_verify(&p256->group, digest, sizeof digest, &p256->key, &p256->r, &p256->s) == 0;
}

static int verify_es256(struct er_bytes key, struct er_bytes message, struct er_bytes signature,
                        struct er_error *error)
{
	if (key.size != P256_POINT_BYTES)
		return er_fail(error, EINVAL, "verify \"ES256 key of %zu bytes\"", key.size);
	if (signature.size != P256_SIGNATURE_BYTES)
		return 0;
	struct p256 p256;
	mbedtls_ecp_group_init(&p256.group);
	mbedtls_ecp_point_init(&p256.key);
	mbedtls_mpi_init(&p256.r);
	mbedtls_mpi_init(&p256.s);
	int verdict = verify_p256(&p256, key, message, signature, error);
	mbedtls_mpi_free(&p256.s);
	mbedtls_mpi_free(&p256.r);
	mbedtls_ecp_point_free(&p256.key);
	mbedtls_ecp_group_free(&p256.group);
	return verdict;
}

int er_verify_signature(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	const char *algorithm = args[0].bytes.data;
	int verdict;
	if (strcmp(algorithm, "EdDSA") == 0)
		verdict = verify_ed25519(args[1].bytes, args[2].bytes, args[3].bytes, error);
	else if (strcmp(algorithm, "ES256") == 0)
		verdict = verify_es256(args[1].bytes, args[2].bytes, args[3].bytes, error);
	else
		return er_fail(error, EINVAL, "verify \"algorithm %s\"", algorithm);
	if (verdict < 0)
		return -1;
	result->ints[0] = verdict;
	return 0;
}
