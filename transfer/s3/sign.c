/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "transfer/s3/sign.h"

#define HASH_BYTES 32
#define BLOCK_BYTES 64
#define NAMES_MAX 1024 /* bytes of "host;x-amz-date;..." */

struct signer {
	EVP_MD *md;
	EVP_MD_CTX *ctx;

	/* The day's key, as HMAC pads, and what it was made of. */
	unsigned char inner[BLOCK_BYTES], outer[BLOCK_BYTES];
	char day[9];
	char secret[160], region[72], service[16];
};

void
signer_free(struct signer *s)
{
	if (s == NULL)
		return;
	EVP_MD_CTX_free(s->ctx);
	EVP_MD_free(s->md);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

struct signer *
signer_new(struct err *e)
{
	AUTO(signer) struct signer *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->ctx = EVP_MD_CTX_new()) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (s->md == NULL) {
		err_set(e, ERR_UNSUPPORTED, "libcrypto has no SHA-256");
		return NULL;
	}
	return TAKE(s);
}

/* A hash of pieces; failures show at the end. */
static int
hash_begin(struct signer *s)
{
	return EVP_DigestInit_ex2(s->ctx, s->md, NULL);
}

static void
hash_str(struct signer *s, const char *p)
{
	EVP_DigestUpdate(s->ctx, p, strlen(p));
}

static int
hash_end(struct signer *s, unsigned char out[HASH_BYTES])
{
	return EVP_DigestFinal_ex(s->ctx, out, NULL);
}

static int
failed(struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "libcrypto refuses SHA-256");
}

int
signer_hash(struct signer *s, const void *p, size_t n, char out[SIGN_HEX_BYTES],
    struct err *e)
{
	unsigned char md[HASH_BYTES];

	if (!hash_begin(s) || !EVP_DigestUpdate(s->ctx, p, n) ||
	    !hash_end(s, md))
		return failed(e);
	text_hex(md, sizeof(md), out);
	return 0;
}

/* RFC 2104. A key of ours is never longer than a block. */
static void
set_key(struct signer *s, const unsigned char *key, size_t n)
{
	size_t i;

	memset(s->inner, 0x36, sizeof(s->inner));
	memset(s->outer, 0x5c, sizeof(s->outer));
	for (i = 0; i < n; i++) {
		s->inner[i] ^= key[i];
		s->outer[i] ^= key[i];
	}
}

static int
hmac(struct signer *s, const void *p, size_t n, unsigned char out[HASH_BYTES])
{
	return hash_begin(s) &&
	    EVP_DigestUpdate(s->ctx, s->inner, BLOCK_BYTES) &&
	    EVP_DigestUpdate(s->ctx, p, n) && hash_end(s, out) &&
	    hash_begin(s) && EVP_DigestUpdate(s->ctx, s->outer, BLOCK_BYTES) &&
	    EVP_DigestUpdate(s->ctx, out, HASH_BYTES) && hash_end(s, out);
}

