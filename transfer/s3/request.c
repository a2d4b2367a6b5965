/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/s3/error.h"
#include "transfer/s3/meta.h"
#include "transfer/s3/request.h"

void
req_begin(
    struct s3_session *c, enum http_method method, const char *key, bool dir)
{
	struct s3 *s = s3_of(&c->session);

	c->method = method;
	buf_reset(&c->url);
	buf_reset(&c->lines);
	c->header_count = 0;
	c->too_many = false;
	c->slow = false;
	c->once = false;
	c->query_at = 0;
	c->body = NULL;
	c->body_len = 0;
	c->data = NULL;
	c->data_max = 0;
	c->text = &c->small;
	memcpy(c->payload, s->sign_payload ? SIGN_EMPTY : SIGN_UNSIGNED,
	    s->sign_payload ? sizeof(SIGN_EMPTY) : sizeof(SIGN_UNSIGNED));
	buf_adds(&c->url, s->place.origin);
	c->path_at = c->url.len;
	if (key == NULL) {
		buf_adds(&c->url, s->place.base);
		if (s->place.virtual_host)
			buf_addc(&c->url, '/');
		return;
	}
	buf_adds(&c->url, s->root_path);
	s3_encode(&c->url, key, strlen(key), true);
	if (dir && *key != '\0')
		buf_addc(&c->url, '/');
}

void
req_query(struct s3_session *c, const char *name, const char *value)
{
	buf_addc(&c->url, c->query_at == 0 ? '?' : '&');
	if (c->query_at == 0)
		c->query_at = c->url.len;
	buf_adds(&c->url, name);
	buf_addc(&c->url, '=');
	if (value != NULL)
		s3_encode(&c->url, value, strlen(value), false);
}

/* Order of names alone: "a" before "a-b", though ':' comes behind '-'. */
static bool
comes_before(const struct s3_session *c, struct s3_header a, struct s3_header b)
{
	size_t n = a.name_len < b.name_len ? a.name_len : b.name_len;
	int order = memcmp(c->lines.data + a.at, c->lines.data + b.at, n);

	return order != 0 ? order < 0 : a.name_len < b.name_len;
}

/* Appends the line and gives it its place among the sorted ones. */
void
req_header(struct s3_session *c, const char *name, const char *value)
{
	struct s3_header h = {.at = c->lines.len, .name_len = strlen(name)};
	size_t i;

	if (c->header_count == S3_HEADERS_MAX - 1) {
		c->too_many = true;
		return;
	}
	buf_add(&c->lines, name, h.name_len);
	buf_add(&c->lines, ": ", 2);
	buf_add(&c->lines, value, strlen(value) + 1);
	if (buf_failed(&c->lines))
		return;
	for (i = c->header_count++; i > 0; i--) {
		if (comes_before(c, c->headers[i - 1], h))
			break;
		c->headers[i] = c->headers[i - 1];
	}
	c->headers[i] = h;
}

int
req_body(struct s3_session *c, const void *p, size_t n,
    const struct digest *digest, struct err *e)
{
	c->body = p;
	c->body_len = n;
	if (!s3_of(&c->session)->sign_payload)
		return 0;
	if (digest == NULL || !(digest->have & DIGEST_SHA256))
		return signer_hash(c->signer, p, n, c->payload, e);
	text_hex(digest->sha256, sizeof(digest->sha256), c->payload);
	return 0;
}

void
req_text(struct s3_session *c, struct buf *text)
{
	c->text = text;
}

void
req_data(struct s3_session *c, void *data, size_t max)
{
	c->data = data;
	c->data_max = max;
}

static int
copy_string(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL ? 0 : -1;
}

