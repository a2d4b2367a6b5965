/* SPDX-License-Identifier: ISC */
/*
 * --delete: what the source has no more goes from the target, after all that
 * it has got there.  The scan collects the candidates in the ledger's
 * temporary tables; then guard.h decides on all of them at once; each intent
 * is committed before its request, and what came of it with the row that goes.
 * A run never acts on what another one intended.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/engine_in.h"
#include "agent/guard.h"
#include "agent/source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

/* Items in a job where the store takes many in a request, and elsewhere. */
#define BULK_MOST 500
#define BULK_LEAST 32
#define FEW 64
/* Items that may wait for what stands in their way. */
#define BLOCKED_MAX 1024

/* A named value: set once the target was made a mirror. */
#define MIRROR_KEY "mirrored"

static bool
is_on(const struct engine *en)
{
	/* What a run is limited to tells nothing of all else. */
	return en->options->delete_extra &&
	    (en->setup->only == NULL || en->setup->only_changed);
}

static bool
is_excluded(const struct engine *en, const char *path, size_t len, bool is_dir)
{
	return !filter_passes_from_root(en->options->filter, path, len, is_dir);
}

bool
engine_is_backup(const struct engine *en, const char *path, size_t len)
{
	const char *dir = en->setup->backup_dir;
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 0 && len >= n && memcmp(path, dir, n) == 0 &&
	    (len == n || path[n] == '/');
}

/* Whether a scan could have come across such a path. */
static bool
is_path(const char *p, size_t len)
{
	size_t at = 0;

	while (at <= len) {
		const char *slash = memchr(p + at, '/', len - at);
		size_t n = slash != NULL ? (size_t)(slash - p) - at : len - at;

		if (n == 0 || (n == 1 && p[at] == '.') ||
		    (n == 2 && p[at] == '.' && p[at + 1] == '.'))
			return false;
		at += n + 1;
	}
	return true;
}

static int
gone(void *arg, const char *path, size_t len, const struct ledger_target *t,
    struct err *e)
{
	struct engine *en = arg;

	if (engine_is_backup(en, path, len) ||
	    (!en->options->delete_excluded &&
		is_excluded(en, path, len, t->type == ITEM_DIR)))
		return ledger_hold_parents(en->ledger, path, len, e);
	return ledger_gone_put(en->ledger, path, len, t, e);
}

void
engine_gone(struct engine *en, const char *path, size_t len,
    const struct ledger_file *row)
{
	struct ledger_target t = {
	    .type = row->st.type,
	    .size = row->st.size,
	    .mtime_ns = row->st.mtime_ns,
	};
	struct err e = ERR_INIT;

	if (!is_on(en)) {
		stats_add(en->stats, gone_items, 1);
		return;
	}
	memcpy(t.etag, row->etag, sizeof(t.etag));
	if (gone(en, path, len, &t, &e) == -1 ||
	    (t.type == ITEM_DIR &&
		ledger_below(en->ledger, path, len, gone, en, &e) == -1))
		engine_ledger_failed(en, &e);
}

void
engine_seen(struct engine *en, const char *path, size_t len, bool is_dir,
    bool is_walked)
{
	struct err e = ERR_INIT;

	if (!is_on(en) || !en->use_target)
		return;
	if (ledger_target_seen(en->ledger, path, len, is_dir, &e) == -1 ||
	    (is_dir && !is_walked &&
		ledger_target_seen_below(en->ledger, path, len, &e) == -1))
		engine_ledger_failed(en, &e);
}

int
engine_listed(struct engine *en, const char *path, size_t len,
    const struct ledger_target *t, struct err *e)
{
	if (engine_is_backup(en, path, len))
		return ledger_hold_parents(en->ledger, path, len, e);
	en->listed_items++;
	if (is_on(en) &&
	    (!is_path(path, len) ||
		(!en->options->delete_excluded &&
		    is_excluded(en, path, len, t->type == ITEM_DIR))))
		return ledger_hold_parents(en->ledger, path, len, e);
	return ledger_target_put(en->ledger, path, len, t, e);
}

bool
engine_put_off(struct engine *en, struct job *j)
{
	if (!is_on(en) || en->phase != PHASE_TRANSFER ||
	    j->err.kind != ERR_EXISTS || j->from_source ||
	    en->blocked.n >= BLOCKED_MAX)
		return false;
	/* It isn't alive meanwhile: the phase may end. */
	en->jobs--;
	job_list_push(&en->blocked, j);
	return true;
}

