/* SPDX-License-Identifier: ISC */
/*
 * Big files, part by part, in order (STORE_SERIAL).  What is longer than a
 * volume is cut into pieces, each a member of its own ("NAME.part0002of0005")
 * that fills a volume.
 *
 * A part's receipt says where it lies ("VOLUME:OFFSET"), so the ledger has all
 * that is to be known of what was sent.  Of a piece that was cut off, the mark
 * of its volume tells where it begins and whose it is; parts of it are taken
 * up again once they were read and are what was sent.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "transfer/bundle/internal.h"
#include "transfer/bundle/pieces.h"
#include "transfer/pack/tar.h"

static int
gone(struct err *e)
{
	return err_set(e, ERR_GONE, "the bundle doesn't know this upload");
}

static struct bundle_upload *
find(struct bundle_target *s, const char *id)
{
	struct bundle_upload *u;

	pthread_mutex_lock(&s->lock);
	for (u = s->uploads; u != NULL; u = u->next)
		if (strcmp(u->id, id) == 0)
			break;
	pthread_mutex_unlock(&s->lock);
	return u;
}

static struct bundle_upload *
upload_new(struct bundle_target *s, const char *id, struct err *e)
{
	struct bundle_upload *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	snprintf(u->id, sizeof(u->id), "%s", id);
	u->part = 1;
	pthread_mutex_lock(&s->lock);
	u->next = s->uploads;
	s->uploads = u;
	pthread_mutex_unlock(&s->lock);
	return u;
}

static void
upload_drop(struct bundle_target *s, struct bundle_upload *u)
{
	struct bundle_upload **at;

	if (u->volume != NULL)
		bundle_promise_kept(s, u->left);
	pthread_mutex_lock(&s->lock);
	for (at = &s->uploads; *at != u; at = &(*at)->next)
		;
	*at = u->next;
	pthread_mutex_unlock(&s->lock);
	free(u);
}

/* V is everybody's again; what lies behind AT was never there. */
static void
let_go(struct bundle_target *s, struct volume *v, uint64_t at)
{
	pthread_mutex_lock(&v->lock);
	if (v->at > at)
		volume_back(v, at);
	memset(&v->open, 0, sizeof(v->open));
	pthread_mutex_unlock(&v->lock);
	bundle_give(s, v);
}

/* The volume that an earlier run left with a piece of upload ID open. */
static struct volume *
find_open(struct bundle_target *s, const char *id)
{
	struct volume *v = NULL;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n && v == NULL; i++)
		if (s->volumes[i]->state == VOLUME_HELD &&
		    strcmp(s->volumes[i]->open.id, id) == 0)
			v = s->volumes[i];
	pthread_mutex_unlock(&s->lock);
	return v;
}

int
bundle_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	uint64_t random;

	(void)key;
	(void)st;
	if (bundle_open(s, e) == -1)
		return -1;
	/* Another run's may be waiting for its end still. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(e, "getrandom");
	snprintf(id, VOLUME_ID_MAX, "%.8s-%016" PRIx64 "-%" PRIu32,
	    s->order->id, random, pieces_parts(plan, s->volume_bytes));
	return upload_new(s, id, e) != NULL ? 0 : -1;
}

static struct buf *
piece_header(
    struct session *c, const struct store_upload *u, const struct piece *p)
{
	struct buf *header = &bundle_session_of(c)->header;
	AUTO(buf) struct buf name = BUF_INIT(1 << 16);
	struct item_stat st = u->st;
	struct tar_member m = {.st = &st, .size = p->bytes};

	st.type = ITEM_FILE;
	buf_adds(&name, u->key);
	if (p->of > 1)
		buf_addf(
		    &name, ".part%04" PRIu32 "of%04" PRIu32, p->number, p->of);
	m.name = buf_str(&name);
	m.name_len = name.len;
	buf_reset(header);
	tar_add_header(header, &m);
	if (buf_failed(&name))
		header->failed = true;
	return header;
}

/* UP's next piece, in a volume that has room for all of it. */
static int
begin_piece(struct session *c, const struct store_upload *u,
    struct bundle_upload *up, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct piece p = piece_of(&u->plan, pieces_of_id(up->id), up->part);
	const struct buf *header = piece_header(c, u, &p);
	struct volume *v;
	int rc;

	if (buf_failed(header))
		return err_set(e, ERR_NAME,
		    "its names and attributes are too long for a tar header");
	if (bundle_promise(s, p.bytes, e) == -1)
		return -1;
	v = bundle_take(s, header->len + p.bytes + tar_padding(p.bytes), e);
	if (v == NULL) {
		bundle_promise_kept(s, p.bytes);
		return -1;
	}
	pthread_mutex_lock(&s->lock);
	v->state = VOLUME_HELD;
	pthread_cond_broadcast(&s->given);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&v->lock);
	rc = volume_set_off(v, e);
	v->open.start = v->at;
	if (rc == 0)
		rc = volume_add(v, header->data, header->len, e);
	v->open.data = v->at;
	v->open.part = up->part;
	snprintf(v->open.id, sizeof(v->open.id), "%s", up->id);
	pthread_mutex_unlock(&v->lock);
	if (rc == -1) {
		bundle_promise_kept(s, p.bytes);
		let_go(s, v, v->open.start);
		return -1;
	}
	up->volume = v;
	up->left = p.bytes;
	return 0;
}

