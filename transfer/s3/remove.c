/* SPDX-License-Identifier: ISC */
/*
 * Removing objects: in bulk where XML can carry the keys, one by one where it
 * can't.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/s3/error.h"
#include "transfer/s3/request.h"

#define BATCH 1000
#define BODY_MAX (8 << 20)

/*
 * XML 1.0 has no way to write most control characters, U+FFFE and U+FFFF, and
 * some parsers trim white space or change line ends.
 */
static bool
fits_xml(const char *key)
{
	size_t n = strlen(key), i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == 0xef && (unsigned char)key[i + 1] == 0xbf &&
		    (unsigned char)key[i + 2] >= 0xbe)
			return false;
		if (c == 0xc2 && (unsigned char)key[i + 1] < 0xa0)
			return false;
	}
	return n > 0 && key[0] != ' ' && key[n - 1] != ' ' &&
	    text_is_utf8(key, n);
}

static void
add_escaped(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '&')
			buf_adds(out, "&amp;");
		else if (*s == '<')
			buf_adds(out, "&lt;");
		else if (*s == '>')
			buf_adds(out, "&gt;");
		else
			buf_addc(out, *s);
	}
}

static void
remove_one(struct s3_session *c, const char *key, struct err *result)
{
	req_begin(c, HTTP_DELETE, key, false);
	if (req_do(c, "DELETE", result) == 0 || result->kind == ERR_NOTFOUND)
		*result = (struct err)ERR_INIT;
}

struct pair {
	const char *key;
	struct err *result;
};

static int
by_key(const void *a, const void *b)
{
	return strcmp(
	    ((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

struct answer {
	struct s3_session *c;
	const struct pair *pairs; /* sorted by key */
	size_t n;
	size_t root_len;
};

static int
on_deleted(
    void *arg, const char *key, const struct reply_error *error, struct err *e)
{
	const struct answer *a = arg;
	struct pair want = {.key = key + a->root_len};
	const struct pair *found;

	(void)e;
	if (strlen(key) < a->root_len)
		return 0;
	found = bsearch(&want, a->pairs, a->n, sizeof(want), by_key);
	if (found == NULL)
		return 0;
	if (error == NULL || strcmp(error->code, "NoSuchKey") == 0)
		*found->result = (struct err)ERR_INIT;
	else
		s3_error(
		    "DELETE", 200, error, a->c->reply.headers, found->result);
	return 0;
}

static void
add_body(struct s3 *s, struct buf *body, const struct pair *pairs, size_t n)
{
	size_t i;

	buf_adds(body,
	    "<Delete "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (i = 0; i < n; i++) {
		buf_adds(body, "<Object><Key>");
		if (s->prefix[0] != '\0') {
			add_escaped(body, s->prefix);
			buf_addc(body, '/');
		}
		add_escaped(body, pairs[i].key);
		buf_adds(body, "</Key></Object>");
	}
	buf_adds(body, "<Quiet>false</Quiet></Delete>");
}

/* Up to 1,000 keys; -1 if the request as a whole failed. */
static int
remove_batch(struct s3_session *c, struct pair *pairs, size_t n, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	AUTO(buf) struct buf body = BUF_INIT(BODY_MAX);
	AUTO(buf) struct buf text = BUF_INIT(BODY_MAX);
	struct answer a = {.c = c, .pairs = pairs, .n = n};
	size_t i;

	a.root_len = s->prefix[0] != '\0' ? strlen(s->prefix) + 1 : 0;
	add_body(s, &body, pairs, n);
	if (buf_failed(&body))
		return err_set(e, ERR_NOMEM, "out of memory");
	req_begin(c, HTTP_POST, NULL, false);
	c->slow = true;
	req_query(c, "delete", NULL);
	req_header(c, "content-type", "application/xml");
	req_content_md5(c, body.data, body.len);
	req_text(c, &text);
	if (req_body(c, body.data, body.len, NULL, e) == -1 ||
	    req_do(c, "delete objects", e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		err_set(pairs[i].result, ERR_PROTOCOL,
		    "DELETE: the store did not answer for this key");
	qsort(pairs, n, sizeof(*pairs), by_key);
	if (reply_deleted(buf_str(&text), text.len, on_deleted, &a, e) == -1)
		return err_context(e, "delete objects");
	return 0;
}

static void
flush(struct s3_session *c, struct pair *pairs, size_t n)
{
	struct err why = ERR_INIT;
	size_t i;

	if (n == 1)
		remove_one(c, pairs[0].key, pairs[0].result);
	if (n <= 1 || remove_batch(c, pairs, n, &why) == 0)
		return;
	for (i = 0; i < n; i++) {
		/* Not every store has it. */
		if (why.kind == ERR_UNSUPPORTED)
			remove_one(c, pairs[i].key, pairs[i].result);
		else
			*pairs[i].result = why;
	}
}

int
s3_remove(struct session *session, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(free) struct pair *pairs = calloc(BATCH, sizeof(*pairs));
	const char *prefix = s3_of(session)->prefix;
	bool bulk = prefix[0] == '\0' || fits_xml(prefix);
	size_t i, filled = 0;

	if (pairs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		results[i] = (struct err)ERR_INIT;
		if (!bulk || !fits_xml(keys[i])) {
			remove_one(c, keys[i], &results[i]);
			continue;
		}
		pairs[filled].key = keys[i];
		pairs[filled++].result = &results[i];
		if (filled == BATCH) {
			flush(c, pairs, filled);
			filled = 0;
		}
	}
	flush(c, pairs, filled);
	for (i = 0; i < n; i++) {
		if (results[i].kind != ERR_NONE) {
			*e = results[i];
			return -1;
		}
	}
	return 0;
}
