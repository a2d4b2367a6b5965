/* SPDX-License-Identifier: ISC */
/*
 * Objects as the files of a source.  What is read must be the object that was
 * opened: every GET carries its ETag, and what it answers is compared.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/s3/request.h"

/* An object up to this is fetched together with its metadata. */
#define FETCH_MAX ((uint64_t)256 << 10)

struct s3_file {
	struct store_file file;
	char *key;
	char etag[STORE_ETAG_MAX];
	uint8_t *data; /* its first bytes, if they were fetched */
	size_t data_len;
	bool unsure; /* bytes came without the ETag that they are of */
};

static int
changed(struct err *e)
{
	return err_set(
	    e, ERR_CHANGED, "changed at the source while it was read");
}

static int
gone_or_changed(struct err *e)
{
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_VANISHED;
	else if (e->kind == ERR_EXISTS || e->kind == ERR_MISMATCH)
		return changed(e);
	return -1;
}

static int
get(struct s3_session *c, const char *key, const char *etag, uint64_t offset,
    void *data, size_t len, struct err *e)
{
	char range[64], match[STORE_ETAG_MAX + 2];

	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset,
	    offset + len - 1);
	snprintf(match, sizeof(match), "\"%s\"", etag);
	req_begin(c, HTTP_GET, key, false);
	if (etag[0] != '\0')
		req_header(c, "if-match", match);
	req_header(c, "range", range);
	req_header(c, "x-amz-checksum-mode", "ENABLED");
	req_data(c, data, len);
	return req_do(c, "GET", e) == -1 || s3_check_range(c, offset, e) == -1
	    ? -1
	    : 0;
}

static int
fetch(struct s3_session *c, struct s3_file *f, uint64_t size,
    struct store_stat *st, struct err *e)
{
	f->data = malloc((size_t)size);
	if (f->data == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (get(c, f->key, "", 0, f->data, (size_t)size, e) == -1 ||
	    s3_read_head(c, false, st, e) == -1)
		return -1;
	f->data_len = c->reply.data_len;
	return 0;
}

static struct item_stat
meta_of(const struct s3 *s, const struct store_stat *st)
{
	return (struct item_stat){
	    .type = st->type,
	    .mode = st->has_owner ? st->mode : 0,
	    .uid = st->uid,
	    .gid = st->gid,
	    .size = st->size,
	    .ino = st->ino,
	    .dev = st->dev,
	    .mtime_ns = st->mtime_ns,
	    .sparse = st->sparse,
	    .has_atime = st->has_atime && s->config.keep_atimes,
	    .atime_ns = st->atime_ns,
	    .nlink = st->nlink,
	};
}

/* As the listing shows it, which knows no metadata. */
static struct item_stat
state_of(const struct store_stat *st)
{
	struct store_stat listed = {
	    .type = ITEM_FILE,
	    .size = st->size,
	    .mtime_ns = st->modified_ns,
	};

	memcpy(listed.etag, st->etag, sizeof(listed.etag));
	return item_of_listed(&listed);
}

void
s3_close_file(struct store_file *file)
{
	struct s3_file *f = (struct s3_file *)file;

	if (f == NULL)
		return;
	attrs_free(f->file.attrs);
	free(f->data);
	free(f->key);
	free(f);
}

static inline void
auto_s3_file(struct s3_file **f)
{
	s3_close_file((struct store_file *)*f);
}

struct store_file *
s3_open_file(
    struct session *session, const char *key, uint64_t size, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	const struct s3 *s = s3_of(session);
	AUTO(s3_file) struct s3_file *f = calloc(1, sizeof(*f));
	struct store_stat st;
	int rc;

	if (f == NULL || (f->key = strdup(key)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->file.session = session;
	rc = size > 0 && size <= FETCH_MAX ? fetch(c, f, size, &st, e)
					   : s3_head(c, key, false, &st, e);
	/* It has become empty. */
	if (rc == -1 && e->kind == ERR_MISMATCH && c->reply.status == 416)
		rc = s3_head(c, key, false, &st, e);
	if (rc == -1) {
		gone_or_changed(e);
		return NULL;
	}
	memcpy(f->etag, st.etag, sizeof(f->etag));
	f->file.state = state_of(&st);
	f->file.meta = meta_of(s, &st);
	f->file.digest = st.digest;
	if (s3_attrs_of_reply(
		c, key, store_attrs_kinds(&s->config), &f->file.attrs, e) == -1)
		return NULL;
	f->file.meta.attrs = f->file.attrs;
	return &TAKE(f)->file;
}

/* Whether the reply to a GET is of the object that was opened. */
static int
check_reply(struct s3_session *c, struct s3_file *f, struct err *e)
{
	struct store_stat st;

	if (s3_read_head(c, false, &st, e) == -1)
		return -1;
	if (f->etag[0] == '\0' || st.etag[0] == '\0')
		f->unsure = true;
	else if (strcmp(st.etag, f->etag) != 0)
		return changed(e);
	return st.size == f->file.state.size ? 0 : changed(e);
}

int
s3_read_file(struct store_file *file, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	struct s3_file *f = (struct s3_file *)file;
	struct s3_session *c = s3_session_of(file->session);

	if (len == 0)
		return 0;
	if (offset <= f->data_len && len <= f->data_len - offset) {
		memcpy(data, f->data + offset, len);
		return 0;
	}
	if (offset > file->state.size || len > file->state.size - offset)
		return err_set(e, ERR_CHANGED, "ends before what is asked for");
	if (get(c, f->key, f->etag, offset, data, len, e) == -1)
		return gone_or_changed(e);
	if (check_reply(c, f, e) == -1)
		return -1;
	if (c->reply.data_len < len)
		return err_set(e, ERR_NET, "GET: %zu bytes where %zu should be",
		    c->reply.data_len, len);
	return 0;
}

/* Each GET was of this very object; without an ETag the object must still be
 * as it was, as far as can be seen. */
int
s3_check_file(struct store_file *file, struct err *e)
{
	struct s3_file *f = (struct s3_file *)file;
	struct item_stat now;
	struct store_stat st;

	if (!f->unsure)
		return 0;
	if (s3_head(s3_session_of(file->session), f->key, false, &st, e) == -1)
		return e->kind == ERR_NOTFOUND ? changed(e) : -1;
	now = state_of(&st);
	return item_same(&now, &file->state) ? 0 : changed(e);
}
