/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "transfer/s3/error.h"
#include "transfer/s3/meta.h"
#include "transfer/s3/request.h"

int
s3_read_head(
    struct s3_session *c, bool dir, struct store_stat *out, struct err *e)
{
	const struct http_headers *h = c->reply.headers;
	const char *range = http_header(h, "content-range");
	const char *total = range != NULL ? strchr(range, '/') : NULL;
	const char *size =
	    total != NULL ? total + 1 : http_header(h, "content-length");
	const char *modified = http_header(h, "last-modified");
	const char *etag = http_header(h, "etag");
	struct store_stat st = {.type = dir ? ITEM_DIR : ITEM_FILE};
	char *end;

	errno = 0;
	if (size == NULL || *size < '0' || *size > '9')
		return err_set(e, ERR_PROTOCOL, "a reply without size");
	st.size = strtoull(size, &end, 10);
	if (*end != '\0' || errno != 0)
		return err_set(e, ERR_PROTOCOL, "the size makes no sense");
	if (modified != NULL)
		http_parse_date(modified, &st.modified_ns);
	st.mtime_ns = st.modified_ns;
	if (etag != NULL)
		reply_etag(etag, strlen(etag), st.etag);
	req_version(c, st.version);
	meta_parse(h, &st);
	req_digest(c, &st.digest);
	if (req_etag_is_md5(c) &&
	    text_unhex(st.etag, strlen(st.etag), st.digest.md5, 16))
		st.digest.have |= DIGEST_MD5;
	*out = st;
	return 0;
}

int
s3_head(struct s3_session *c, const char *key, bool dir, struct store_stat *out,
    struct err *e)
{
	req_begin(c, HTTP_HEAD, key, dir);
	req_header(c, "x-amz-checksum-mode", "ENABLED");
	if (req_do(c, "HEAD", e) == -1) {
		/* The reply has no body to say so. */
		if (c->reply.status == 400 && c->cred.token != NULL)
			e->kind = ERR_EXPIRED;
		return -1;
	}
	return s3_read_head(c, dir, out, e);
}

int
s3_stat(struct session *session, const char *key, struct store_stat *out,
    struct err *e)
{
	struct s3_session *c = s3_session_of(session);

	size_t n = strlen(key);

	if (n > 0) {
		if (s3_head(c, key, false, out, e) == 0) {
			/* As list() has it. */
			if (key[n - 1] == '/' && out->size == 0)
				out->type = ITEM_DIR;
			return 0;
		}
		if (e->kind != ERR_NOTFOUND || key[n - 1] == '/')
			return -1;
	}
	return s3_head(c, key, true, out, e);
}

int
s3_check_range(struct s3_session *c, uint64_t offset, struct err *e)
{
	const char *range = http_header(c->reply.headers, "content-range");
	char want[40];

	snprintf(want, sizeof(want), "bytes %" PRIu64 "-", offset);
	if ((c->reply.status == 200 && offset == 0) ||
	    (range != NULL && strncmp(range, want, strlen(want)) == 0))
		return 0;
	return err_set(e, ERR_PROTOCOL,
	    "GET: the store sent other bytes than were asked for");
}

int
s3_read(struct session *session, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	char range[64];

	if (len == 0)
		return 0;
	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset,
	    offset + len - 1);
	req_begin(c, HTTP_GET, key, false);
	req_header(c, "range", range);
	req_data(c, data, len);
	if (req_do(c, "GET", e) == -1 || s3_check_range(c, offset, e) == -1)
		return -1;
	if (c->reply.data_len < len)
		return err_set(e, ERR_MISMATCH,
		    "GET: %zu bytes where %zu should be", c->reply.data_len,
		    len);
	return 0;
}

static int
put(struct s3_session *c, const char *key, bool dir, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	AUTO(buf) struct buf attrs = BUF_INIT(2 * S3_KEY_MAX);

	if (s3_attrs_text(c, st->attrs, &attrs, e) == -1)
		return -1;
	req_begin(c, HTTP_PUT, key, dir);
	req_meta(c, st, buf_str(&attrs));
	req_checksum(c, digest);
	if (!dir)
		req_expect(c);
	if (req_body(c, data, len, digest, e) == -1)
		return -1;
	if (req_do(c, "PUT", e) == -1)
		return req_unexpected(c, key, e);
	return req_receipt(c, digest, out, e);
}

int
s3_put(struct session *session, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	return put(
	    s3_session_of(session), key, false, st, data, len, digest, out, e);
}

/* A body that nobody took digests of yet. */
static int
put_own(struct s3_session *c, const char *key, bool dir,
    const struct item_stat *st, const char *data, size_t len, struct err *e)
{
	struct store_receipt receipt;
	struct digest d;

	digester_start(
	    c->digester, c->session.store->ops->digests(c->session.store));
	digester_update(c->digester, data, len);
	digester_finish(c->digester, &d);
	return put(c, key, dir, st, data, len, &d, &receipt, e);
}

/* The bucket itself needs no object. */
static bool
is_bucket(struct s3_session *c, const char *key)
{
	return *key == '\0' && s3_of(&c->session)->prefix[0] == '\0';
}

int
s3_mkdir(struct session *session, const char *key, const struct item_stat *st,
    struct err *e)
{
	struct s3_session *c = s3_session_of(session);

	return is_bucket(c, key) ? 0 : put_own(c, key, true, st, "", 0, e);
}

int
s3_symlink(struct session *session, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	struct item_stat link = *st;

	link.mode = S_IFLNK | 0777;
	return put_own(
	    s3_session_of(session), key, false, &link, target, len, e);
}