void
engine_unblock(struct engine *en)
{
	struct job *j;

	while ((j = job_list_pop(&en->blocked)) != NULL) {
		en->jobs++;
		if (en->stopping)
			engine_job_end(en, j);
		else if (en->guarded.kind != ERR_NONE)
			engine_item_failed(en, j);
		else if (j->st.type == ITEM_FILE)
			engine_queue_file(en, j);
		else
			engine_send(en, j);
	}
}

int
engine_source_place(struct engine *en, struct err *e)
{
	const struct store_driver *from = en->source->ops;
	int rc;

	from->place(en->source, en->source_scanned, sizeof(en->source_scanned));
	rc = ledger_meta_get(en->ledger, SOURCE_PLACE_KEY, en->source_recorded,
	    sizeof(en->source_recorded), e);
	if (rc == -1)
		return -1;
	/* With --delete, once the deletions are done. */
	if (en->options->accept_source && !en->options->delete_extra)
		rc = 0;
	if (en->options->dry_run || en->source_scanned[0] == '\0' || rc == 1)
		return 0;
	return ledger_meta_set(
	    en->ledger, SOURCE_PLACE_KEY, en->source_scanned, e);
}

static int
ask_the_guard(struct engine *en, struct err *e)
{
	char now[ENGINE_PLACE_MAX];
	struct guard_facts f = {
	    .victims = en->victims,
	    .source_items = stats_get(en->stats, scanned_items),
	    .part = en->setup->only != NULL,
	    .failed_items = stats_get(en->stats, failed_items) +
		stats_get(en->stats, changed_items),
	    .scan_incomplete = en->scan_incomplete,
	    .recorded = en->source_recorded,
	    .scanned = en->source_scanned,
	    .now = now,
	    .source_marker = en->options->source_marker,
	};
	uint64_t bytes;

	if (ledger_totals(en->ledger, &f.target_items, &bytes, e) == -1 ||
	    (f.source_marker != NULL &&
		source_has(en->source, f.source_marker, &en->retry,
		    en->setup->stop_soon, &f.has_marker, e) == -1))
		return -1;
	if (f.target_items < en->listed_items)
		f.target_items = en->listed_items;
	if (f.target_items < en->victims)
		f.target_items = en->victims;
	en->source->ops->place(en->source, now, sizeof(now));
	return guard_check(en->options, &f, e);
}

/* 1 if what may stand in J's way is to go: a directory of its name, or
 * something else where it needs a directory; 0; -1. */
static int
will_be_cleared(struct engine *en, const struct job *j, struct err *e)
{
	size_t len = j->path_len;
	const char *slash;
	int rc = ledger_victim_has(en->ledger, j->path, len, true, e);

	while (rc == 0 && (slash = memrchr(j->path, '/', len)) != NULL) {
		len = (size_t)(slash - j->path);
		rc = ledger_victim_has(en->ledger, j->path, len, false, e);
	}
	return rc;
}

/* Those that wait in vain fail before anything goes. */
static void
fail_the_hopeless(struct engine *en)
{
	struct job_list wait = en->blocked;
	struct err e = ERR_INIT;
	struct job *j;
	int rc;

	if (wait.head == NULL)
		return;
	job_list_init(&en->blocked);
	while ((j = job_list_pop(&wait)) != NULL) {
		rc = will_be_cleared(en, j, &e);
		if (rc == -1)
			engine_ledger_failed(en, &e);
		if (rc == 1) {
			job_list_push(&en->blocked, j);
			continue;
		}
		en->jobs++;
		engine_item_failed(en, j);
	}
}

void
engine_begin_deletions(struct engine *en)
{
	struct err e = ERR_INIT;

	if (!is_on(en) || en->stopping)
		return;
	if (ledger_victims(en->ledger, en->use_target, &en->victims, &e) ==
	    -1) {
		engine_ledger_failed(en, &e);
		return;
	}
	fail_the_hopeless(en);
	if (en->victims > 0 && ask_the_guard(en, &e) == -1) {
		if (e.kind == ERR_GUARD)
			en->guarded = e;
		else
			engine_fatal(en, &e);
		stats_add(en->stats, gone_items, en->victims);
		return;
	}
	en->deleting = true;
}

static struct job *
delete_job(struct engine *en, size_t room)
{
	struct ledger_victim *v = &en->victim;
	struct job *j = engine_job(en, JOB_DELETE, "", 0, v->path, v->path_len);
	struct err e;

	if (j == NULL)
		return NULL;
	j->victims = calloc(room, sizeof(*j->victims));
	if (j->victims != NULL)
		return j;
	err_set(&e, ERR_NOMEM, "out of memory");
	engine_fatal(en, &e);
	engine_job_end(en, j);
	return NULL;
}

