/* SPDX-License-Identifier: ISC */
/* Members that are written in one call. */
#include "config.h"

#include <string.h>

#include "transfer/bundle/internal.h"
#include "transfer/pack/tar.h"

/* Digests that the index has: what tells damage, and what was asked for. */
#define KEPT (DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_SHA256)

int
bundle_row(
    struct session *c, struct volume *v, struct pack_record *r, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct buf *line = &bundle_session_of(c)->line;
	/* Holes are zeros here, and become holes again. */
	struct pack_extent all = {.length = r->st.size};
	int rc;

	if (r->st.sparse && r->st.type == ITEM_FILE && r->st.size > 0) {
		r->extents = &all;
		r->extents_n = 1;
	}
	if (r->st.nlink > 1)
		r->group =
		    crc64nvme(crc64nvme(0, &r->st.dev, sizeof(r->st.dev)),
			&r->st.ino, sizeof(r->st.ino));
	r->order = atomic_fetch_add(&s->members, 1) + 1;
	r->digest.have &= KEPT;
	buf_reset(line);
	pack_record_add(line, r);
	if (!buf_failed(line))
		buf_add(&v->lines, line->data, line->len);
	if (buf_failed(line) || buf_failed(&v->lines))
		return err_set(e, ERR_NOMEM, "out of memory");
	pthread_mutex_lock(&s->sorting);
	rc = rows_add(s->rows, r, line, e);
	pthread_mutex_unlock(&s->sorting);
	if (rc == -1)
		return -1;
	atomic_fetch_add(&s->index_bytes, line->len);
	return 0;
}

/* With V's lock. */
static int
append(struct session *c, struct volume *v, struct pack_record *r,
    const void *data, size_t len, struct err *e)
{
	const struct buf *header = &bundle_session_of(c)->header;
	struct pack_piece piece = {
	    .volume = v->number,
	    .offset = v->at + header->len,
	    .length = len,
	};

	if (len > 0) {
		r->pieces = &piece;
		r->pieces_n = 1;
	}
	return volume_add(v, header->data, header->len, e) == -1 ||
		(len > 0 && volume_add(v, data, len, e) == -1) ||
		volume_add_zeros(v, tar_padding(len), e) == -1 ||
		bundle_row(c, v, r, e) == -1
	    ? -1
	    : 0;
}

/* The member R, whose header is C's; NEWEST: not before anything that is
 * there. */
static int
write_member(struct session *c, struct pack_record *r, const void *data,
    size_t len, bool newest, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	const struct buf *header = &bundle_session_of(c)->header;
	uint64_t bytes = header->len + len + tar_padding(len), start;
	struct volume *v;
	int rc;

	if (buf_failed(header))
		return err_set(e, ERR_NAME,
		    "its names and attributes are too long for a tar header");
	if (bundle_open(s, e) == -1 || bundle_has_room(s, bytes, e) == -1)
		return -1;
	if (s->limit != NULL)
		limit_pay(s->limit, bytes);
	v = newest ? bundle_take_newest(s, r->st.type == ITEM_DIR, e)
		   : bundle_take(s, bytes, e);
	if (v == NULL)
		return -1;
	v->has_symlinks |= r->st.type == ITEM_SYMLINK;
	pthread_mutex_lock(&v->lock);
	start = v->at;
	rc = append(c, v, r, data, len, e);
	if (rc == -1)
		volume_back(v, start);
	pthread_mutex_unlock(&v->lock);
	bundle_give(s, v);
	return rc;
}

/* What is in an index only. */
static int
write_row(struct session *c, struct pack_record *r, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct volume *v;
	int rc;

	if (bundle_open(s, e) == -1)
		return -1;
	v = bundle_take(s, 0, e);
	if (v == NULL)
		return -1;
	pthread_mutex_lock(&v->lock);
	rc = bundle_row(c, v, r, e);
	pthread_mutex_unlock(&v->lock);
	bundle_give(s, v);
	return rc;
}

static struct pack_record
begin(struct session *c, const char *key, const struct item_stat *st,
    const char *link, size_t link_len)
{
	struct bundle_session *me = bundle_session_of(c);
	struct tar_member m = {
	    .name = key,
	    .name_len = strlen(key),
	    .st = st,
	    .size = link == NULL && st->type == ITEM_FILE ? st->size : 0,
	    .link = link,
	    .link_len = link_len,
	};

	buf_reset(&me->header);
	tar_add_header(&me->header, &m);
	return (struct pack_record){
	    .path = key,
	    .path_len = m.name_len,
	    .st = *st,
	};
}

int
bundle_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct item_stat is = *st;
	struct pack_record r;

	is.type = ITEM_FILE;
	is.size = len;
	r = begin(c, key, &is, NULL, 0);
	r.digest = *digest;
	if (write_member(c, &r, data, len, false, e) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	return is.nlink > 1
	    ? bundle_leader_add(bundle_of(c), key, r.path_len, false, e)
	    : 0;
}

int
bundle_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	struct item_stat is = *st;
	struct pack_record r;

	is.type = ITEM_DIR;
	is.size = 0;
	r = begin(c, key, &is, NULL, 0);
	if (r.path_len == 0) {
		r.path = BUNDLE_ROOT;
		r.path_len = strlen(BUNDLE_ROOT);
	}
	return write_member(c, &r, NULL, 0, true, e);
}

int
bundle_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	struct item_stat is = *st;
	struct pack_record r;

	is.type = ITEM_SYMLINK;
	is.size = len;
	r = begin(c, key, &is, target, len);
	r.target = target;
	r.target_len = len;
	return write_member(c, &r, NULL, 0, false, e);
}

int
bundle_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	size_t len = strlen(existing);
	enum bundle_leader leader =
	    bundle_leader_of(bundle_of(c), existing, len);
	struct item_stat is = *st;
	struct pack_record r;
	int rc;

	/* What another disk or bundle has is sent once more. */
	if (leader == LEADER_NONE)
		return err_set(e, ERR_NOTFOUND, "isn't on this disk");
	is.type = ITEM_FILE;
	if (was != NULL)
		is.size = was->size;
	r = begin(c, key, &is, existing, len);
	r.same_as = existing;
	r.same_as_len = len;
	if (was != NULL)
		r.digest = was->digest;
	/* The others may be of a list of parts. */
	r.digest.have &= DIGEST_CRC64NVME;
	rc = leader == LEADER_CUT ? write_row(c, &r, e)
				  : write_member(c, &r, NULL, 0, true, e);
	if (rc == 0)
		memset(out, 0, sizeof(*out));
	return rc;
}

static int
remove_one(struct session *c, const char *key, struct err *e)
{
	size_t len = strlen(key);
	bool dir = len > 0 && key[len - 1] == '/';
	struct pack_record r = {
	    .path = key,
	    .path_len = dir ? len - 1 : len,
	    .st.type = dir ? ITEM_DIR : ITEM_FILE,
	    .refused = BUNDLE_GONE,
	};

	return write_row(c, &r, e);
}

int
bundle_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		results[i] = (struct err)ERR_INIT;
		if (remove_one(c, keys[i], &results[i]) == -1) {
			*e = results[i];
			rc = -1;
		}
	}
	return rc;
}
