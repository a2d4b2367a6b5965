/* SPDX-License-Identifier: ISC */
/*
 * Big files: multipart uploads from intent to completion.
 *
 * Crash rules: an intent is durable before the store is asked for an upload
 * id, the id is durable before the first part is sent, the parts are durable
 * before the store makes one object of them (then they can't be asked for any
 * more), and the file's row turns done in the transaction that forgets the
 * upload.  So after a crash each upload at the store is known by its id, or
 * found by its intent.
 *
 * Each request to begin has an intent of its own: where the answer got lost,
 * the intent stays.  Intents are looked after at the end of a run, when no
 * upload is alive, and again in later runs for a while: a request of a killed
 * process may still be under way.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/engine_in.h"
#include "base/clock.h"

/* What the next run needn't send again. */
static void
count_kept(struct engine *en, const struct upload *up)
{
	uint32_t i;

	for (i = 0; i < up->plan.parts; i++)
		if (up->parts[i].number != 0) {
			stats_add(en->stats, kept_parts, 1);
			stats_add(en->stats, kept_bytes, up->parts[i].size);
		}
}

void
engine_upload_release(struct engine *en, struct upload *up)
{
	if (up->jobs > 0)
		return;
	if (up->state != UPLOAD_ENDED)
		count_kept(en, up);
	free(up->parts);
	free(up->keep);
	attrs_free(up->attrs);
	given_free(up->given);
	free(up);
	en->uploads--;
}

static struct upload *
upload_new(struct engine *en, const struct job *j, const struct plan *plan)
{
	struct upload *up = calloc(1, sizeof(*up));
	struct err e = ERR_INIT;

	if (up != NULL) {
		up->parts = calloc(plan->parts, sizeof(*up->parts));
		up->keep = calloc(plan->parts, sizeof(*up->keep));
		up->given = given_copy(j->given, &e);
	}
	if (up == NULL || up->parts == NULL || up->keep == NULL ||
	    (j->given != NULL && up->given == NULL)) {
		if (up != NULL) {
			free(up->parts);
			free(up->keep);
			given_free(up->given);
		}
		free(up);
		err_set(&e, ERR_NOMEM, "out of memory");
		engine_fatal(en, &e);
		return NULL;
	}
	up->serial = ++en->serial;
	up->st = j->st;
	up->expect = j->expect;
	up->expected = j->expected;
	up->plan = *plan;
	up->next = 1;
	en->uploads++;
	return up;
}

