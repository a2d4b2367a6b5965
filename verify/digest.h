/* SPDX-License-Identifier: ISC */
/*
 * Digests of bytes, taken side by side in one pass.  Pure; a digester belongs
 * to one thread at a time.
 *
 * XXH3-128: canonical (big-endian) form, https://github.com/Cyan4973/xxHash.
 * CRC64NVME: NVM Express base specification; reflected, polynomial
 * 0xAD93D23594C93659, check value of "123456789" 0xAE8B14860A799888.
 * CRC32C: RFC 3720 appendix B.4, check value 0xE3069283.
 * CRCs combine over parts; XXH3, MD5 and SHA-256 do not.
 */
#ifndef VERIFY_DIGEST_H
#define VERIFY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

enum digest_algo {
	DIGEST_XXH3 = 1 << 0,
	DIGEST_CRC64NVME = 1 << 1,
	DIGEST_CRC32C = 1 << 2,
	DIGEST_MD5 = 1 << 3,
	DIGEST_SHA256 = 1 << 4,
};

/* The digests named in have are valid. */
struct digest {
	unsigned have; /* enum digest_algo bits */
	uint8_t xxh3[16];
	uint64_t crc64nvme;
	uint32_t crc32c;
	uint8_t md5[16];
	uint8_t sha256[32];
};

struct digester;

/*
 * The algorithms that work here (enum digest_algo bits): libcrypto in FIPS
 * mode may have no MD5.
 */
unsigned digest_available(void);

/* NULL and ERR_NOMEM. */
struct digester *digester_new(struct err *e);
void digester_free(struct digester *d);
AUTO_DEFINE(digester, struct digester, digester_free)

/*
 * Starts anew with ALGOS (enum digest_algo bits).  What is not available, or
 * fails in libcrypto, is not in the outcome's have.
 */
void digester_start(struct digester *d, unsigned algos);
void digester_update(struct digester *d, const void *p, size_t n);
void digester_finish(struct digester *d, struct digest *out);

/* The CRC of A followed by B, from their CRCs and B's length. */
uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_len);
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t b_len);

/* Continue a CRC (0 to begin) over N bytes. */
uint64_t crc64nvme(uint64_t crc, const void *p, size_t n);
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The CRC of D by ALGO, one of the two, as stores write it: big-endian, in
 * base64.  OUT has DIGEST_CRC_TEXT_MAX bytes and is returned. */
#define DIGEST_CRC_TEXT_MAX 13
const char *digest_crc_text(
    enum digest_algo algo, const struct digest *d, char *out);

/*
 * The digest of a file sent in parts is the digest of the list of its part
 * digests: XXH3-128 over the 16-byte part digests in order.  LIST is COUNT
 * records of 16 bytes.
 */
void digest_of_list(const uint8_t *list, size_t count, uint8_t out[16]);

/* "crc64nvme" <-> DIGEST_CRC64NVME; 0 if there is none of that name. */
unsigned digest_by_name(const char *name);
const char *digest_name(enum digest_algo algo);

/* Of the libraries that are in use, as "3.0.17". */
const char *digest_libcrypto_version(void);
const char *digest_xxhash_version(char out[32]);

#endif
