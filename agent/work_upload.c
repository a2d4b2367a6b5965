/* SPDX-License-Identifier: ISC */
/*
 * Jobs of an upload.  The source is asked before the first and after the last
 * read of a part: if anything moved, the file changed under us and what was
 * read counts for nothing.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/work_do.h"
#include "transfer/retry.h"

void
work_release(struct worker *me)
{
	auto_file(&me->held);
	me->held = NULL;
}

/* The source of J's upload, which must be what the plan was made for. */
static struct store_file *
hold_upload(struct worker *me, struct job *j)
{
	struct store_file *f;

	j->from_source = true;
	if (me->held != NULL && me->held_serial == j->up->serial)
		return me->held;
	work_release(me);
	f = work_open(me, j);
	if (f == NULL)
		return NULL;
	me->held = f;
	me->held_serial = j->up->serial;
	if (item_same(&j->st, &j->up->st))
		return f;
	work_release(me);
	work_changed(&j->err);
	return NULL;
}

/* The first that is asked of an upload: what its item is to carry. */
static int
open_upload(struct worker *me, struct job *j)
{
	struct store_file *f = hold_upload(me, j);

	if (f == NULL)
		return -1;
	attrs_free(j->up->attrs);
	j->up->attrs = attrs_copy(f->meta.attrs, &j->err);
	if (f->meta.attrs != NULL && j->up->attrs == NULL)
		return -1;
	j->up->attrs_mark = attrs_mark(f->meta.attrs, me->work.attrs);
	j->up->meta = f->meta;
	j->up->meta.attrs = j->up->attrs;
	work_held(me, &j->up->meta);
	j->up->source = f->digest;
	return 0;
}

/* One upload that an intent may have begun. */
struct sweep {
	struct worker *me;
	struct job *job;
};

static int
sweep_one(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	struct sweep *s = arg;

	if (strcmp(key, s->job->path) != 0 ||
	    strcmp(id, s->job->upload_id) == 0 || begun_ns < s->job->begun_ns)
		return 0;
	if (s->me->work.target->ops->upload_abort(s->me->session, key, id, e) ==
	    -1)
		return -1;
	stats_add(s->me->work.stats, aborted_uploads, 1);
	s->job->finding = FOUND_OTHER;
	return 0;
}

int
work_sweep(struct worker *me, struct job *j)
{
	struct sweep s = {.me = me, .job = j};

	/* engine_left.c finds them. */
	if (me->work.target->ops->uploads == NULL)
		return 0;
	return me->work.target->ops->uploads(
	    me->session, j->path, sweep_one, &s, &j->err);
}

/* Whether bytes can go from source to target without passing through here. */
static bool
same_driver(const struct worker *me)
{
	return work_source(me) == me->work.target->ops;
}

int
work_begin(struct worker *me, struct job *j)
{
	const struct store_driver *to = me->work.target->ops;
	struct store_expect x;

	if (open_upload(me, j) == -1)
		return -1;
	j->from_source = false;
	j->up->attrs_begun = j->up->attrs_mark;
	if (same_driver(me) && to->clone != NULL && me->work.algos == 0) {
		int rc;

		if (work_expect(me, j, &x) == -1)
			return -1;
		memset(&j->digest, 0, sizeof(j->digest));
		rc = to->clone(
		    me->session, j->path, me->held, &j->receipt, &j->err);
		me->session->expect = NULL;
		if (rc == 0) {
			j->finding = FOUND_SAME;
			return 0;
		}
		if (j->err.kind != ERR_UNSUPPORTED)
			return -1;
	}
	me->session->expect = NULL;
	return me->work.target->ops->upload_begin(me->session, j->path,
	    &j->up->meta, &j->up->plan, j->up->id, &j->err);
}

static struct store_upload
store_upload_of(const struct job *j)
{
	return (struct store_upload){
	    .key = j->path,
	    .id = j->up->id,
	    .plan = j->up->plan,
	    .st = j->up->meta,
	};
}

