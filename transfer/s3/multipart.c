/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "transfer/s3/error.h"
#include "transfer/s3/request.h"

#define LIST_MAX (4 << 20)     /* bytes of a page of 1,000 parts */
#define COMPLETE_MAX (8 << 20) /* bytes of the list of parts */

/* "CRC64NVME", or NULL if none of the CRCs is agreed on. */
static const char *
algorithm(struct s3 *s)
{
	unsigned algo = atomic_load(&s->checksum);

	if (algo == DIGEST_CRC64NVME)
		return "CRC64NVME";
	return algo == DIGEST_CRC32C ? "CRC32C" : NULL;
}

int
s3_upload_begin(struct session *session, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	struct s3 *s = s3_of(session);
	const char *name = algorithm(s), *type;
	AUTO(buf) struct buf attrs = BUF_INIT(2 * S3_KEY_MAX);

	(void)plan;
	if (s3_attrs_text(c, st->attrs, &attrs, e) == -1)
		return -1;
	req_begin(c, HTTP_POST, key, false);
	req_query(c, "uploads", NULL);
	c->once = true;
	req_meta(c, st, buf_str(&attrs));
	if (name != NULL) {
		req_header(c, "x-amz-checksum-algorithm", name);
		req_header(c, "x-amz-checksum-type", "FULL_OBJECT");
	}
	if (req_do(c, "begin upload", e) == -1)
		return -1;
	type = http_header(c->reply.headers, "x-amz-checksum-type");
	if (type != NULL && strcmp(type, "FULL_OBJECT") == 0)
		atomic_store(&s->full_object, true);
	if (reply_upload_id(buf_str(c->text), c->text->len, id, e) == -1)
		return err_context(e, "begin upload");
	return 0;
}

/* NoSuchUpload, or a plain 404 where the upload is what was asked for. */
static int
gone(struct s3_session *c, struct err *e)
{
	if (e->kind == ERR_NOTFOUND ||
	    (c->reply.status == 404 && e->kind != ERR_CONFIG))
		e->kind = ERR_GONE;
	return -1;
}

int
s3_upload_part(struct session *session, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, number);
	req_begin(c, HTTP_PUT, u->key, false);
	req_query(c, "partNumber", text);
	req_query(c, "uploadId", u->id);
	req_header(c, "content-type", S3_TYPE);
	req_checksum(c, digest);
	if (req_body(c, data, len, digest, e) == -1)
		return -1;
	if (req_do(c, "PUT", e) == -1)
		return gone(c, e);
	return req_receipt(c, digest, out, e);
}

struct check {
	const struct store_part *parts;
	size_t n;
	bool *keep;
};

static int
by_number(const void *key, const void *element)
{
	uint32_t a = *(const uint32_t *)key;
	uint32_t b = ((const struct store_part *)element)->number;

	return (a > b) - (a < b);
}

static int
on_part(void *arg, const struct reply_part *part, struct err *e)
{
	const struct check *check = arg;
	const struct store_part *ours = bsearch(&part->number, check->parts,
	    check->n, sizeof(*check->parts), by_number);
	unsigned both;

	(void)e;
	if (ours == NULL)
		return 0;
	both = part->digest.have & ours->digest.have;
	check->keep[ours - check->parts] = part->size == ours->size &&
	    strcasecmp(part->etag, ours->etag) == 0 &&
	    (!(both & DIGEST_CRC64NVME) ||
		part->digest.crc64nvme == ours->digest.crc64nvme) &&
	    (!(both & DIGEST_CRC32C) ||
		part->digest.crc32c == ours->digest.crc32c);
	return 0;
}

static int
list_parts(struct s3_session *c, const struct store_upload *u, uint32_t marker,
    struct buf *text, struct err *e)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, marker);
	req_begin(c, HTTP_GET, u->key, false);
	req_query(c, "max-parts", "1000");
	if (marker > 0)
		req_query(c, "part-number-marker", number);
	req_query(c, "uploadId", u->id);
	req_text(c, text);
	if (req_do(c, "list parts", e) == -1)
		return gone(c, e);
	return 0;
}