/* "/bucket/prefix/key", encoded. */
static void
copy_source(struct s3_session *c, const char *key, bool dir)
{
	AUTO(buf) struct buf source = BUF_INIT(4 * S3_KEY_MAX);
	struct s3 *s = s3_of(&c->session);

	buf_addc(&source, '/');
	s3_encode(&source, s->bucket, strlen(s->bucket), false);
	buf_addc(&source, '/');
	s3_encode(&source, s->prefix, strlen(s->prefix), true);
	if (s->prefix[0] != '\0')
		buf_addc(&source, '/');
	s3_encode(&source, key, strlen(key), true);
	if (dir && *key != '\0')
		buf_addc(&source, '/');
	req_header(c, "x-amz-copy-source", buf_str(&source));
	c->too_many |= buf_failed(&source);
}

void
s3_carried_free(struct s3_carried *x)
{
	attrs_free(x->attrs);
	buf_free(&x->text);
}

/* Whether NOW is what the caller knows as WAS. */
static int
check_was(
    const struct store_stat *now, const struct store_stat *was, struct err *e)
{
	bool same;

	if (was->etag[0] != '\0' && now->etag[0] != '\0')
		same = strcmp(was->etag, now->etag) == 0;
	else
		same = now->type == was->type && now->has_source_mtime &&
		    now->mtime_ns == was->mtime_ns;
	if (same && now->size == was->size)
		return 0;
	return err_set(e, ERR_MISMATCH,
	    "is not the object that was left at the target any more");
}

/* Attributes: as they are now, as far as X doesn't know better. */
static int
carry_attrs(
    struct s3_session *c, const char *key, struct s3_carried *x, struct err *e)
{
	const unsigned all = ATTRS_XATTRS | ATTRS_ACLS;
	const char *as_is = http_header(c->reply.headers, S3_ATTRS_HEADER);
	AUTO(attrs) struct attrs *now = NULL;

	if (x->st.attrs == NULL) {
		buf_adds(&x->text, as_is != NULL ? as_is : "");
		return 0;
	}
	if (x->st.attrs->kinds != all &&
	    s3_attrs_of_reply(c, key, all, &now, e) == -1)
		return -1;
	x->attrs = attrs_copy(x->st.attrs, e);
	if (x->attrs == NULL || attrs_merge(x->attrs, now, e) == -1)
		return -1;
	return s3_attrs_text(c, x->attrs, &x->text, e);
}

int
s3_carry(struct s3_session *c, const char *key, bool dir,
    const struct store_stat *was, struct store_stat *now, struct s3_carried *x,
    struct err *e)
{
	struct item_stat *st = &x->st;

	buf_init(&x->text, HTTP_HEADERS_MAX);
	if (s3_head(c, key, dir, now, e) == -1 ||
	    (was != NULL && check_was(now, was, e) == -1))
		return -1;
	if (st->mode == 0 && now->has_owner) {
		st->mode = now->mode;
		st->uid = now->uid;
		st->gid = now->gid;
	}
	if (st->mtime_ns == ITEM_TIME_UNKNOWN && now->has_source_mtime)
		st->mtime_ns = now->mtime_ns;
	if (!st->has_atime && now->has_atime) {
		st->has_atime = true;
		st->atime_ns = now->atime_ns;
	}
	st->sparse |= now->sparse;
	return carry_attrs(c, key, x, e);
}

static int
finish_copy(struct s3_session *c, struct store_receipt *out, struct err *e)
{
	struct store_receipt r;
	int rc;

	if (req_do(c, "copy", e) == -1) {
		if (c->reply.status == 412)
			e->kind = ERR_MISMATCH;
		return -1;
	}
	if (req_receipt(c, NULL, &r, e) == -1)
		return -1;
	rc = reply_result(buf_str(c->text), c->text->len, r.etag, &c->error, e);
	if (rc == 1)
		return s3_error(
		    "copy", c->reply.status, &c->error, c->reply.headers, e);
	if (rc == -1)
		return err_context(e, "copy");
	*out = r;
	return 0;
}

int
s3_copy(struct s3_session *c, const char *from, const char *to, bool dir,
    const char *etag, const struct s3_carried *x, struct store_receipt *out,
    struct err *e)
{
	char quoted[STORE_ETAG_MAX + 2];

	req_begin(c, HTTP_PUT, to, dir);
	c->slow = true;
	req_meta(c, &x->st, buf_str(&x->text));
	req_header(c, "x-amz-metadata-directive", "REPLACE");
	copy_source(c, from, dir);
	/* Not every store heeds it: whoever must know has looked before. */
	if (etag[0] != '\0') {
		snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
		req_header(c, "x-amz-copy-source-if-match", quoted);
	}
	return finish_copy(c, out, e);
}

int
s3_set_aside(struct session *session, const char *key, const char *to,
    bool *keep, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	struct store_receipt ignored;

	*keep = true; /* a copy */
	req_begin(c, HTTP_PUT, to, false);
	c->slow = true;
	copy_source(c, key, false);
	return finish_copy(c, &ignored, e);
}

int
s3_set_metadata(struct session *session, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(s3_carried) struct s3_carried x = {.st = *st};
	bool dir = st->type == ITEM_DIR;
	struct store_stat now;

	if (is_bucket(c, key))
		return 0;
	if (st->type == ITEM_FILE && st->size > S3_COPY_MAX)
		return err_set(e, ERR_UNSUPPORTED,
		    "S3 changes the metadata of an object by a copy, and that "
		    "of 5 GiB at most");
	if (st->type == ITEM_SYMLINK)
		x.st.mode = S_IFLNK | 0777;
	if (s3_carry(c, key, dir, was, &now, &x, e) == -1)
		return -1;
	return s3_copy(c, key, key, dir, now.etag, &x, out, e);
}
