/* SPDX-License-Identifier: ISC */
/*
 * The S3 driver's insides: store, session, and one signed request at a time:
 * req_begin, then req_query (names in order), req_header and req_body as
 * needed, then req_do.  What can't be built (no memory, too long) shows there.
 */
#ifndef TRANSFER_S3_REQUEST_H
#define TRANSFER_S3_REQUEST_H

#include <pthread.h>
#include <string.h>

#include "transfer/http.h"
#include "transfer/s3/cred.h"
#include "transfer/s3/reply.h"
#include "transfer/s3/sign.h"
#include "transfer/s3/uri.h"
#include "transfer/store.h"

#define S3_KEY_MAX 1024
#define S3_COPY_MAX (5ULL << 30)
#define S3_HEADERS_MAX 32
/* What is kept below this, at the root, is of dray itself. */
#define S3_OWN_DIR ".dray"
#define S3_ATTRS_HEADER "x-amz-meta-dray-xattrs"
#define S3_TYPE "application/octet-stream"

struct s3 {
	struct store store;
	struct store_config config;
	struct s3_place place;
	char *bucket;
	char *prefix;	 /* "" or without slashes at its ends */
	char *root_path; /* encoded: what comes before a key in the URL */
	char *ca_bundle; /* or NULL */
	char region[64];
	bool forced; /* the user set the checksum */
	bool sign_payload;
	bool etag_is_md5;	 /* as far as the kind of bucket tells */
	atomic_uint checksum;	 /* enum digest_algo, 0: none */
	atomic_uint match_form;	 /* how the store takes If-Match */
	atomic_bool full_object; /* it keeps checksums of whole objects */

	pthread_mutex_t lock;
	struct cred cred;	/* under lock */
	atomic_uint generation; /* of cred */
};

struct s3_header {
	size_t at; /* of its line in lines */
	size_t name_len;
};

struct s3_session {
	struct session session;
	struct http *http;
	struct signer *signer;
	struct digester *digester;
	struct cred cred;
	unsigned generation;
	int64_t date_s;
	char date[SIGN_DATE_BYTES];
	uint8_t side[32]; /* SHA-256 of the attributes put last */

	/* The request. */
	enum http_method method;
	struct buf url;
	size_t path_at, query_at; /* query_at 0: there is none */
	struct buf lines;
	struct s3_header headers[S3_HEADERS_MAX];
	size_t header_count;
	bool too_many;
	bool slow; /* it may take long: copying, putting parts together */
	bool once; /* must not be repeated by itself */
	const void *body;
	size_t body_len;
	char payload[SIGN_HEX_BYTES];
	void *data;
	size_t data_max;
	struct buf *text; /* the reply's body: small, or the caller's */

	/* Its reply. status is 0 if there was none. */
	struct buf small;
	struct http_reply reply;
	struct reply_error error;
};

static inline struct s3 *
s3_of(struct session *c)
{
	/* The store is the first member. */
	return (struct s3 *)c->store;
}

static inline struct s3_session *
s3_session_of(struct session *c)
{
	return (struct s3_session *)c;
}

/* KEY below the root, "KEY/" if DIR; NULL: the bucket itself. */
void req_begin(
    struct s3_session *c, enum http_method method, const char *key, bool dir);
/* VALUE NULL: without one ("uploads="). */
void req_query(struct s3_session *c, const char *name, const char *value);
/* A header that is signed; NAME in lower case. */
void req_header(struct s3_session *c, const char *name, const char *value);
/* DIGEST may be NULL; else its SHA-256 is taken if it has one. */
int req_body(struct s3_session *c, const void *p, size_t n,
    const struct digest *digest, struct err *e);
/* Where the reply goes, instead of c->small. */
void req_text(struct s3_session *c, struct buf *text);
void req_data(struct s3_session *c, void *data, size_t max);

/* 0 for 2xx; else -1 and *E by the table; c->reply and c->error stay. */
int req_do(struct s3_session *c, const char *op, struct err *e);

/* Headers for metadata and storage class of ST.  ATTRS: s3_attrs_text(), or ""
 * if nothing is known. */
void req_meta(
    struct s3_session *c, const struct item_stat *st, const char *attrs);
/* Headers for what the session's caller expects under the key. */
void req_expect(struct s3_session *c);
/* The request for KEY failed, by *E: ERR_CONFLICT if for that.  -1. */
int req_unexpected(struct s3_session *c, const char *key, struct err *e);
/* The checksum that the store verifies, of DIGEST, as a header. */
void req_checksum(struct s3_session *c, const struct digest *digest);
/* MD5 of N bytes as Content-MD5; CRC32C where libcrypto has no MD5. */
void req_content_md5(struct s3_session *c, const void *p, size_t n);

