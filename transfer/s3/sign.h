/* SPDX-License-Identifier: ISC */
/*
 * AWS Signature Version 4, in the Authorization header.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 *
 * What is signed is what goes on the wire: path, query and values are taken
 * as they are, encoded once by who made them (uri.h).  A signer keeps the
 * day's key and its contexts; it belongs to one thread at a time.  Secrets
 * are wiped when it is freed.
 */
#ifndef TRANSFER_S3_SIGN_H
#define TRANSFER_S3_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

#define SIGN_HEX_BYTES 65
#define SIGN_DATE_BYTES 17 /* "20130524T000000Z" and a NUL */
#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"
/* SHA-256 of nothing. */
#define SIGN_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Who signs, and for where.  Borrowed for the call. */
struct sign_scope {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service; /* "s3" */
};

/* A header that is signed: name in lower case, value without white space at
 * its ends or runs of it within. */
struct sign_header {
	const char *name;
	size_t name_len;
	const char *value;
};

struct sign_request {
	const char *method;
	const char *path; /* canonical: percent-encoded, "/" at least */
	size_t path_len;
	const char *query; /* canonical: encoded and sorted, "a=&b=c" or "" */
	const struct sign_header *headers; /* sorted by name */
	size_t header_count;
	const char *payload; /* hex SHA-256, or SIGN_UNSIGNED */
	const char *date;    /* "20130524T000000Z", also in x-amz-date */
};

struct signer;

/* NULL and ERR_UNSUPPORTED if libcrypto has no SHA-256, or ERR_NOMEM. */
struct signer *signer_new(struct err *e);
void signer_free(struct signer *s);
AUTO_DEFINE(signer, struct signer, signer_free)

/*
 * The Authorization header's value into OUT.  ERR_CONFIG if SIZE is too
 * small for it (the keys are odd, then).
 */
int signer_sign(struct signer *s, const struct sign_scope *scope,
    const struct sign_request *request, char *out, size_t size, struct err *e);

/* Lower-case hex of the SHA-256 of N bytes into OUT. */
int signer_hash(struct signer *s, const void *p, size_t n,
    char out[SIGN_HEX_BYTES], struct err *e);

/* WALL_S seconds since 1970 as SigV4 writes it, into OUT. */
void sign_date(int64_t wall_s, char out[SIGN_DATE_BYTES]);

#endif