/* Takes what the ledger has of the parts of an earlier upload. */
static int
load_parts(struct engine *en, struct upload *up, struct err *e)
{
	AUTO(free) struct store_part *parts = NULL;
	size_t n, i;

	if (ledger_parts(en->ledger, up->ledger_id, &parts, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		const struct store_part *p = &parts[i];

		if (p->number < 1 || p->number > up->plan.parts ||
		    p->size != plan_length(&up->plan, p->number) ||
		    (p->digest.have & DIGEST_XXH3) == 0)
			continue;
		up->parts[p->number - 1] = *p;
		up->parts_done++;
	}
	return 0;
}

/* The plan that an upload was begun with, whatever is asked for now. */
static bool
plan_of_old(
    const struct engine *en, const struct ledger_upload *old, struct plan *plan)
{
	if (old->part_bytes == 0 ||
	    old->part_bytes > en->options->memory_bytes ||
	    old->st.size / old->part_bytes >= UINT32_MAX)
		return false;
	*plan = (struct plan){
	    .size = old->st.size,
	    .part_bytes = old->part_bytes,
	    .parts = (uint32_t)((old->st.size + old->part_bytes - 1) /
		old->part_bytes),
	};
	return plan->parts > 0;
}

static struct upload *
resume(struct engine *en, struct job *j, struct ledger_upload *old)
{
	struct err e = ERR_INIT;
	struct plan plan;
	struct upload *up;

	if (!item_same(&old->st, &j->st) || !plan_of_old(en, old, &plan)) {
		engine_abort_one(en, JOB_ABORT, old, old->store_id);
		old->id = 0;
		return NULL;
	}
	up = upload_new(en, j, &plan);
	if (up == NULL)
		return NULL;
	up->ledger_id = old->id;
	up->begun_ns = old->begun_ns;
	up->attrs_begun = old->attrs;
	memcpy(up->id, old->store_id, sizeof(up->id));
	old->id = 0;
	if (load_parts(en, up, &e) == -1)
		engine_ledger_failed(en, &e);
	return up;
}

static int
intend(struct engine *en, struct job *j, struct upload *up)
{
	struct err e = ERR_INIT;
	struct ledger_upload row = {
	    .dir_id = j->dir_id,
	    .path = j->path,
	    .path_len = j->path_len,
	    .name_len = j->name_len,
	    .st = up->st,
	    .part_bytes = up->plan.part_bytes,
	    .begun_ns = clock_wall_ns(),
	};

	if (ledger_upload_intend(en->ledger, &row, &e) == -1)
		return engine_ledger_failed(en, &e);
	up->ledger_id = row.id;
	if (up->begun_ns == 0)
		up->begun_ns = row.begun_ns;
	return 0;
}

static void
start(struct engine *en, struct job *j)
{
	struct ledger_upload *old = engine_find_old(en, j);
	struct upload *up = NULL;
	struct plan plan;

	if (old != NULL)
		up = resume(en, j, old);
	if (up != NULL) {
		j->kind = JOB_CHECK;
		j->up = up;
		up->jobs = 1;
		engine_send(en, j);
		return;
	}
	if (plan_make(j->st.size, &en->limits, &plan, &j->err) == -1) {
		engine_item_failed(en, j);
		return;
	}
	up = upload_new(en, j, &plan);
	if (up == NULL) {
		engine_job_end(en, j);
		return;
	}
	if (intend(en, j, up) == -1) {
		engine_upload_release(en, up);
		engine_job_end(en, j);
		return;
	}
	j->kind = JOB_BEGIN;
	j->up = up;
	up->jobs = 1;
	job_list_push(&en->after_commit, j);
}

/* Each has room at a target that has an end, which may be more than it needs if
 * the run is to end there. */
static unsigned
uploads_at_a_time(const struct engine *en)
{
	unsigned most = (en->ops->features & STORE_SERIAL) != 0
	    ? ENGINE_UPLOADS_SERIAL
	    : ENGINE_UPLOADS_MAX;

	return en->transfers < most ? en->transfers : most;
}

void
engine_start_uploads(struct engine *en)
{
	struct job *j;

	while (!en->stopping && en->uploads < uploads_at_a_time(en) &&
	    (j = job_list_pop(&en->big)) != NULL)
		start(en, j);
}

/* A job of UP, like J. */
static struct job *
upload_job(struct engine *en, struct upload *up, const struct job *like,
    enum job_kind kind)
{
	size_t dir = like->path_len - like->name_len;
	struct job *j = engine_job(en, kind, like->path, dir > 0 ? dir - 1 : 0,
	    job_name(like), like->name_len);

	if (j == NULL)
		return NULL;
	j->dir_id = like->dir_id;
	j->changes = like->changes;
	j->link = like->link;
	j->leads = like->leads;
	j->asked = like->asked;
	j->st = up->st;
	j->up = up;
	up->jobs++;
	return j;
}

/* Sends J once all that is recorded now is durable. */
static void
send_committed(struct engine *en, struct job *j)
{
	if (ledger_uncommitted(en->ledger) == 0)
		engine_send(en, j);
	else
		job_list_push(&en->after_commit, j);
}

/* Parts of one file that may be under way at a time. */
static unsigned
at_a_time(const struct engine *en)
{
	return (en->ops->features & STORE_SERIAL) != 0
	    ? 1
	    : en->options->concurrency;
}

/* Sends parts, as many at a time as is allowed; after the next commit if
 * SAFE is false. */
static void
feed(struct engine *en, struct upload *up, const struct job *like, bool safe)
{
	while (up->state == UPLOAD_SENDING && !en->stopping &&
	    up->jobs < at_a_time(en) && up->next <= up->plan.parts) {
		uint32_t number = up->next++;
		struct job *j;

		if (up->parts[number - 1].number != 0)
			continue;
		j = upload_job(en, up, like, JOB_PART);
		if (j == NULL)
			return;
		j->part = number;
		if (safe)
			engine_send(en, j);
		else
			send_committed(en, j);
	}
}

static void
complete_or_feed(
    struct engine *en, struct upload *up, const struct job *like, bool safe)
{
	struct job *j;

	if (up->parts_done < up->plan.parts) {
		feed(en, up, like, safe);
		return;
	}
	up->state = UPLOAD_COMPLETING;
	j = upload_job(en, up, like, JOB_COMPLETE);
	if (j != NULL)
		send_committed(en, j);
}

static void
completed(struct engine *en, struct upload *up, struct job *j)
{
	struct err e = ERR_INIT;
	struct ledger_file row = {
	    .state = LEDGER_DONE,
	    .st = up->st,
	    .part_bytes = up->plan.part_bytes,
	    .digest_have = j->digest.have & engine_digests(en, j),
	    .crc64nvme = j->digest.crc64nvme,
	    .run_id = en->run_id,
	    .outcome = engine_outcome(
		en, j, j->kind == JOB_BEGIN ? HOW_CLONED : HOW_SENT),
	    .link = engine_links_record(en, j),
	};

	/* Begun with others than there are now: the next run looks. */
	if (up->attrs_begun == up->attrs_mark)
		row.attrs = up->attrs_mark;

	/* Without a digest there would be nothing to compare. */
	if ((row.digest_have & DIGEST_XXH3) != 0)
		row.st = engine_settled(&up->st, up->begun_ns);
	row.st.has_atime = up->meta.has_atime;
	row.st.atime_ns = up->meta.atime_ns;
	memcpy(row.xxh3, j->digest.xxh3, sizeof(row.xxh3));
	memcpy(row.sha256, j->digest.sha256, sizeof(row.sha256));
	memcpy(row.etag, j->receipt.etag, sizeof(row.etag));
	memcpy(row.version, j->receipt.version, sizeof(row.version));
	if (engine_record(en, j, &row) == -1)
		return;
	if (ledger_upload_drop(en->ledger, up->ledger_id, &e) == -1) {
		engine_ledger_failed(en, &e);
		return;
	}
	up->state = UPLOAD_ENDED;
	stats_add(en->stats, done_items, 1);
	stats_add(en->stats, done_bytes, up->st.size);
	engine_count_proof(en, &row.outcome);
	ui_item(en->ui, UI_SENT, j->path, j->path_len, up->st.size, NULL);
	engine_links_over(en, j);
}

static void
begun(struct engine *en, struct upload *up, struct job *j)
{
	struct err e = ERR_INIT;

	if (j->finding == FOUND_SAME) { /* it is there already, cloned */
		stats_add(en->stats, cloned_items, 1);
		completed(en, up, j);
		return;
	}
	up->state = UPLOAD_SENDING;
	if (ledger_upload_begun(
		en->ledger, up->ledger_id, up->id, up->attrs_begun, &e) == -1)
		engine_ledger_failed(en, &e);
	else
		complete_or_feed(en, up, j, false);
}

static void
checked(struct engine *en, struct upload *up, struct job *j)
{
	uint32_t i;

	up->parts_done = 0;
	stats_add(en->stats, resumed_files, 1);
	for (i = 0; i < up->plan.parts; i++) {
		if (up->parts[i].number == 0)
			continue;
		if (!up->keep[i]) {
			up->parts[i].number = 0;
			continue;
		}
		up->parts_done++;
		stats_add(en->stats, resumed_parts, 1);
		stats_add(en->stats, resumed_bytes, up->parts[i].size);
	}
	up->state = UPLOAD_SENDING;
	complete_or_feed(en, up, j, true);
}

static void
part_sent(struct engine *en, struct upload *up, struct job *j)
{
	struct err e = ERR_INIT;
	struct store_part *p = &up->parts[j->part - 1];

	p->number = j->part;
	p->size = plan_length(&up->plan, j->part);
	p->digest = j->digest;
	memcpy(p->etag, j->receipt.etag, sizeof(p->etag));
	p->proved = j->receipt.proved;
	up->parts_done++;
	if (ledger_part_put(en->ledger, up->ledger_id, p, &e) == -1)
		engine_ledger_failed(en, &e);
	else if (!en->stopping && up->state == UPLOAD_SENDING)
		complete_or_feed(en, up, j, true);
}

static void
succeeded(struct engine *en, struct upload *up, struct job *j)
{
	en->hopeless = en->expired = 0;
	switch ((int)j->kind) {
	case JOB_BEGIN:
		begun(en, up, j);
		break;
	case JOB_CHECK:
		checked(en, up, j);
		break;
	case JOB_PART:
		part_sent(en, up, j);
		break;
	case JOB_COMPLETE:
		completed(en, up, j);
		break;
	}
}

/* The upload can't be gone on with: away with it, here and at the store. */
static void
forget(struct engine *en, struct upload *up, const struct job *j)
{
	struct err e = ERR_INIT;
	struct ledger_upload row = {
	    .id = up->ledger_id,
	    .path = (char *)(uintptr_t)j->path,
	    .path_len = j->path_len,
	};

	if (up->id[0] != '\0' && up->err.kind != ERR_GONE)
		engine_abort_one(en, JOB_ABORT, &row, up->id);
	else if (ledger_upload_drop(en->ledger, up->ledger_id, &e) == -1)
		engine_ledger_failed(en, &e);
}

/*
 * The last job of a dying upload came back.  Its item starts over if the
 * source changed or the store lost the upload; else it failed, and what was
 * sent so far is kept for the next run.
 */
static void
bury(struct engine *en, struct upload *up, struct job *j)
{
	enum err_kind kind = up->err.kind;
	bool useless = kind == ERR_CHANGED || kind == ERR_VANISHED ||
	    kind == ERR_GONE || kind == ERR_MISMATCH || kind == ERR_NAME ||
	    kind == ERR_CONFLICT ||
	    (kind == ERR_EXISTS && en->options->delete_extra);

	j->up = NULL;
	j->err = up->err;
	j->from_source = up->from_source;
	if (useless) {
		forget(en, up, j);
		up->state = UPLOAD_ENDED;
	}
	engine_upload_release(en, up);
	if (!engine_start_over(en, j) && !engine_put_off(en, j))
		engine_item_failed(en, j);
}

static void
failed(struct engine *en, struct upload *up, struct job *j)
{
	/* It may have been completed just before a crash. */
	if (j->kind == JOB_CHECK && j->err.kind == ERR_GONE &&
	    up->parts_done == up->plan.parts) {
		complete_or_feed(en, up, j, true);
		engine_job_end(en, j);
		engine_upload_release(en, up);
		return;
	}
	if (up->state != UPLOAD_DYING) {
		up->state = UPLOAD_DYING;
		up->err = j->err;
		up->from_source = j->from_source;
	}
	if (up->jobs == 0)
		bury(en, up, j);
	else
		engine_job_end(en, j);
}

/* Whether the store may have begun an upload whose id never reached us. */
static bool
may_have_begun(const struct err *e)
{
	return e->kind == ERR_NET || e->kind == ERR_SERVER ||
	    e->kind == ERR_PROTOCOL;
}

void
engine_upload_answer(struct engine *en, struct job *j)
{
	struct upload *up = j->up;

	up->jobs--;
	if (j->err.kind == ERR_NONE) {
		succeeded(en, up, j);
		if (up->state == UPLOAD_DYING && up->jobs == 0 &&
		    !en->stopping) {
			bury(en, up, j);
			return;
		}
		engine_job_end(en, j);
		engine_upload_release(en, up);
		return;
	}
	if (en->stopping || j->err.kind == ERR_STOPPED) {
		engine_job_end(en, j);
		engine_upload_release(en, up);
		return;
	}
	if (j->kind == JOB_BEGIN && may_have_begun(&j->err) &&
	    intend(en, j, up) == 0)
		engine_commit(en);
	if (up->state != UPLOAD_DYING) {
		up->jobs++;
		if (engine_try_again(en, j))
			return;
		up->jobs--;
	}
	failed(en, up, j);
}
