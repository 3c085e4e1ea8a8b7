// SPDX-License-Identifier: Apache-2.0
// Digests, signatures, base64url and UTF-8, with the vectors of their specifications.
#include "check.h"

struct buffer {
	unsigned char data[256];
	size_t size;
};

static struct buffer decode(const char *base64url)
{
	struct buffer buffer = {.size = 0};
	if (CALL(er_base64_url_decode, str(base64url)) == 0 && result.size <= sizeof buffer.data) {
		memcpy(buffer.data, result.owned, result.size);
		buffer.size = result.size;
	}
	return buffer;
}

static int verify(const char *algorithm, const struct buffer *key, const char *message, const struct buffer *signature)
{
	int code = CALL(er_verify_signature, str(algorithm), bytes(key->data, key->size), str(message),
					bytes(signature->data, signature->size));
	return code < 0 ? code : (int)result.ints[0];
}

struct vector {
	const char *source, *algorithm, *key, *message, *signature;
	size_t step; // every so many bits are flipped: a verification with P-521 takes a while under the sanitizers
};
static const struct vector vectors[] = {
	{"RFC 8037 A.4", "EdDSA", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
	 1},
	// The key is 0x04, x, y.
	{"RFC 7515 A.3", "ES256", "BH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRFx_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	 "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
	 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
	 1},
	{"RFC 7515 A.4", "ES512",
	 "BAHpKQUPEk_GvFXH1TkzZd-d70qwwiyyV5j5NOsE48a643AaV6eRDp2BvzYxWejryxVdY0n0vbbM-KlMXFnHqsEBpAA0pkQON2dQ"
	 "0jcf0b3CyPO3HS9O5eo0MsgVzKMVYP5dk4fsd0tVg4Yw5cu_Woy-CpHdAGTGmZofbm5n-t3t5MjI9g",
	 "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
	 "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3"
	 "xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
	 61},
};

static void test_vector(const struct vector *vector)
{
	char name[100];
	struct buffer key = decode(vector->key), signature = decode(vector->signature);
	snprintf(name, sizeof name, "the signature of %s is valid", vector->source);
	check(verify(vector->algorithm, &key, vector->message, &signature) == 1, name);
	size_t refused = 0, flips = 0;
	for (size_t bit = 0; bit < signature.size * 8; bit += vector->step, flips++) {
		struct buffer flipped = signature;
		flipped.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
		refused += verify(vector->algorithm, &key, vector->message, &flipped) == 0;
	}
	snprintf(name, sizeof name, "%s with any bit of the signature flipped is not", vector->source);
	check(refused == flips, name);
	refused = flips = 0;
	for (size_t bit = 0; bit < key.size * 8; bit += vector->step, flips++) {
		struct buffer flipped = key;
		flipped.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
		refused += verify(vector->algorithm, &flipped, vector->message, &signature) != 1;
	}
	snprintf(name, sizeof name, "%s with any bit of the key flipped is not", vector->source);
	check(refused == flips, name);
	snprintf(name, sizeof name, "%s with another message is not", vector->source);
	check(verify(vector->algorithm, &key, vector->message + 1, &signature) == 0 &&
			  verify(vector->algorithm, &key, "", &signature) == 0,
		  name);
	struct buffer wrong = signature;
	wrong.size--;
	snprintf(name, sizeof name, "%s with a signature of another size is not", vector->source);
	check(verify(vector->algorithm, &key, vector->message, &wrong) == 0 &&
			  (wrong.size = signature.size + 1, verify(vector->algorithm, &key, vector->message, &wrong) == 0) &&
			  (wrong.size = 0, verify(vector->algorithm, &key, vector->message, &wrong) == 0),
		  name);
	wrong = key;
	wrong.size--;
	snprintf(name, sizeof name, "%s with a key of another size is an error", vector->source);
	check(failed_with(verify(vector->algorithm, &wrong, vector->message, &signature), EINVAL), name);
}