/* The piece is whole. */
static int
end_piece(struct session *c, struct bundle_upload *up, bool last, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct volume *v = up->volume;
	uint64_t bytes;
	int rc;

	pthread_mutex_lock(&v->lock);
	bytes = v->at - v->open.data;
	rc = volume_add_zeros(v, tar_padding(bytes), e);
	if (rc == 0)
		memset(&v->open, 0, sizeof(v->open));
	pthread_mutex_unlock(&v->lock);
	if (rc == -1)
		return -1;
	up->volume = NULL;
	if (!last)
		return bundle_full(s, v, e);
	bundle_give(s, v);
	return 0;
}

int
bundle_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct bundle_upload *up = find(s, u->id);
	struct volume *v;
	uint64_t at;
	int rc;

	(void)digest;
	if (up == NULL)
		return gone(e);
	if (number != up->part)
		return err_set(e, ERR_PROTOCOL, "comes out of turn");
	if (up->volume == NULL && begin_piece(c, u, up, e) == -1)
		return -1;
	v = up->volume;
	if (s->limit != NULL)
		limit_pay(s->limit, len);
	pthread_mutex_lock(&v->lock);
	at = v->at;
	rc = volume_add(v, data, len, e);
	if (rc == -1)
		volume_back(v, at);
	pthread_mutex_unlock(&v->lock);
	if (rc == -1)
		return -1;
	bundle_promise_kept(s, len);
	if (up->left == len &&
	    end_piece(c, up, number == u->plan.parts, e) == -1)
		return -1;
	up->left -= len;
	up->part++;
	memset(out, 0, sizeof(*out));
	pieces_place(v->number, at, out->etag, sizeof(out->etag));
	return 0;
}

/* Whether the piece that is open in V, of U, of which KEPT parts are there, is
 * whole; then it is ended. */
static bool
end_whole(struct bundle_target *s, const struct store_upload *u,
    struct volume *v, uint32_t kept, struct err *e)
{
	uint32_t in_piece = pieces_of_id(u->id);
	struct piece p = piece_of(&u->plan, in_piece, (uint32_t)v->open.part);
	uint64_t start = v->open.start, data = v->open.data;
	int rc;

	if (v->open.part != p.first || p.bytes == 0 ||
	    plan_offset(&u->plan, kept + 1) <
		plan_offset(&u->plan, p.first) + p.bytes)
		return false;
	pthread_mutex_lock(&v->lock);
	volume_back(v, data + p.bytes);
	rc = volume_add_zeros(v, tar_padding(p.bytes), e);
	pthread_mutex_unlock(&v->lock);
	let_go(s, v, rc == 0 ? v->at : start);
	return rc == 0;
}

