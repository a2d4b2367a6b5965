/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "transfer/s3/request.h"

/* HEAD and GET tell the time of a change in seconds only. */
#define SECOND_NS ((int64_t)1000000000)
#define PAGE_MAX (16 << 20) /* bytes of a page of 1,000 keys */

struct listing {
	struct buf prefix; /* what all keys begin with */
	size_t root_len;   /* of it, the store's root with its slash */
	bool recursive;
	store_list_fn *fn; /* one of the two */
	store_upload_fn *upload;
	void *arg;
};

static void
add_root(struct s3 *s, struct listing *l)
{
	buf_init(&l->prefix, 4 * S3_KEY_MAX);
	if (s->prefix[0] != '\0') {
		buf_adds(&l->prefix, s->prefix);
		buf_addc(&l->prefix, '/');
	}
	l->root_len = l->prefix.len;
}

static int
on_object(void *arg, const struct reply_object *o, struct err *e)
{
	const struct listing *l = arg;
	struct store_list_entry entry = {.key = o->key + l->root_len,
	    .st = {.type = ITEM_FILE,
		.size = o->size,
		.mtime_ns = o->modified_ns - o->modified_ns % SECOND_NS}};
	char key[S3_KEY_MAX * 2];

	/* A store that ignores the prefix. */
	if (o->key_len < l->prefix.len ||
	    memcmp(o->key, buf_str(&l->prefix), l->prefix.len) != 0)
		return 0;
	/* The directory itself; with bytes, it is an object that no other
	 * listing with a delimiter shows. */
	if (o->key_len == l->prefix.len && (o->size == 0 || l->recursive))
		return 0;
	if (s3_is_own(entry.key))
		return 0;
	memcpy(entry.st.etag, o->etag, sizeof(o->etag));
	entry.key_len = o->key_len - l->root_len;
	if (entry.key_len > 0 && entry.key[entry.key_len - 1] == '/' &&
	    (o->is_prefix || o->size == 0)) {
		entry.st.type = ITEM_DIR;
		if (--entry.key_len >= sizeof(key))
			return err_set(e, ERR_PROTOCOL, "a key is too long");
		memcpy(key, entry.key, entry.key_len);
		key[entry.key_len] = '\0';
		entry.key = key;
	}
	return l->fn(l->arg, &entry, e);
}

static int
get_page(struct s3_session *c, const struct listing *l, bool recursive,
    const char *token, struct buf *text, struct err *e)
{
	req_begin(c, HTTP_GET, NULL, false);
	if (token[0] != '\0')
		req_query(c, "continuation-token", token);
	if (!recursive)
		req_query(c, "delimiter", "/");
	req_query(c, "encoding-type", "url");
	req_query(c, "list-type", "2");
	req_query(c, "max-keys", "1000");
	if (l->prefix.len > 0)
		req_query(c, "prefix", l->prefix.data);
	req_text(c, text);
	return req_do(c, "list", e);
}

int
s3_list(struct session *session, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(buf) struct buf text = BUF_INIT(PAGE_MAX);
	AUTO(free) struct reply_page *page = calloc(1, sizeof(*page));
	struct listing l = {.fn = fn, .arg = arg, .recursive = recursive};
	char before[REPLY_TOKEN_MAX];
	int rc;

	if (page == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	add_root(s3_of(session), &l);
	if (*dir != '\0') {
		buf_adds(&l.prefix, dir);
		buf_addc(&l.prefix, '/');
	}
	do {
		memcpy(before, page->token, sizeof(before));
		rc = get_page(c, &l, recursive, page->token, &text, e);
		if (rc == 0)
			rc = reply_list(
			    buf_str(&text), text.len, on_object, &l, page, e);
		if (rc == 0 && page->truncated &&
		    strcmp(before, page->token) == 0)
			rc = err_set(e, ERR_PROTOCOL,
			    "list: the listing does not go on");
	} while (rc == 0 && page->truncated);
	buf_free(&l.prefix);
	return rc;
}

static int
on_upload(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	const struct listing *l = arg;

	if (strncmp(key, buf_str(&l->prefix), l->prefix.len) != 0)
		return 0;
	return l->upload(l->arg, key + l->root_len, id, begun_ns, e);
}

static int
get_uploads(struct s3_session *c, const struct listing *l,
    const struct reply_page *page, struct buf *text, struct err *e)
{
	req_begin(c, HTTP_GET, NULL, false);
	req_query(c, "encoding-type", "url");
	if (page->token[0] != '\0')
		req_query(c, "key-marker", page->token);
	req_query(c, "max-uploads", "1000");
	if (l->prefix.len > 0)
		req_query(c, "prefix", l->prefix.data);
	if (page->id_marker[0] != '\0')
		req_query(c, "upload-id-marker", page->id_marker);
	req_query(c, "uploads", NULL);
	req_text(c, text);
	return req_do(c, "list uploads", e);
}

int
s3_uploads(struct session *session, const char *key, store_upload_fn *fn,
    void *arg, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(buf) struct buf text = BUF_INIT(PAGE_MAX);
	AUTO(free) struct reply_page *page = calloc(2, sizeof(*page));
	struct listing l = {.upload = fn, .arg = arg};
	int rc;

	if (page == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	add_root(s3_of(session), &l);
	buf_adds(&l.prefix, key);
	do {
		page[1] = page[0];
		rc = get_uploads(c, &l, &page[1], &text, e);
		if (rc == 0)
			rc = reply_uploads(
			    buf_str(&text), text.len, on_upload, &l, page, e);
		if (rc == 0 && page->truncated &&
		    strcmp(page[0].token, page[1].token) == 0 &&
		    strcmp(page[0].id_marker, page[1].id_marker) == 0)
			rc = err_set(e, ERR_PROTOCOL,
			    "list uploads: the listing does not go on");
	} while (rc == 0 && page->truncated);
	buf_free(&l.prefix);
	return rc;
}