/* Takes over credentials that were loaded since the last request. */
static int
renew(struct s3_session *c, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	int rc;

	if (c->generation == atomic_load(&s->generation))
		return 0;
	cred_clear(&c->cred);
	pthread_mutex_lock(&s->lock);
	rc = copy_string(&c->cred.access_key, s->cred.access_key);
	if (rc == 0)
		rc = copy_string(&c->cred.secret_key, s->cred.secret_key);
	if (rc == 0)
		rc = copy_string(&c->cred.token, s->cred.token);
	c->generation = atomic_load(&s->generation);
	pthread_mutex_unlock(&s->lock);
	if (rc == -1) {
		c->generation = 0;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	return 0;
}

static const char *
method_name(enum http_method method)
{
	static const char *const names[] = {[HTTP_GET] = "GET",
	    [HTTP_HEAD] = "HEAD",
	    [HTTP_PUT] = "PUT",
	    [HTTP_POST] = "POST",
	    [HTTP_DELETE] = "DELETE"};

	return names[method];
}

/* Adds date and Authorization; the lines of all headers go into LIST. */
static int
sign(struct s3_session *c, const char *list[S3_HEADERS_MAX], struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	struct sign_scope scope = {
	    c->cred.access_key, c->cred.secret_key, s->region, "s3"};
	struct sign_header headers[S3_HEADERS_MAX];
	struct sign_request r = {.method = method_name(c->method),
	    .query = "",
	    .headers = headers,
	    .payload = c->payload};
	char authorization[2048] = "authorization: ";
	size_t skip = strlen(authorization), at, i;

	for (i = 0; i < c->header_count; i++) {
		list[i] = c->lines.data + c->headers[i].at;
		headers[i].name = list[i];
		headers[i].name_len = c->headers[i].name_len;
		headers[i].value = list[i] + c->headers[i].name_len + 2;
	}
	r.header_count = c->header_count;
	r.path = c->url.data + c->path_at;
	r.path_len = strcspn(r.path, "?");
	if (c->query_at != 0)
		r.query = c->url.data + c->query_at;
	r.date = c->date;
	if (signer_sign(c->signer, &scope, &r, authorization + skip,
		sizeof(authorization) - skip, e) == -1)
		return -1;
	at = c->lines.len;
	buf_adds(&c->lines, authorization);
	if (buf_failed(&c->lines))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* The lines may have moved. */
	for (i = 0; i < c->header_count; i++)
		list[i] = c->lines.data + c->headers[i].at;
	list[i] = c->lines.data + at;
	return 0;
}

static int
send_request(struct s3_session *c, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	const char *list[S3_HEADERS_MAX];
	struct http_request r = {.method = c->method,
	    .body = c->body,
	    .body_len = c->body_len,
	    .slow = c->slow,
	    .once = c->once,
	    .data = c->data,
	    .data_max = c->data_max,
	    .text = c->text};
	int64_t now_s = clock_wall_ns() / 1000000000;

	if (renew(c, e) == -1)
		return -1;
	if (now_s != c->date_s) {
		sign_date(now_s, c->date);
		c->date_s = now_s;
	}
	req_header(c, "host", s->place.host);
	req_header(c, "x-amz-content-sha256", c->payload);
	req_header(c, "x-amz-date", c->date);
	if (c->cred.token != NULL)
		req_header(c, "x-amz-security-token", c->cred.token);
	if (buf_failed(&c->url) || buf_failed(&c->lines) || c->too_many)
		return err_set(e, ERR_NOMEM,
		    "the request is too long, or memory is short");
	if (sign(c, list, e) == -1)
		return -1;
	r.url = c->url.data;
	r.headers = list;
	r.header_count = c->header_count + 1;
	return http_do(c->http, &r, &c->reply, e);
}

int
req_do(struct s3_session *c, const char *op, struct err *e)
{
	c->reply.status = 0;
	c->error = (struct reply_error){0};
	if (send_request(c, e) == -1) {
		c->reply.status = 0;
		return err_context(e, "%s", op);
	}
	if (c->reply.status / 100 == 2)
		return 0;
	reply_error(buf_str(c->text), c->text->len, &c->error);
	return s3_error(op, c->reply.status, &c->error, c->reply.headers, e);
}

void
req_meta(struct s3_session *c, const struct item_stat *st, const char *attrs)
{
	struct s3 *s = s3_of(&c->session);
	struct meta_text m;

	meta_format(st, &m);
	req_header(c, "content-type",
	    s->config.content_type != NULL ? s->config.content_type : S3_TYPE);
	if (st->sparse)
		req_header(c, "x-amz-meta-dray-sparse", "1");
	if (attrs[0] != '\0')
		req_header(c, S3_ATTRS_HEADER, attrs);
	if (st->has_atime)
		req_header(c, "x-amz-meta-file-atime", m.atime);
	if (m.hardlink[0] != '\0')
		req_header(c, "x-amz-meta-dray-hardlink", m.hardlink);
	if (st->mode != 0)
		req_header(c, "x-amz-meta-file-group", m.group);
	if (st->mtime_ns != ITEM_TIME_UNKNOWN)
		req_header(c, "x-amz-meta-file-mtime", m.mtime);
	if (st->mode != 0) {
		req_header(c, "x-amz-meta-file-owner", m.owner);
		req_header(c, "x-amz-meta-file-permissions", m.permissions);
	}
	if (s->config.storage_class != NULL)
		req_header(c, "x-amz-storage-class", s->config.storage_class);
	if (s->config.lock_mode != NULL) {
		req_header(c, "x-amz-object-lock-mode", s->config.lock_mode);
		req_header(c, "x-amz-object-lock-retain-until-date",
		    s->config.lock_until);
	}
	if (s->config.legal_hold)
		req_header(c, "x-amz-object-lock-legal-hold", "ON");
}

/* If-Match with quotes, without, and then not at all. */
#define MATCH_FORMS 2

void
req_expect(struct s3_session *c)
{
	const struct store_expect *x = c->session.expect;
	unsigned form = atomic_load(&s3_of(&c->session)->match_form);
	char etag[STORE_ETAG_MAX + 2];

	if (x == NULL)
		return;
	if (x->was == NULL) {
		req_header(c, "if-none-match", "*");
	} else if (x->was->etag[0] != '\0' && form < MATCH_FORMS) {
		snprintf(etag, sizeof(etag), form == 0 ? "\"%s\"" : "%s",
		    x->was->etag);
		req_header(c, "if-match", etag);
	}
}

/* Ceph compares the quotes, too, and then nothing matches. */
static bool
is_misunderstood(struct s3_session *c, const char *key)
{
	struct s3 *s = s3_of(&c->session);
	const struct store_stat *was = c->session.expect->was;
	unsigned form = atomic_load(&s->match_form);
	struct err ignored;
	struct store_stat now;

	if (was == NULL || form >= MATCH_FORMS ||
	    s3_head(c, key, false, &now, &ignored) == -1 ||
	    strcmp(now.etag, was->etag) != 0)
		return false;
	atomic_compare_exchange_strong(&s->match_form, &form, form + 1);
	return true;
}

int
req_unexpected(struct s3_session *c, const char *key, struct err *e)
{
	bool known =
	    c->session.expect != NULL && c->session.expect->was != NULL;

	if (c->session.expect == NULL)
		return -1;
	/* If-Match: what it was to replace is gone. */
	if (c->reply.status != 412 &&
	    !(known && c->reply.status == 404 && e->kind == ERR_NOTFOUND))
		return -1;
	if (c->reply.status == 412 && is_misunderstood(c, key))
		return err_set(e, ERR_SERVER,
		    "the store doesn't understand If-Match: tried otherwise");
	return err_set(e, ERR_CONFLICT, "not replaced: somebody else has %s",
	    known ? "changed or removed it" : "put something there");
}

const char *
s3_crc_header(unsigned algo)
{
	if (algo == DIGEST_CRC64NVME)
		return "x-amz-checksum-crc64nvme";
	return algo == DIGEST_CRC32C ? "x-amz-checksum-crc32c" : NULL;
}

void
req_checksum(struct s3_session *c, const struct digest *digest)
{
	unsigned algo = atomic_load(&s3_of(&c->session)->checksum);
	const char *name = s3_crc_header(algo);
	char text[28];

	if (digest == NULL || !(digest->have & algo))
		return;
	if (name != NULL) {
		req_header(c, name, digest_crc_text(algo, digest, text));
	} else if (algo == DIGEST_MD5) {
		text_base64(digest->md5, sizeof(digest->md5), text);
		req_header(c, "content-md5", text);
	}
}

void
req_content_md5(struct s3_session *c, const void *p, size_t n)
{
	struct digest d;
	char text[28];

	digester_start(c->digester, DIGEST_MD5 | DIGEST_CRC32C);
	digester_update(c->digester, p, n);
	digester_finish(c->digester, &d);
	if (d.have & DIGEST_MD5) {
		text_base64(d.md5, sizeof(d.md5), text);
		req_header(c, "content-md5", text);
	} else {
		req_header(c, s3_crc_header(DIGEST_CRC32C),
		    digest_crc_text(DIGEST_CRC32C, &d, text));
	}
}

bool
req_etag_is_md5(const struct s3_session *c)
{
	const struct http_headers *h = c->reply.headers;
	const char *sse = http_header(h, "x-amz-server-side-encryption");

	return ((const struct s3 *)c->session.store)->etag_is_md5 &&
	    (sse == NULL || strncmp(sse, "aws:", 4) != 0) &&
	    http_header(h, "x-amz-server-side-encryption-customer-algorithm") ==
	    NULL;
}

static uint64_t
big_endian(const uint8_t *b, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *b++;
	return v;
}

void
req_digest(const struct s3_session *c, struct digest *out)
{
	const struct http_headers *h = c->reply.headers;
	const char *s;
	uint8_t b[8];

	/* A composite one has "-N" behind it and fails the length. */
	s = http_header(h, s3_crc_header(DIGEST_CRC64NVME));
	if (s != NULL && text_unbase64(s, strlen(s), b, 8)) {
		out->crc64nvme = big_endian(b, 8);
		out->have |= DIGEST_CRC64NVME;
	}
	s = http_header(h, s3_crc_header(DIGEST_CRC32C));
	if (s != NULL && text_unbase64(s, strlen(s), b, 4)) {
		out->crc32c = (uint32_t)big_endian(b, 4);
		out->have |= DIGEST_CRC32C;
	}
}

/* Whether the store was seen to refuse bytes with a wrong checksum of the kind
 * that went along.  An MD5 may have been found out by its ETag alone. */
static bool
store_checks(const struct s3_session *c, const struct digest *sent)
{
	const struct s3 *s = (const struct s3 *)c->session.store;
	unsigned algo = atomic_load(&s->checksum);

	return !s->forced && algo != DIGEST_MD5 && (sent->have & algo) != 0;
}

static int
compare(struct s3_session *c, const struct digest *sent, const char *etag,
    bool *proved, struct err *e)
{
	struct digest theirs = {0};
	char ours[40];
	uint8_t md5[16];
	unsigned both;

	req_digest(c, &theirs);
	both = theirs.have & sent->have;
	if (((both & DIGEST_CRC64NVME) &&
		theirs.crc64nvme != sent->crc64nvme) ||
	    ((both & DIGEST_CRC32C) && theirs.crc32c != sent->crc32c))
		return err_set(e, ERR_MISMATCH,
		    "the store computed another checksum than was sent: %s",
		    digest_crc_text(both & DIGEST_CRC64NVME ? DIGEST_CRC64NVME
							    : DIGEST_CRC32C,
			&theirs, ours));
	*proved = store_checks(c, sent) ||
	    (both & (DIGEST_CRC64NVME | DIGEST_CRC32C)) != 0;
	if (!(sent->have & DIGEST_MD5) || !req_etag_is_md5(c) ||
	    !text_unhex(etag, strlen(etag), md5, sizeof(md5)))
		return 0;
	if (memcmp(md5, sent->md5, sizeof(md5)) == 0) {
		*proved = true;
		return 0;
	}
	text_hex(sent->md5, sizeof(sent->md5), ours);
	return err_set(e, ERR_MISMATCH,
	    "the store's ETag is %s, the MD5 of what was sent %s", etag, ours);
}

void
req_version(struct s3_session *c, char out[STORE_ETAG_MAX])
{
	const char *v = http_header(c->reply.headers, "x-amz-version-id");
	bool any =
	    v != NULL && strcmp(v, "null") != 0 && strlen(v) < STORE_ETAG_MAX;

	memcpy(out, any ? v : "", any ? strlen(v) + 1 : 1);
}

int
req_receipt(struct s3_session *c, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	const char *etag = http_header(c->reply.headers, "etag");
	struct store_receipt r = {0};

	if (etag != NULL)
		reply_etag(etag, strlen(etag), r.etag);
	req_version(c, r.version);
	if (digest != NULL && compare(c, digest, r.etag, &r.proved, e) == -1)
		return -1;
	*out = r;
	return 0;
}