/*
 * *OUT by the reply's headers; ERR_MISMATCH if they contradict DIGEST, of what
 * was sent (NULL: nothing to compare, and nothing is proved).
 */
/* The version id of the reply's object; "" if the bucket keeps none. */
void req_version(struct s3_session *c, char out[STORE_ETAG_MAX]);
int req_receipt(struct s3_session *c, const struct digest *digest,
    struct store_receipt *out, struct err *e);
/* Whether the reply's ETag is made of MD5s. */
bool req_etag_is_md5(const struct s3_session *c);
/* Checksums of the whole object that the reply's headers name. */
void req_digest(const struct s3_session *c, struct digest *out);

/* "x-amz-checksum-crc64nvme", or NULL if ALGO is none of the CRCs. */
const char *s3_crc_header(unsigned algo);

/* object.c */
int s3_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e);
int s3_read(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e);
int s3_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int s3_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int s3_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e);
int s3_set_aside(struct session *c, const char *key, const char *to, bool *keep,
    struct err *e);
int s3_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
/* The metadata of a copy, which replaces all that there was. */
struct s3_carried {
	struct item_stat st;
	struct attrs *attrs;
	struct buf text; /* s3_attrs_text() */
};
void s3_carried_free(struct s3_carried *x);
static inline void
auto_s3_carried(struct s3_carried *x)
{
	s3_carried_free(x);
}
/*
 * HEAD of KEY, which must still be what the caller knows as WAS (NULL: any),
 * or ERR_MISMATCH; fills *NOW.  What X->st doesn't know is taken over from it
 * into X.
 */
int s3_carry(struct s3_session *c, const char *key, bool dir,
    const struct store_stat *was, struct store_stat *now, struct s3_carried *x,
    struct err *e);
/*
 * TO becomes a copy, made by the store, of FROM (the keys of directories if
 * DIR) with the metadata X.  ERR_MISMATCH if FROM's ETag isn't ETAG ("":
 * any), as far as the store looks.
 */
int s3_copy(struct s3_session *c, const char *from, const char *to, bool dir,
    const char *etag, const struct s3_carried *x, struct store_receipt *out,
    struct err *e);
/* link.c */
int s3_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
/* object.c: HEAD of KEY, "KEY/" if DIR. */
int s3_head(struct s3_session *c, const char *key, bool dir,
    struct store_stat *out, struct err *e);

/* *OUT by the reply's headers, of HEAD or GET. */
int s3_read_head(
    struct s3_session *c, bool dir, struct store_stat *out, struct err *e);
/* Whether the reply holds the bytes from OFFSET on. */
int s3_check_range(struct s3_session *c, uint64_t offset, struct err *e);

/* source.c */
struct store_file *s3_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int s3_read_file(struct store_file *f, uint64_t offset, void *data, size_t len,
    struct err *e);
int s3_check_file(struct store_file *f, struct err *e);
void s3_close_file(struct store_file *f);

/* multipart.c */
int s3_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int s3_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int s3_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int s3_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int s3_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);

/* Whether KEY is what dray keeps for itself, or below it. */
static inline bool
s3_is_own(const char *key)
{
	const size_t n = sizeof(S3_OWN_DIR) - 1;

	return strncmp(key, S3_OWN_DIR, n) == 0 &&
	    (key[n] == '\0' || key[n] == '/');
}

/* attrs.c */
/*
 * Appends to TEXT how an object's metadata tells of A; nothing if A is NULL.
 * What is too long for that is put beside it.  Before req_begin().
 */
int s3_attrs_text(struct s3_session *c, const struct attrs *a, struct buf *text,
    struct err *e);
/* What the headers of the reply, of KEY, tell, of KINDS: the caller's, or NULL.
 * The reply may be another one then. */
int s3_attrs_of_reply(struct s3_session *c, const char *key, unsigned kinds,
    struct attrs **out, struct err *e);
int s3_attrs(struct session *c, const char *key, enum item_type type,
    struct attrs **out, struct err *e);

/* list.c */
int s3_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e);
int s3_uploads(struct session *c, const char *key, store_upload_fn *fn,
    void *arg, struct err *e);

/* remove.c */
int s3_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);

/* probe.c */
int s3_probe(struct session *c, bool create, bool checksum,
    struct store_probe *out, struct err *e);

#endif
