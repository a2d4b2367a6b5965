/* SPDX-License-Identifier: ISC */
/*
 * What S3's XML replies say.  Pure.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
 * Each reader gives ERR_PROTOCOL for what is no such reply.  A reply whose
 * root is Error fills *ERROR and returns 1 where a function has that
 * parameter: S3 sends errors under HTTP 200, too.
 */
#ifndef TRANSFER_S3_REPLY_H
#define TRANSFER_S3_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transfer/store.h"

#define REPLY_TOKEN_MAX 4096

struct reply_error {
	char code[64];
	char message[256];
	char region[64];
	char request_id[80];
};

/* Never fails: what can't be read stays empty. */
void reply_error(const char *p, size_t n, struct reply_error *out);

/* ETag without quotes, however they are written. */
void reply_etag(const char *s, size_t n, char out[STORE_ETAG_MAX]);

/* CopyObjectResult, CompleteMultipartUploadResult: the ETag, maybe "". */
int reply_result(const char *p, size_t n, char etag[STORE_ETAG_MAX],
    struct reply_error *error, struct err *e);

/* InitiateMultipartUploadResult. ID takes STORE_ID_MAX bytes. */
int reply_upload_id(const char *p, size_t n, char *id, struct err *e);

/* One page of ListObjectsV2. */
struct reply_page {
	bool truncated;
	char token[REPLY_TOKEN_MAX];  /* NextContinuationToken */
	char id_marker[STORE_ID_MAX]; /* NextUploadIdMarker */
	uint32_t part_marker;	      /* NextPartNumberMarker */
	bool full_object;	      /* ChecksumType of ListParts */
};

struct reply_object {
	const char *key; /* decoded, whole */
	size_t key_len;
	bool is_prefix; /* of CommonPrefixes: ends in the delimiter */
	uint64_t size;
	int64_t modified_ns;
	char etag[STORE_ETAG_MAX];
};

typedef int reply_object_fn(
    void *arg, const struct reply_object *o, struct err *e);
int reply_list(const char *p, size_t n, reply_object_fn *fn, void *arg,
    struct reply_page *page, struct err *e);

/* ListParts. */
struct reply_part {
	uint32_t number;
	uint64_t size;
	char etag[STORE_ETAG_MAX];
	struct digest digest; /* the checksums that it names */
};

typedef int reply_part_fn(
    void *arg, const struct reply_part *part, struct err *e);
int reply_parts(const char *p, size_t n, reply_part_fn *fn, void *arg,
    struct reply_page *page, struct err *e);

/* ListMultipartUploads; page->token is the NextKeyMarker, decoded. */
int reply_uploads(const char *p, size_t n, store_upload_fn *fn, void *arg,
    struct reply_page *page, struct err *e);

/* DeleteResult: CODE is NULL for a key that was deleted. */
typedef int reply_deleted_fn(
    void *arg, const char *key, const struct reply_error *error, struct err *e);
int reply_deleted(
    const char *p, size_t n, reply_deleted_fn *fn, void *arg, struct err *e);

#endif