/* Adds the victim to J, and the intent to the ledger. */
static int
add_victim(struct engine *en, struct job *j)
{
	const struct ledger_victim *v = &en->victim;
	bool dir = v->is.type == ITEM_DIR;
	struct victim *to = &j->victims[j->victim_count];
	struct err e = ERR_INIT;

	*to = (struct victim){
	    .key = malloc(v->path_len + 2),
	    .path_len = v->path_len,
	    .is = v->is,
	    .known = v->known,
	    .excluded = is_excluded(en, v->path, v->path_len, dir),
	    .fate = FATE_OPEN,
	};
	if (to->key == NULL) {
		err_set(&e, ERR_NOMEM, "out of memory");
		engine_fatal(en, &e);
		return -1;
	}
	memcpy(to->key, v->path, v->path_len);
	memcpy(to->key + v->path_len, dir ? "/" : "", dir ? 2 : 1);
	j->victim_count++;
	if (!en->options->dry_run &&
	    ledger_deletion_put(en->ledger, en->run_id, v->path, v->path_len,
		v->is.type, v->is.size, FATE_OPEN, &e) == -1)
		return engine_ledger_failed(en, &e);
	return 0;
}

/* What the listing hasn't is gone already: so goes its row. */
static void
forget_absent(struct engine *en)
{
	const struct ledger_victim *v = &en->victim;
	struct err e = ERR_INIT;

	if (!en->options->dry_run &&
	    ledger_forget(en->ledger, v->path, v->path_len,
		v->is.type == ITEM_DIR, &e) == -1)
		engine_ledger_failed(en, &e);
}

/* The next one that may be deleted now: false if there is none (yet). */
static bool
next_victim(struct engine *en, bool filling)
{
	struct ledger_victim *v = &en->victim;
	struct err e = ERR_INIT;
	int rc;

	while ((rc = ledger_victim_next(en->ledger, v, &e)) == 1 && !v->there)
		forget_absent(en);
	if (rc == -1)
		engine_ledger_failed(en, &e);
	en->deleting = rc == 1;
	if (!en->deleting)
		return false;
	/* A directory must be empty: what is deeper goes first, and may turn
	 * out to stay. */
	if (v->depth != en->victim_depth && (filling || en->jobs > 0)) {
		v->at--;
		return false;
	}
	en->victim_depth = v->depth;
	return true;
}

void
engine_feed_deletions(struct engine *en)
{
	bool bulk = (en->ops->features & STORE_HAS_DIRS) == 0;
	size_t most = en->transfers + 2, room = FEW;

	if (bulk) {
		room = (size_t)(en->victims / en->transfers + 1);
		if (room < BULK_LEAST)
			room = BULK_LEAST;
		if (room > BULK_MOST)
			room = BULK_MOST;
	}
	while (!en->stopping && en->deleting && en->jobs < most &&
	    next_victim(en, false)) {
		struct job *j = delete_job(en, room);

		while (j != NULL && add_victim(en, j) == 0 &&
		    j->victim_count < room && next_victim(en, true))
			continue;
		if (j == NULL)
			return;
		if (en->options->dry_run)
			engine_send(en, j);
		else
			job_list_push(&en->after_commit, j);
	}
}

/* Something in directory PATH was changed there. */
static void
touched(struct engine *en, const char *path, size_t len)
{
	struct err e = ERR_INIT;
	const char *slash = memrchr(path, '/', len);
	size_t dir = slash != NULL ? (size_t)(slash - path) : 0;
	/* One that is to go itself needs no metadata. */
	int goes =
	    dir == 0 ? 0 : ledger_victim_has(en->ledger, path, dir, true, &e);

	if (goes == -1)
		engine_ledger_failed(en, &e);
	if (goes == 0)
		engine_touched_in(en, path, dir);
}

/* What stays keeps the directories that it is in. */
static void
spare_parents(struct engine *en, const char *path, size_t len)
{
	const char *slash;
	struct err e = ERR_INIT;
	int rc;

	while ((slash = memrchr(path, '/', len)) != NULL) {
		len = (size_t)(slash - path);
		rc = ledger_victim_spare(en->ledger, path, len, &e);
		if (rc == -1)
			engine_ledger_failed(en, &e);
		if (rc == 1 && !en->options->dry_run)
			engine_touched_in(en, path, len);
	}
}

