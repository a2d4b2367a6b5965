/* SPDX-License-Identifier: ISC */
/* Extended attributes and ACLs: in an object's metadata, or beside it. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "transfer/s3/attrtext.h"
#include "transfer/s3/request.h"

/* The headers of a reply have no more. */
#define TEXT_MAX 65536
#define SIDE_DIR S3_OWN_DIR "/attrs/"

struct side {
	char key[sizeof(SIDE_DIR) + ATTRTEXT_DIGEST_LEN];
};

static struct side
side_of(const char *hex)
{
	struct side side;

	snprintf(side.key, sizeof(side.key), SIDE_DIR "%.*s",
	    ATTRTEXT_DIGEST_LEN, hex);
	return side;
}

/* The digests that are needed to send N bytes at P, and their SHA-256. */
static void
digest_of(struct s3_session *c, const void *p, size_t n, struct digest *d,
    char hex[ATTRTEXT_DIGEST_LEN + 1])
{
	digester_start(c->digester,
	    DIGEST_SHA256 | c->session.store->ops->digests(c->session.store));
	digester_update(c->digester, p, n);
	digester_finish(c->digester, d);
	text_hex(d->sha256, sizeof(d->sha256), hex);
}

/* What this session has put before is there. */
static int
put_side(struct s3_session *c, const struct buf *bytes, const struct digest *d,
    const char *hex, struct err *e)
{
	struct side side = side_of(hex);
	struct store_receipt receipt;

	if (memcmp(c->side, d->sha256, sizeof(c->side)) == 0)
		return 0;
	req_begin(c, HTTP_PUT, side.key, false);
	req_header(c, "content-type", S3_TYPE);
	req_checksum(c, d);
	if (req_body(c, bytes->data, bytes->len, d, e) == -1 ||
	    req_do(c, "PUT of extended attributes", e) == -1 ||
	    req_receipt(c, d, &receipt, e) == -1)
		return -1;
	memcpy(c->side, d->sha256, sizeof(c->side));
	return 0;
}

int
s3_attrs_text(struct s3_session *c, const struct attrs *a, struct buf *text,
    struct err *e)
{
	AUTO(buf) struct buf bytes = BUF_INIT(ATTRS_BYTES_MAX);
	char hex[ATTRTEXT_DIGEST_LEN + 1] = "";
	struct digest d;

	if (a == NULL || a->kinds == 0)
		return 0;
	attrs_format(a, &bytes);
	if (attrtext_is_long(&bytes)) {
		digest_of(c, bytes.data, bytes.len, &d, hex);
		if (put_side(c, &bytes, &d, hex, e) == -1)
			return -1;
	}
	attrtext_format(a->kinds, &bytes, hex, text);
	if (buf_failed(&bytes) || buf_failed(text))
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

/*
 * From the object that DIGEST names: at our root, or at a directory above KEY,
 * which may have been the root of whoever wrote it.
 */
static int
get_side(struct s3_session *c, const char *key, const char *hex,
    struct buf *bytes, struct err *e)
{
	struct side side = side_of(hex);
	AUTO(buf) struct buf at = BUF_INIT(4 * S3_KEY_MAX);
	const char *slash = key;
	int rc;

	for (;;) {
		buf_reset(&at);
		buf_add(&at, key, (size_t)(slash - key));
		buf_adds(&at, side.key);
		req_begin(c, HTTP_GET, buf_str(&at), false);
		req_text(c, bytes);
		rc = req_do(c, "GET of extended attributes", e);
		slash = strchr(slash, '/');
		if (rc == 0 || e->kind != ERR_NOTFOUND || slash == NULL)
			return rc;
		slash++;
		buf_reset(bytes);
	}
}

static struct attrs *
read_side(struct s3_session *c, const char *key, const char *hex,
    unsigned kinds, struct err *e)
{
	AUTO(buf) struct buf bytes = BUF_INIT(ATTRS_BYTES_MAX);
	char got[ATTRTEXT_DIGEST_LEN + 1];
	struct digest d;

	if (get_side(c, key, hex, &bytes, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			err_set(e, ERR_MISMATCH,
			    "the object " SIDE_DIR "%s, which has them, is "
			    "gone",
			    hex);
		return NULL;
	}
	digest_of(c, bytes.data, bytes.len, &d, got);
	if (strcmp(got, hex) != 0) {
		err_set(e, ERR_MISMATCH,
		    "the object " SIDE_DIR "%s has other bytes than its name "
		    "says",
		    hex);
		return NULL;
	}
	return attrs_parse(buf_str(&bytes), bytes.len, kinds, e);
}

static struct attrs *
parse(struct s3_session *c, const char *key, const char *text, struct err *e)
{
	const char *digest;
	unsigned kinds;
	struct attrs *a = attrtext_parse(text, &kinds, &digest, e);

	return digest != NULL ? read_side(c, key, digest, kinds, e) : a;
}

int
s3_attrs_of_reply(struct s3_session *c, const char *key, unsigned kinds,
    struct attrs **out, struct err *e)
{
	const struct http_headers *h = c->reply.headers;
	const char *ours = http_header(h, S3_ATTRS_HEADER);
	const char *s3fs = http_header(h, "x-amz-meta-xattr");
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct attrs *a;

	*out = NULL;
	if (kinds == 0 || (ours == NULL && s3fs == NULL))
		return 0;
	/* Reading another object may be what it takes. */
	buf_adds(&text, ours != NULL ? ours : s3fs);
	if (buf_failed(&text))
		return err_set(e, ERR_NOMEM, "out of memory");
	a = ours != NULL ? parse(c, key, buf_str(&text), e)
			 : attrtext_parse_s3fs(buf_str(&text), e);
	if (a == NULL)
		return err_context(e,
		    "its extended attributes (%s; without -X and -A they are "
		    "left out)",
		    ours != NULL ? S3_ATTRS_HEADER : "x-amz-meta-xattr");
	attrs_keep(a, kinds);
	*out = a;
	return 0;
}

int
s3_attrs(struct session *session, const char *key, enum item_type type,
    struct attrs **out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	unsigned kinds = store_attrs_kinds(&s3_of(session)->config);
	struct store_stat st;

	if (s3_head(c, key, type == ITEM_DIR, &st, e) == 0)
		return s3_attrs_of_reply(c, key, kinds, out, e);
	/* A directory may be but the beginning of names. */
	if (type != ITEM_DIR || e->kind != ERR_NOTFOUND)
		return -1;
	*out = NULL;
	return 0;
}
