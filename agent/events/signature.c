/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "agent/events/signature.h"
#include "base/text.h"

#define V1_MIN 24
#define V1_MAX 64
#define SEED_BYTES 32
#define ED25519_BYTES 64 /* a private key as written, and a signature */
#define HMAC_BYTES 32
#define GITHUB_MAX 1024

enum scheme { SCHEME_V1, SCHEME_V1A, SCHEME_GITHUB };

struct key {
	enum scheme scheme;
	size_t len;
	unsigned char bytes[GITHUB_MAX];
	EVP_PKEY *pair; /* v1a */
};

struct signature_keys {
	size_t n;
	struct key key[SIGNATURE_KEYS_MAX];
};

struct signature_keys *
signature_keys_new(struct err *e)
{
	struct signature_keys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return k;
}

void
signature_keys_free(struct signature_keys *k)
{
	size_t i;

	if (k == NULL)
		return;
	for (i = 0; i < k->n; i++)
		EVP_PKEY_free(k->key[i].pair);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

/* The bytes that base64 text of N characters stands for, if it is right. */
static size_t
base64_bytes(const char *s, size_t n)
{
	size_t pad = 0;

	while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
		pad++;
	return n % 4 == 0 ? n / 4 * 3 - pad : 0;
}

static int
add_v1(struct key *key, const char *text, struct err *e)
{
	size_t n = strlen(text);

	key->len = base64_bytes(text, n);
	if (key->len < V1_MIN || key->len > V1_MAX ||
	    !text_unbase64(text, n, key->bytes, key->len))
		return err_set(e, ERR_CONFIG,
		    "a secret that begins with whsec_ goes on with %d to %d "
		    "bytes in base64",
		    V1_MIN, V1_MAX);
	return 0;
}

static int
add_v1a(struct key *key, const char *text, struct err *e)
{
	unsigned char public[SEED_BYTES];
	size_t public_n = sizeof(public);

	key->len = ED25519_BYTES;
	if (!text_unbase64(text, strlen(text), key->bytes, key->len))
		return err_set(e, ERR_CONFIG,
		    "a key that begins with whsk_ goes on with %d bytes in "
		    "base64: seed and public key",
		    ED25519_BYTES);
	key->pair = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, key->bytes, SEED_BYTES);
	if (key->pair == NULL)
		return err_set(e, ERR_UNSUPPORTED, "libcrypto refuses ed25519");
	if (EVP_PKEY_get_raw_public_key(key->pair, public, &public_n) != 1 ||
	    memcmp(public, key->bytes + SEED_BYTES, SEED_BYTES) != 0)
		return err_set(e, ERR_CONFIG,
		    "a key that begins with whsk_ has a public key that isn't "
		    "its own");
	return 0;
}

int
signature_keys_add(struct signature_keys *k, const char *secret, struct err *e)
{
	struct key *key = &k->key[k->n];

	if (k->n == SIGNATURE_KEYS_MAX)
		return err_set(
		    e, ERR_CONFIG, "more than %d secrets", SIGNATURE_KEYS_MAX);
	k->n++; /* what there is of it is freed and wiped, whatever comes */
	if (strncmp(secret, "whsec_", 6) == 0) {
		key->scheme = SCHEME_V1;
		return add_v1(key, secret + 6, e);
	}
	if (strncmp(secret, "whsk_", 5) == 0) {
		key->scheme = SCHEME_V1A;
		return add_v1a(key, secret + 5, e);
	}
	if (strncmp(secret, "whpk_", 5) == 0)
		return err_set(e, ERR_CONFIG,
		    "a key that begins with whpk_ is public: who signs needs "
		    "the one that begins with whsk_");
	key->scheme = SCHEME_GITHUB;
	key->len = strlen(secret);
	if (key->len == 0 || key->len > sizeof(key->bytes))
		return err_set(
		    e, ERR_CONFIG, "a secret has 1 to %d bytes", GITHUB_MAX);
	memcpy(key->bytes, secret, key->len);
	return 0;
}

static int
failed(struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "libcrypto refuses to sign");
}

static int
hmac(const struct key *key, const struct buf *what,
    unsigned char out[HMAC_BYTES], struct err *e)
{
	unsigned n = HMAC_BYTES;

	if (HMAC(EVP_sha256(), key->bytes, (int)key->len,
		(const unsigned char *)buf_str(what), what->len, out,
		&n) == NULL)
		return failed(e);
	return 0;
}

static int
ed25519(const struct key *key, const struct buf *what,
    unsigned char out[ED25519_BYTES], struct err *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = ED25519_BYTES;
	bool ok = ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pair) == 1 &&
	    EVP_DigestSign(ctx, out, &n, (const unsigned char *)buf_str(what),
		what->len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok ? 0 : failed(e);
}

/* WHAT is the id, the time and the body. */
static int
add_standard(const struct signature_keys *k, const struct buf *what,
    struct buf *out, size_t *count, struct err *e)
{
	char text[4 * ((ED25519_BYTES + 2) / 3) + 1];
	unsigned char bytes[ED25519_BYTES];
	size_t i, before = *count;
	int rc = 0;

	for (i = 0; i < k->n; i++) {
		bool v1 = k->key[i].scheme == SCHEME_V1;

		if (k->key[i].scheme == SCHEME_GITHUB)
			continue;
		rc = v1 ? hmac(&k->key[i], what, bytes, e)
			: ed25519(&k->key[i], what, bytes, e);
		if (rc == -1)
			return -1;
		text_base64(bytes, v1 ? HMAC_BYTES : ED25519_BYTES, text);
		buf_addf(out, "%s%s,%s",
		    *count == before ? "webhook-signature: " : " ",
		    v1 ? "v1" : "v1a", text);
		*count = before + 1;
	}
	if (*count > before)
		buf_addc(out, '\0');
	return 0;
}

static int
add_github(const struct signature_keys *k, const struct buf *body,
    struct buf *out, size_t *count, struct err *e)
{
	char text[2 * HMAC_BYTES + 1];
	unsigned char bytes[HMAC_BYTES];
	size_t i, before = *count;

	for (i = 0; i < k->n; i++) {
		if (k->key[i].scheme != SCHEME_GITHUB)
			continue;
		if (hmac(&k->key[i], body, bytes, e) == -1)
			return -1;
		text_hex(bytes, HMAC_BYTES, text);
		buf_addf(out, "%ssha256=%s",
		    *count == before ? "x-hub-signature-256: " : ",", text);
		*count = before + 1;
	}
	if (*count > before)
		buf_addc(out, '\0');
	return 0;
}

int
signature_headers(const struct signature_keys *k, const char *id,
    int64_t unix_s, const void *body, size_t len, struct buf *out,
    size_t *count, struct err *e)
{
	struct buf only_body = {
	    .data = (char *)(uintptr_t)body, .len = len}; /* borrowed */
	AUTO(buf) struct buf what = BUF_INIT(len + 512);

	*count = 2;
	buf_addf(out, "webhook-id: %s", id);
	buf_addc(out, '\0');
	buf_addf(out, "webhook-timestamp: %" PRId64, unix_s);
	buf_addc(out, '\0');
	buf_addf(&what, "%s.%" PRId64 ".", id, unix_s);
	buf_add(&what, body, len);
	if (buf_failed(&what))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (add_standard(k, &what, out, count, e) == -1 ||
	    add_github(k, &only_body, out, count, e) == -1)
		return -1;
	return buf_failed(out) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}