int
s3_upload_check(struct session *session, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(buf) struct buf text = BUF_INIT(LIST_MAX);
	AUTO(free) bool *found = calloc(n + 1, sizeof(*found));
	struct check check = {parts, n, found};
	struct reply_page page;
	uint32_t marker = 0;

	if (found == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (;;) {
		if (list_parts(c, u, marker, &text, e) == -1)
			return -1;
		if (reply_parts(buf_str(&text), text.len, on_part, &check,
			&page, e) == -1)
			return err_context(e, "list parts");
		if (page.full_object)
			atomic_store(&s3_of(session)->full_object, true);
		if (!page.truncated)
			break;
		if (page.part_marker <= marker)
			return err_set(e, ERR_PROTOCOL,
			    "list parts: the listing does not go on");
		marker = page.part_marker;
	}
	memcpy(keep, found, n * sizeof(*keep));
	return 0;
}

/* The ETag that S3 gives to N parts; false if a part's is no MD5. */
static bool
combine_etags(struct s3_session *c, const struct store_part *parts, size_t n,
    char out[STORE_ETAG_MAX])
{
	struct digest d;
	uint8_t md5[16];
	char hex[33];
	size_t i;

	digester_start(c->digester, DIGEST_MD5);
	for (i = 0; i < n; i++) {
		if (!text_unhex(
			parts[i].etag, strlen(parts[i].etag), md5, sizeof(md5)))
			break;
		digester_update(c->digester, md5, sizeof(md5));
	}
	digester_finish(c->digester, &d);
	text_hex(d.md5, sizeof(d.md5), hex);
	snprintf(out, STORE_ETAG_MAX, "%s-%zu", hex, n);
	return i == n && (d.have & DIGEST_MD5);
}

static int
compare_digest(const struct store_stat *st, const struct digest *whole,
    bool *proved, struct err *e)
{
	unsigned both = st->digest.have & whole->have;
	char text[16];

	if (((both & DIGEST_CRC64NVME) &&
		st->digest.crc64nvme != whole->crc64nvme) ||
	    ((both & DIGEST_CRC32C) && st->digest.crc32c != whole->crc32c))
		return err_set(e, ERR_MISMATCH,
		    "the store's checksum of the object is %s, that of the "
		    "file another",
		    digest_crc_text(both & DIGEST_CRC64NVME ? DIGEST_CRC64NVME
							    : DIGEST_CRC32C,
			&st->digest, text));
	if (both & (DIGEST_CRC64NVME | DIGEST_CRC32C))
		*proved = true;
	return 0;
}

/* "32 hex digits-N" */
static bool
is_multipart_etag(const char *etag)
{
	uint8_t md5[16];

	return strcspn(etag, "-") == 32 && etag[32] == '-' &&
	    text_unhex(etag, 32, md5, sizeof(md5));
}

static bool
all_proved(const struct store_part *parts, size_t n)
{
	size_t i = 0;

	while (i < n && parts[i].proved)
		i++;
	return i == n;
}

/*
 * Looks at the object that the parts became.  *OURS: a checksum or ETag says
 * that it is made of them.
 */
static int
inspect(struct s3_session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_stat *st, struct store_receipt *out, bool *ours, struct err *e)
{
	char etag[STORE_ETAG_MAX];
	bool proved = false;

	if (s3_head(c, u->key, false, st, e) == -1)
		return -1;
	if (st->size != u->plan.size)
		return err_set(e, ERR_MISMATCH,
		    "the object has %" PRIu64 " bytes, the file %" PRIu64,
		    st->size, u->plan.size);
	if (compare_digest(st, whole, &proved, e) == -1)
		return -1;
	*ours = proved;
	if (combine_etags(c, parts, n, etag) && req_etag_is_md5(c) &&
	    is_multipart_etag(st->etag)) {
		if (strcasecmp(etag, st->etag) != 0)
			return err_set(e, ERR_MISMATCH,
			    "the object's ETag is %s, that of the parts %s",
			    st->etag, etag);
		*ours = true;
	}
	if (req_receipt(c, NULL, out, e) == -1)
		return -1;
	/* The ETags of the parts say nothing of what was sent. */
	out->proved = proved || all_proved(parts, n);
	return 0;
}

/* The upload may have been completed before, and only the answer got lost. */
static int
look_for_it(struct s3_session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	bool lost = e->kind == ERR_GONE, ours;
	AUTO(buf) struct buf text = BUF_INIT(LIST_MAX);
	struct err why = ERR_INIT;
	struct store_stat st;

	if (inspect(c, u, parts, n, whole, &st, out, &ours, &why) == 0 &&
	    ours && st.has_source_mtime && st.mtime_ns == u->st.mtime_ns)
		return 0;
	if (why.kind != ERR_NONE && why.kind != ERR_NOTFOUND &&
	    why.kind != ERR_MISMATCH) {
		if (lost)
			*e = why;
		return -1;
	}
	/* Ceph answers 500 for ever to an upload that is no more. */
	if (!lost && list_parts(c, u, 0, &text, &why) == -1 &&
	    why.kind == ERR_GONE)
		*e = why;
	return -1;
}

static int
add_list(
    struct buf *body, const struct store_part *parts, size_t n, struct err *e)
{
	size_t i;

	buf_adds(body,
	    "<CompleteMultipartUpload "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (i = 0; i < n; i++) {
		if (strpbrk(parts[i].etag, "<>&\"") != NULL)
			return err_set(e, ERR_PROTOCOL,
			    "part %" PRIu32 " has an impossible ETag",
			    parts[i].number);
		buf_addf(body,
		    "<Part><ETag>&quot;%s&quot;</ETag>"
		    "<PartNumber>%" PRIu32 "</PartNumber></Part>",
		    parts[i].etag, parts[i].number);
	}
	buf_adds(body, "</CompleteMultipartUpload>");
	return buf_failed(body) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* What the whole must be, where the store is known to keep such checksums. */
static void
add_whole(struct s3_session *c, const struct store_upload *u,
    const struct digest *whole)
{
	struct s3 *s = s3_of(&c->session);
	unsigned algo = atomic_load(&s->checksum);
	const char *name = s3_crc_header(algo);
	char text[28];

	if (name == NULL || !(whole->have & algo) ||
	    !atomic_load(&s->full_object))
		return;
	req_header(c, name, digest_crc_text(algo, whole, text));
	req_header(c, "x-amz-checksum-type", "FULL_OBJECT");
	snprintf(text, sizeof(text), "%" PRIu64, u->plan.size);
	req_header(c, "x-amz-mp-object-size", text);
}

/*
 * Somebody else wrote the object, before or at the same time: then S3 wants
 * the upload begun anew.
 */
static int
not_completed(struct s3_session *c, const char *key, struct err *e)
{
	const char *code = c->error.code;

	if (strcmp(code, "ConditionalRequestConflict") == 0) {
		e->kind = ERR_MISMATCH;
		return -1;
	}
	if (strcmp(code, "PreconditionFailed") == 0)
		c->reply.status = 412; /* of a 200 that has an error body */
	if (strcmp(code, "NoSuchUpload") != 0)
		req_unexpected(c, key, e);
	return e->kind == ERR_CONFLICT ? -1 : gone(c, e);
}

static int
complete(struct s3_session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    char *etag, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(COMPLETE_MAX);
	int rc;

	if (add_list(&body, parts, n, e) == -1)
		return -1;
	req_begin(c, HTTP_POST, u->key, false);
	req_query(c, "uploadId", u->id);
	c->slow = true;
	req_header(c, "content-type", "application/xml");
	add_whole(c, u, whole);
	req_expect(c);
	if (req_body(c, body.data, body.len, NULL, e) == -1)
		return -1;
	rc = req_do(c, "complete", e);
	c->body = NULL;
	if (rc == -1)
		return not_completed(c, u->key, e);
	rc = reply_result(buf_str(c->text), c->text->len, etag, &c->error, e);
	if (rc == 1) {
		s3_error("complete", c->reply.status, &c->error,
		    c->reply.headers, e);
		return not_completed(c, u->key, e);
	}
	return rc == -1 ? err_context(e, "complete") : 0;
}

int
s3_upload_complete(struct session *session, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	char etag[STORE_ETAG_MAX];
	struct store_stat st;
	bool ours;

	/* S3 would make an object of any parts that are listed. */
	if (n != u->plan.parts)
		return err_set(e, ERR_MISMATCH,
		    "complete: %zu of %" PRIu32 " parts", n, u->plan.parts);
	if (complete(c, u, parts, n, whole, etag, e) == -1) {
		if (e->kind != ERR_GONE && e->kind != ERR_SERVER &&
		    e->kind != ERR_PROTOCOL && e->kind != ERR_CONFLICT)
			return -1;
		return look_for_it(c, u, parts, n, whole, out, e);
	}
	if (inspect(c, u, parts, n, whole, &st, out, &ours, e) == 0)
		return 0;
	/* These credentials may write only: the parts' proofs must do. */
	if (e->kind == ERR_DENIED && all_proved(parts, n)) {
		memset(out, 0, sizeof(*out));
		memcpy(out->etag, etag, sizeof(out->etag));
		out->proved = true;
		return 0;
	}
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_SERVER; /* not shown yet: ask again */
	return err_context(e, "after complete");
}

int
s3_upload_abort(
    struct session *session, const char *key, const char *id, struct err *e)
{
	struct s3_session *c = s3_session_of(session);

	req_begin(c, HTTP_DELETE, key, false);
	req_query(c, "uploadId", id);
	if (req_do(c, "abort upload", e) == 0 || c->reply.status == 404)
		return 0;
	return -1;
}