/* The store is asked of the parts that were sent, and of no others. */
int
work_check(struct worker *me, struct job *j)
{
	struct upload *up = j->up;
	struct store_upload u;
	AUTO(free) struct store_part *sent = NULL;
	AUTO(free) bool *keep = NULL;
	uint32_t i, n = 0;

	if (open_upload(me, j) == -1)
		return -1;
	j->from_source = false;
	u = store_upload_of(j);
	sent = calloc(up->plan.parts, sizeof(*sent));
	keep = calloc(up->plan.parts, sizeof(*keep));
	if (sent == NULL || keep == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	for (i = 0; i < up->plan.parts; i++)
		if (up->parts[i].number != 0)
			sent[n++] = up->parts[i];
	if (me->work.target->ops->upload_check(
		me->session, &u, sent, n, keep, &j->err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		up->keep[sent[i].number - 1] = keep[i];
	return 0;
}

static int
send_part(struct worker *me, struct job *j, unsigned char *data, size_t len)
{
	struct store_upload u = store_upload_of(j);
	struct store_file *f = hold_upload(me, j);

	if (f == NULL || work_source(me)->check_file(f, &j->err) == -1 ||
	    work_read(me, f, data, len, plan_offset(&u.plan, j->part),
		work_algos(me), &j->digest, &j->err) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	j->sent_bytes = len;
	j->from_source = false;
	return me->work.target->ops->upload_part(me->session, &u, j->part, data,
	    len, &j->digest, &j->receipt, &j->err);
}

/* 0 if it was copied, 1 if its bytes have to be sent. */
static int
copy_part(struct worker *me, struct job *j)
{
	const struct store_driver *to = me->work.target->ops;
	struct store_upload u = store_upload_of(j);
	struct store_file *f;

	/* Nobody would know what was copied. */
	if (me->work.read_back || me->work.algos != 0 || !same_driver(me) ||
	    to->copy_part == NULL)
		return 1;
	f = hold_upload(me, j);
	if (f == NULL || work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	if (to->copy_part(me->session, &u, j->part, f, &j->receipt, &j->err) ==
	    -1)
		return j->err.kind == ERR_UNSUPPORTED ? 1 : -1;
	memset(&j->digest, 0, sizeof(j->digest));
	j->sent_bytes = plan_length(&u.plan, j->part);
	return work_source(me)->check_file(f, &j->err);
}

int
work_part(struct worker *me, struct job *j)
{
	size_t len = (size_t)plan_length(&j->up->plan, j->part);
	int copied = copy_part(me, j);
	void *data;
	int rc;

	if (copied <= 0)
		return copied == 0 ? 0
				   : err_context(&j->err, "part %u", j->part);
	data = pool_get(me->work.pool, len, &j->err);
	if (data == NULL)
		return -1;
	rc = send_part(me, j, data, len);
	pool_put(me->work.pool, data);
	return rc == 0 ? 0 : err_context(&j->err, "part %u", j->part);
}

/* What combines over parts, and the digest of their list. */
static int
digest_of_parts(const struct upload *up, struct digest *out, struct err *e)
{
	AUTO(free) uint8_t *list = malloc((size_t)up->plan.parts * 16);
	uint32_t i;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memset(out, 0, sizeof(*out));
	out->have = DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C;
	for (i = 0; i < up->plan.parts; i++) {
		const struct store_part *p = &up->parts[i];

		memcpy(list + (size_t)i * 16, p->digest.xxh3, 16);
		out->crc64nvme = crc64nvme_combine(
		    out->crc64nvme, p->digest.crc64nvme, p->size);
		out->crc32c =
		    crc32c_combine(out->crc32c, p->digest.crc32c, p->size);
		out->have &= p->digest.have;
	}
	digest_of_list(list, up->plan.parts, out->xxh3);
	return 0;
}

/* The same by SHA-256, if it is asked for and known of each part. */
static int
sha256_of_parts(struct worker *me, struct job *j)
{
	const struct upload *up = j->up;
	AUTO(free) uint8_t *list = malloc((size_t)up->plan.parts * 32);
	uint32_t i;

	if (list == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	for (i = 0; i < up->plan.parts; i++) {
		const struct digest *d = &up->parts[i].digest;

		if ((d->have & DIGEST_SHA256) == 0)
			return 0;
		memcpy(list + (size_t)i * 32, d->sha256, 32);
	}
	work_sha256_of_list(me, list, up->plan.parts, &j->digest);
	return 0;
}

static int
read_back_part(struct worker *me, struct job *j, uint32_t i)
{
	const struct plan *plan = &j->up->plan;

	return work_read_back(me, j, plan_offset(plan, i + 1),
	    plan_length(plan, i + 1), &j->up->parts[i].digest, &j->err);
}

int
work_complete(struct worker *me, struct job *j)
{
	struct store_upload u = store_upload_of(j);
	struct store_file *f = hold_upload(me, j);
	struct store_expect x;
	uint32_t i;
	int rc;

	if (f == NULL || work_source(me)->check_file(f, &j->err) == -1 ||
	    digest_of_parts(j->up, &j->digest, &j->err) == -1 ||
	    work_check_source(&j->up->source, &j->digest, &j->err) == -1)
		return -1;
	j->from_source = false;
	rc = work_expect(me, j, &x);
	if (rc == 0)
		rc = me->work.target->ops->upload_complete(me->session, &u,
		    j->up->parts, j->up->plan.parts, &j->digest, &j->receipt,
		    &j->err);
	if (work_written(me, j, rc) == -1)
		return -1;
	if ((me->work.algos & DIGEST_SHA256) != 0 &&
	    sha256_of_parts(me, j) == -1)
		return -1;
	j->proved = j->receipt.proved;
	if (j->proved || !me->work.read_back)
		return 0;
	for (i = 0; i < u.plan.parts; i++)
		if (!j->up->parts[i].proved && read_back_part(me, j, i) == -1)
			return -1;
	j->proved = j->read_back = true;
	return 0;
}