static void
kept(struct engine *en, const struct victim *v, const char *reason)
{
	stats_add(en->stats, kept_items, 1);
	engine_skipped(en, v->key, v->path_len, v->is.type, reason);
	spare_parents(en, v->key, v->path_len);
}

static void
changed_there(struct engine *en, const struct victim *v)
{
	struct err e;

	err_set(&e, ERR_MISMATCH,
	    "not deleted, as somebody else has changed it there: see to it, "
	    "or let --reconcile take it for what is there");
	stats_add(en->stats, drift_items, 1);
	stats_add(en->stats, kept_items, 1);
	ui_item(en->ui, UI_DRIFT, v->key, v->path_len, 0, &e);
	spare_parents(en, v->key, v->path_len);
}

static void
delete_failed(struct engine *en, struct victim *v)
{
	stats_add(en->stats, failed_items, 1);
	err_context(&v->err, "can't be deleted");
	engine_failure(en, UI_FAILED, v->key, v->path_len, &v->err, 1);
	spare_parents(en, v->key, v->path_len);
	if (++en->hopeless < ENGINE_HOPELESS)
		return;
	log_error("no more is deleted: %d items in a row could not be",
	    ENGINE_HOPELESS);
	en->deleting = false;
}

static void
deleted(struct engine *en, const struct victim *v)
{
	bool dry = en->options->dry_run;
	uint64_t bytes = v->is.type == ITEM_FILE ? v->is.size : 0;

	stats_add(en->stats, deleted_items, 1);
	stats_add(en->stats, deleted_bytes, bytes);
	ui_item(en->ui, dry ? UI_WOULD_DELETE : UI_DELETED, v->key, v->path_len,
	    bytes, NULL);
	if (!dry)
		touched(en, v->key, v->path_len);
}

static void
record_fate(struct engine *en, const struct victim *v)
{
	bool forgets = v->fate == FATE_DELETED || v->fate == FATE_ABSENT ||
	    v->fate == FATE_CHANGED;
	struct err e = ERR_INIT;

	if (en->options->dry_run)
		return;
	if (ledger_deletion_put(en->ledger, en->run_id, v->key, v->path_len,
		v->is.type, v->is.size, v->fate, &e) == -1 ||
	    (forgets &&
		ledger_forget(en->ledger, v->key, v->path_len,
		    v->is.type == ITEM_DIR, &e) == -1) ||
	    engine_event_deleted(en, v, &e) == -1)
		engine_ledger_failed(en, &e);
}

static void
settle(struct engine *en, struct victim *v)
{
	switch (v->fate) {
	case FATE_DELETED:
		en->hopeless = 0;
		deleted(en, v);
		break;
	case FATE_RETURNED:
		kept(en, v, "at-the-source");
		break;
	case FATE_CHANGED:
		changed_there(en, v);
		break;
	case FATE_NOT_EMPTY:
		kept(en, v, "not-empty");
		break;
	case FATE_FAILED:
		delete_failed(en, v);
		break;
	case FATE_ABSENT:
	case FATE_OPEN:
		break;
	}
	record_fate(en, v);
}

void
engine_delete_answer(struct engine *en, struct job *j)
{
	bool over = en->stopping || j->err.kind == ERR_STOPPED;
	size_t i;

	if (j->err.kind != ERR_NONE && !over && engine_try_again(en, j))
		return;
	for (i = 0; i < j->victim_count; i++) {
		struct victim *v = &j->victims[i];

		/* A stopped run leaves the intent as it is. */
		if (v->fate == FATE_OPEN && over)
			continue;
		if (v->fate == FATE_OPEN) {
			v->fate = FATE_FAILED;
			v->err = j->err;
		}
		settle(en, v);
	}
	if (en->options->dry_run)
		engine_estimate(en, j);
	engine_job_end(en, j);
}

void
engine_end_deletions(struct engine *en)
{
	struct err e = ERR_INIT;

	if (!is_on(en) || en->stopping || en->options->dry_run ||
	    en->guarded.kind != ERR_NONE)
		return;
	if ((en->use_target &&
		ledger_meta_set(en->ledger, MIRROR_KEY, "1", &e) == -1) ||
	    (en->options->accept_source &&
		ledger_meta_set(en->ledger, SOURCE_PLACE_KEY,
		    en->source_scanned, &e) == -1))
		engine_ledger_failed(en, &e);
}