/* What is left of UP's piece in V begins with UP->part. */
static int
take_up(struct bundle_target *s, const struct store_upload *u,
    struct bundle_upload *up, struct volume *v, struct err *e)
{
	struct piece p = piece_of(&u->plan, pieces_of_id(up->id), up->part);
	uint64_t done =
	    plan_offset(&u->plan, up->part) - plan_offset(&u->plan, p.first);

	pthread_mutex_lock(&v->lock);
	volume_back(v, v->open.data + done);
	pthread_mutex_unlock(&v->lock);
	if (bundle_promise(s, p.bytes - done, e) == -1)
		return -1;
	up->volume = v;
	up->left = p.bytes - done;
	return 0;
}

int
bundle_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct bundle_session *me = bundle_session_of(c);
	struct bundle_upload *up;
	struct volume *v;
	uint32_t parts_in_piece, kept = 0;
	struct piece p;
	size_t i;

	if (bundle_open(s, e) == -1)
		return -1;
	parts_in_piece = pieces_of_id(u->id);
	v = find_open(s, u->id);
	if (parts_in_piece == 0 || find(s, u->id) != NULL)
		return gone(e);
	if (me->digester == NULL)
		me->digester = digester_new(e);
	if (me->digester == NULL)
		return -1;
	for (i = 0; i < n && parts[i].number == i + 1 &&
	     bundle_part_is(s, me->digester, &parts[i]);
	     i++)
		kept++;
	if (v != NULL && end_whole(s, u, v, kept, e))
		v = NULL;
	/* Without its volume, a piece is begun anew. */
	p = piece_of(&u->plan, parts_in_piece, kept + 1);
	if (kept < u->plan.parts && (v == NULL || v->open.part != p.first))
		kept = p.first - 1;
	if (v != NULL && (kept == 0 || v->open.part != p.first)) {
		let_go(s, v, v->open.start);
		v = NULL;
	}
	if (kept == 0)
		return gone(e);
	up = upload_new(s, u->id, e);
	if (up == NULL)
		return -1;
	up->part = kept + 1;
	if (v != NULL && take_up(s, u, up, v, e) == -1) {
		upload_drop(s, up);
		return -1;
	}
	for (i = 0; i < n; i++)
		keep[i] = parts[i].number <= kept;
	return 0;
}

int
bundle_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct bundle_upload *up = find(s, u->id);
	AUTO(free) struct pack_piece *pieces = NULL;
	struct pack_record r = {
	    .path = u->key,
	    .path_len = strlen(u->key),
	    .st = u->st,
	    .part_bytes = u->plan.part_bytes,
	    .digest = *whole,
	};
	struct volume *v;
	int rc;

	if (up == NULL || up->volume != NULL)
		return gone(e);
	pieces = pieces_join(parts, n, &r.pieces_n, e);
	if (pieces == NULL)
		return -1;
	r.st.type = ITEM_FILE;
	r.st.size = u->plan.size;
	r.pieces = pieces;
	v = bundle_take(s, 0, e);
	if (v == NULL)
		return -1;
	pthread_mutex_lock(&v->lock);
	rc = bundle_row(c, v, &r, e);
	pthread_mutex_unlock(&v->lock);
	bundle_give(s, v);
	if (rc == 0 && r.st.nlink > 1)
		rc =
		    bundle_leader_add(s, r.path, r.path_len, r.pieces_n > 1, e);
	if (rc == -1)
		return -1;
	upload_drop(s, up);
	memset(out, 0, sizeof(*out));
	return 0;
}

int
bundle_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct bundle_upload *up;
	struct volume *v;

	(void)key;
	if (bundle_open(s, e) == -1)
		return -1;
	up = find(s, id);
	v = up != NULL ? up->volume : find_open(s, id);
	if (v != NULL)
		let_go(s, v, v->open.start);
	if (up != NULL)
		upload_drop(s, up);
	return 0;
}

void
bundle_uploads_drop(struct bundle_target *s)
{
	size_t i;

	while (s->uploads != NULL)
		upload_drop(s, s->uploads);
	for (i = 0; i < s->n; i++)
		if (s->volumes[i]->state == VOLUME_HELD)
			let_go(s, s->volumes[i], s->volumes[i]->open.start);
}