static void test_hostile_signatures(void)
{
	struct buffer key = decode(vectors[1].key), zero = {.size = 64}, off = {.data = {4, 1}, .size = 65};
	check(verify("ES256", &key, vectors[1].message, &zero) == 0, "ES256 with r = s = 0 is not valid (CVE-2022-21449)");
	struct buffer order = {.size = 64};
	static const unsigned char n[] = {0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,    0xFF, 0xFF, 0xFF,
									  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17,
									  0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
	memcpy(order.data, n, 32);
	memcpy(order.data + 32, n, 32);
	check(verify("ES256", &key, vectors[1].message, &order) == 0, "ES256 with r = s = n is not valid");
	check(failed_with(verify("ES256", &off, "", &zero), EINVAL), "ES256 with a key off the curve is an error");
	struct buffer wide = {.data = {4}, .size = 133}, long_zero = {.size = 132};
	check(failed_with(verify("ES512", &wide, "", &long_zero), EINVAL), "ES512 with a key off the curve is an error");
	struct buffer p521 = decode(vectors[2].key);
	check(verify("ES512", &p521, vectors[2].message, &long_zero) == 0, "ES512 with r = s = 0 is not valid");
	check(failed_with(verify("ES512", &key, "", &long_zero), EINVAL), "ES512 with a key of P-256 is an error");
	struct buffer compressed = key;
	compressed.data[0] = 2;
	check(failed_with(verify("ES256", &compressed, "", &zero), EINVAL), "ES256 with a compressed key is an error");
	struct buffer identity = {.data = {1}, .size = 32}, forged = {.data = {1}, .size = 64};
	check(verify("EdDSA", &identity, "anything", &forged) == 0, "EdDSA with a key of low order is not valid");
	static const char *const algorithms[] = {"", "none", "HS256", "ES384", "es256", "Ed25519"};
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		char name[80];
		snprintf(name, sizeof name, "the algorithm \"%s\" is an error", algorithms[i]);
		check(failed_with(verify(algorithms[i], &key, "", &zero), EINVAL), name);
	}
}

static void test_digest(void)
{
	check(CALL(er_sha256, bytes("abc", 3)) == 0 &&
			  gave("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
		  "sha256 of \"abc\" (FIPS 180-4)");
	check(CALL(er_sha256, bytes(NULL, 0)) == 0 &&
			  gave("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
		  "sha256 of nothing");
}

static void test_base64url(void)
{
	static const struct {
		const char *text, *data;
	} good[] = {{"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"Zm9vYmFy", "foobar"}, {"-_8", "\xFB\xFF"}};
	static const char *const bad[] = {"Z",   "Zg=", "Zg==", "Zm9v\n", " Zg",   "Z g",     "Zh",
									  "Zm9", "+/8", "Zg.",  "Zm9v=",  "Zm9vZ", "\xC3\xA9"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char name[80];
		snprintf(name, sizeof name, "base64UrlDecode takes \"%s\"", good[i].text);
		check(CALL(er_base64_url_decode, str(good[i].text)) == 0 && gave(good[i].data), name);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char name[80];
		snprintf(name, sizeof name, "base64UrlDecode refuses \"%s\"", i == 3 ? "Zm9v and a newline" : bad[i]);
		check(failed_with(CALL(er_base64_url_decode, str(bad[i])), EINVAL), name);
	}
	check(failed_with(CALL(er_base64_url_decode, bytes("Zg\0", 3)), EINVAL), "base64UrlDecode refuses a NUL");
}

static void test_utf8(void)
{
	static const char *const good[] = {"",
									   "a",
									   "\xC2\x80",
									   "\xDF\xBF",
									   "\xE0\xA0\x80",
									   "\xED\x9F\xBF",
									   "\xEF\xBF\xBF",
									   "\xF0\x90\x80\x80",
									   "\xF4\x8F\xBF\xBF"};
	static const char *const bad[] = {"\x80",
									  "\xC0\xAF",
									  "\xC1\xBF",
									  "\xC2",
									  "\xC2"
									  "a",
									  "\xE0\x9F\xBF",
									  "\xE0\xA0",
									  "\xED\xA0\x80",
									  "\xED\xBF\xBF",
									  "\xF0\x8F\xBF\xBF",
									  "\xF4\x90\x80\x80",
									  "\xF5\x80\x80\x80",
									  "\xF0\x90\x80",
									  "\xFF",
									  "ok\xFE"};
	int accepted = 0, refused = 0;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		accepted += CALL(er_bytes_to_text, str(good[i])) == 0 && gave(good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused += failed_with(CALL(er_bytes_to_text, str(bad[i])), EILSEQ);
	check(accepted == sizeof good / sizeof *good, "bytesToText takes the first and last of each length");
	check(refused == sizeof bad / sizeof *bad,
		  "bytesToText refuses overlong forms, surrogates, what is cut off or too large");
	check(CALL(er_bytes_to_text, bytes("a\0b", 3)) == 0 && result.size == 3, "bytesToText takes a NUL");
	check(CALL(er_text_to_bytes, str("\xC3\xA9")) == 0 && gave("\xC3\xA9"), "textToBytes gives UTF-8");
}

int main(void)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		test_vector(&vectors[i]);
	test_hostile_signatures();
	test_digest();
	test_base64url();
	test_utf8();
	er_result_clear(&result);
	return check_summary();
}