static int
derive(struct signer *s, const struct sign_scope *scope)
{
	const char *const steps[] = {
	    s->day, scope->region, scope->service, "aws4_request"};
	unsigned char key[4 + sizeof(s->secret)], md[HASH_BYTES];
	size_t n = 4 + strlen(scope->secret_key), i;
	int ok = 1;

	memcpy(key, "AWS4", 4);
	memcpy(key + 4, scope->secret_key, n - 4);
	if (n > BLOCK_BYTES) {
		ok = hash_begin(s) && EVP_DigestUpdate(s->ctx, key, n) &&
		    hash_end(s, md);
		memcpy(key, md, n = sizeof(md));
	}
	set_key(s, key, n);
	for (i = 0; ok && i < 4; i++) {
		ok = hmac(s, steps[i], strlen(steps[i]), md);
		set_key(s, md, sizeof(md));
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(md, sizeof(md));
	return ok;
}

static int
day_key(struct signer *s, const struct sign_scope *scope, const char *date,
    struct err *e)
{
	if (strncmp(s->day, date, 8) == 0 &&
	    strcmp(s->secret, scope->secret_key) == 0 &&
	    strcmp(s->region, scope->region) == 0 &&
	    strcmp(s->service, scope->service) == 0)
		return 0;
	if (strlen(scope->secret_key) >= sizeof(s->secret) ||
	    strlen(scope->region) >= sizeof(s->region) ||
	    strlen(scope->service) >= sizeof(s->service))
		return err_set(e, ERR_CONFIG,
		    "the secret key or the region is too long to be one");
	snprintf(s->day, sizeof(s->day), "%.8s", date);
	if (!derive(s, scope)) {
		s->day[0] = '\0';
		return failed(e);
	}
	snprintf(s->secret, sizeof(s->secret), "%s", scope->secret_key);
	snprintf(s->region, sizeof(s->region), "%s", scope->region);
	snprintf(s->service, sizeof(s->service), "%s", scope->service);
	return 0;
}

/* "host;x-amz-date"; -1 if it doesn't fit. */
static int
join_names(const struct sign_request *r, char out[NAMES_MAX])
{
	size_t n = 0, i;

	for (i = 0; i < r->header_count; i++) {
		const struct sign_header *h = &r->headers[i];

		if (n + h->name_len + 2 > NAMES_MAX)
			return -1;
		if (n > 0)
			out[n++] = ';';
		memcpy(out + n, h->name, h->name_len);
		n += h->name_len;
	}
	out[n] = '\0';
	return 0;
}

/* Hex of the hash of the canonical request. */
static int
hash_request(struct signer *s, const struct sign_request *r, const char *names,
    char out[SIGN_HEX_BYTES])
{
	unsigned char md[HASH_BYTES];
	size_t i;

	if (!hash_begin(s))
		return 0;
	hash_str(s, r->method);
	hash_str(s, "\n");
	EVP_DigestUpdate(s->ctx, r->path, r->path_len);
	hash_str(s, "\n");
	hash_str(s, r->query);
	hash_str(s, "\n");
	for (i = 0; i < r->header_count; i++) {
		EVP_DigestUpdate(
		    s->ctx, r->headers[i].name, r->headers[i].name_len);
		hash_str(s, ":");
		hash_str(s, r->headers[i].value);
		hash_str(s, "\n");
	}
	hash_str(s, "\n");
	hash_str(s, names);
	hash_str(s, "\n");
	hash_str(s, r->payload);
	if (!hash_end(s, md))
		return 0;
	text_hex(md, sizeof(md), out);
	return 1;
}

int
signer_sign(struct signer *s, const struct sign_scope *scope,
    const struct sign_request *request, char *out, size_t size, struct err *e)
{
	char names[NAMES_MAX], hex[SIGN_HEX_BYTES], text[256];
	unsigned char md[HASH_BYTES];
	int n;

	if (day_key(s, scope, request->date, e) == -1)
		return -1;
	if (join_names(request, names) == -1)
		return err_set(e, ERR_CONFIG, "too many headers to sign");
	if (!hash_request(s, request, names, hex))
		return failed(e);
	n = snprintf(text, sizeof(text),
	    "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", request->date,
	    s->day, scope->region, scope->service, hex);
	if (n < 0 || !hmac(s, text, (size_t)n, md))
		return failed(e);
	text_hex(md, sizeof(md), hex);
	n = snprintf(out, size,
	    "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request,"
	    "SignedHeaders=%s,Signature=%s",
	    scope->access_key, s->day, scope->region, scope->service, names,
	    hex);
	if (n < 0 || (size_t)n >= size)
		return err_set(
		    e, ERR_CONFIG, "the access key is too long to be one");
	return 0;
}

void
sign_date(int64_t wall_s, char out[SIGN_DATE_BYTES])
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, SIGN_DATE_BYTES, "%Y%m%dT%H%M%SZ", &tm) == 0)
		memcpy(out, "19700101T000000Z", SIGN_DATE_BYTES);
}
