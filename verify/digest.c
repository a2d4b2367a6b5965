/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#ifdef HAVE_XXH3_128BITS_UPDATE_DISPATCH
#include <xxh_x86dispatch.h> /* AVX2, AVX-512: twice as fast as SSE2 */
#endif

#include "base/text.h"
#include "verify/digest.h"

/* All digests go over one stretch while it is in the second-level cache. */
#define STRETCH ((size_t)128 << 10)

struct digester {
	unsigned algos;
	XXH3_state_t *xxh3;
	uint64_t crc64nvme;
	uint32_t crc32c;
	EVP_MD_CTX *md5;
	EVP_MD_CTX *sha256;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *md5;
static EVP_MD *sha256;

/* A fetch takes locks and a search by name: done once for the process. */
static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (md5 == NULL) /* FIPS mode; it is no security function here */
		md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
}

unsigned
digest_available(void)
{
	unsigned algos = DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C;

	pthread_once(&once, fetch);
	if (md5 != NULL)
		algos |= DIGEST_MD5;
	if (sha256 != NULL)
		algos |= DIGEST_SHA256;
	return algos;
}

struct digester *
digester_new(struct err *e)
{
	AUTO(digester) struct digester *d = calloc(1, sizeof(*d));

	pthread_once(&once, fetch);
	if (d != NULL) {
		d->xxh3 = XXH3_createState();
		d->md5 = EVP_MD_CTX_new();
		d->sha256 = EVP_MD_CTX_new();
	}
	if (d == NULL || d->xxh3 == NULL || d->md5 == NULL ||
	    d->sha256 == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	digester_start(d, 0);
	return TAKE(d);
}

void
digester_free(struct digester *d)
{
	if (d == NULL)
		return;
	XXH3_freeState(d->xxh3);
	EVP_MD_CTX_free(d->md5);
	EVP_MD_CTX_free(d->sha256);
	free(d);
}

/* What libcrypto fails to do is left out of the outcome. */
static void
keep_if(struct digester *d, enum digest_algo algo, int ok)
{
	if (!ok)
		d->algos &= ~(unsigned)algo;
}

void
digester_start(struct digester *d, unsigned algos)
{
	d->algos = algos & digest_available();
	d->crc64nvme = 0;
	d->crc32c = 0;
	if ((d->algos & DIGEST_XXH3) != 0)
		XXH3_128bits_reset(d->xxh3);
	if ((d->algos & DIGEST_MD5) != 0)
		keep_if(d, DIGEST_MD5, EVP_DigestInit_ex2(d->md5, md5, NULL));
	if ((d->algos & DIGEST_SHA256) != 0)
		keep_if(d, DIGEST_SHA256,
		    EVP_DigestInit_ex2(d->sha256, sha256, NULL));
}

static void
update(struct digester *d, const void *p, size_t n)
{
	if ((d->algos & DIGEST_XXH3) != 0)
		XXH3_128bits_update(d->xxh3, p, n);
	if ((d->algos & DIGEST_CRC64NVME) != 0)
		d->crc64nvme = crc64nvme(d->crc64nvme, p, n);
	if ((d->algos & DIGEST_CRC32C) != 0)
		d->crc32c = crc32c(d->crc32c, p, n);
	if ((d->algos & DIGEST_MD5) != 0)
		keep_if(d, DIGEST_MD5, EVP_DigestUpdate(d->md5, p, n));
	if ((d->algos & DIGEST_SHA256) != 0)
		keep_if(d, DIGEST_SHA256, EVP_DigestUpdate(d->sha256, p, n));
}

void
digester_update(struct digester *d, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0) {
		size_t len = n < STRETCH ? n : STRETCH;

		update(d, at, len);
		at += len;
		n -= len;
	}
}

static void
canonical(XXH128_hash_t hash, uint8_t out[16])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, hash);
	memcpy(out, c.digest, 16);
}

void
digester_finish(struct digester *d, struct digest *out)
{
	memset(out, 0, sizeof(*out));
	if ((d->algos & DIGEST_XXH3) != 0)
		canonical(XXH3_128bits_digest(d->xxh3), out->xxh3);
	out->crc64nvme = d->crc64nvme;
	out->crc32c = d->crc32c;
	if ((d->algos & DIGEST_MD5) != 0)
		keep_if(
		    d, DIGEST_MD5, EVP_DigestFinal_ex(d->md5, out->md5, NULL));
	if ((d->algos & DIGEST_SHA256) != 0)
		keep_if(d, DIGEST_SHA256,
		    EVP_DigestFinal_ex(d->sha256, out->sha256, NULL));
	out->have = d->algos;
	d->algos = 0;
}

const char *
digest_crc_text(enum digest_algo algo, const struct digest *d, char *out)
{
	size_t n = algo == DIGEST_CRC64NVME ? 8 : 4, i;
	uint64_t v = n == 8 ? d->crc64nvme : d->crc32c;
	uint8_t b[8];

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	text_base64(b, n, out);
	return out;
}

void
digest_of_list(const uint8_t *list, size_t count, uint8_t out[16])
{
	canonical(XXH3_128bits(list, count * 16), out);
}

static const struct {
	enum digest_algo algo;
	const char *name;
} names[] = {
    {DIGEST_XXH3, "xxh3"},
    {DIGEST_CRC64NVME, "crc64nvme"},
    {DIGEST_CRC32C, "crc32c"},
    {DIGEST_MD5, "md5"},
    {DIGEST_SHA256, "sha256"},
};

unsigned
digest_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].algo;
	return 0;
}

const char *
digest_name(enum digest_algo algo)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].algo == algo)
			return names[i].name;
	return "none";
}

const char *
digest_libcrypto_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const char *
digest_xxhash_version(char out[32])
{
	unsigned v = XXH_versionNumber(); /* decimal, two digits each */

	snprintf(out, 32, "%u.%u.%u", v / 10000, v / 100 % 100, v % 100);
	return out;
}
