/* SPDX-License-Identifier: ISC */
/*
 * Directories of stores that have them are set right last, the deepest first:
 * whatever is made in one changes its time, and may need its mode changed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/engine_in.h"
#include "agent/reach.h"
#include "base/clock.h"
#include "base/log.h"

/* Meta value: what the target's root was given; "" once that is spoiled. */
#define ROOT_KEY "root"

static bool
has_dirs(const struct engine *en)
{
	return (en->ops->features & STORE_HAS_DIRS) != 0;
}

static void
root_touched(struct engine *en)
{
	struct err e = ERR_INIT;

	if (en->root_touched)
		return;
	en->root_touched = true;
	if (ledger_meta_set(en->ledger, ROOT_KEY, "", &e) == -1)
		engine_ledger_failed(en, &e);
}

/*
 * Whether what is done in a directory makes it another one: at the target its
 * time moves, or it moved at a source whose listing doesn't tell.
 */
static bool
may_have_moved(const struct engine *en)
{
	return has_dirs(en) ||
	    (en->source->ops->features & STORE_LIST_META) == 0;
}

void
engine_touched(struct engine *en, const struct job *j)
{
	const size_t slots = sizeof(en->touched) / sizeof(en->touched[0]);
	const char *slash = memrchr(j->path, '/', j->path_len);
	int64_t *known = &en->touched[(uint64_t)j->dir_id % slots];
	struct err e = ERR_INIT;

	/* Later, none is made pending: its time may have passed. */
	if (!may_have_moved(en) || en->options->dry_run ||
	    en->phase >= PHASE_DIRS)
		return;
	if (slash == NULL) {
		if (has_dirs(en))
			root_touched(en);
		return;
	}
	if (j->dir_id != 0 && *known == j->dir_id)
		return;
	*known = j->dir_id;
	if (ledger_dir_again(
		en->ledger, j->path, (size_t)(slash - j->path), &e) == -1)
		engine_ledger_failed(en, &e);
}

void
engine_touched_in(struct engine *en, const char *path, size_t len)
{
	struct err e = ERR_INIT;

	if (!may_have_moved(en))
		return;
	if (len == 0) {
		if (has_dirs(en))
			root_touched(en);
	} else if (ledger_dir_again(en->ledger, path, len, &e) == -1) {
		engine_ledger_failed(en, &e);
	}
}

static struct job *
dir_job(struct engine *en)
{
	const struct ledger_pending *p = &en->pending;
	size_t parent = p->path_len - p->name_len;
	struct job *j = engine_job(en, JOB_DIR, p->path,
	    parent > 0 ? parent - 1 : 0, p->name, p->name_len);

	if (j == NULL)
		return NULL;
	j->dir_id = p->dir_id;
	j->st = p->st;
	j->again = p->run_id != en->run_id;
	j->before = p->outcome;
	if (j->before.did_run == 0)
		j->before.did_run = p->run_id;
	if (engine_given_dir(en, j) == 0)
		return j;
	engine_job_end(en, j);
	return NULL;
}

void
engine_feed_dirs(struct engine *en)
{
	struct err e = ERR_INIT;
	struct job *j;
	int rc;

	while (!en->stopping && en->jobs < ENGINE_JOBS_MAX) {
		rc = en->pending_held
		    ? 1
		    : ledger_pending_next(en->ledger, &en->pending, &e);
		if (rc == -1)
			engine_ledger_failed(en, &e);
		if (rc != 1)
			return;
		en->pending_held = has_dirs(en) && en->jobs > 0 &&
		    en->pending.depth != en->dirs_depth;
		if (en->pending_held)
			return;
		en->dirs_depth = en->pending.depth;
		j = dir_job(en);
		if (j != NULL)
			engine_send(en, j);
	}
}

static void
root_text(
    const struct engine *en, const struct item_stat *st, char *out, size_t size)
{
	int n =
	    snprintf(out, size, "%" PRIo32 " %" PRIu32 " %" PRIu32 " %" PRId64,
		st->mode, st->uid, st->gid, st->mtime_ns);

	/* Changed attributes show in ctime alone. */
	if (en->attrs != 0)
		snprintf(out + n, size - (size_t)n, " %u %" PRId64, en->attrs,
		    st->ctime_ns);
}

/* Whether the target's root WAS given what IS to be kept now, at least. */
static bool
root_has(const char *was, const char *is)
{
	size_t n = strlen(is);

	return strncmp(was, is, n) == 0 && (was[n] == '\0' || was[n] == ' ');
}

/* What the source's root is: 1; 0 if its store doesn't know; -1. */
static int
stat_root(struct engine *en, struct item_stat *out, struct err *e)
{
	AUTO(session) struct session *c = store_connect(en->source, e);
	const struct store_driver *from = en->source->ops;
	struct store_stat st;
	unsigned attempt;
	int64_t wait;

	if (c == NULL)
		return -1;
	for (attempt = 1; from->stat(c, "", &st, e) == -1; attempt++) {
		if (e->kind == ERR_NOTFOUND)
			return 0;
		if (e->kind == ERR_EXPIRED && attempt == 1 &&
		    from->refresh != NULL && from->refresh(en->source, e) == 0)
			continue;
		wait = retry_delay_ms(
		    &en->retry, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0 || !reach_pause(wait, en->setup->stop_soon))
			return -1;
	}
	*out = item_of_listed(&st);
	return st.has_owner;
}

/* The same, with what is given instead. */
static int
find_root(struct engine *en, struct item_stat *st, struct attrs **attrs,
    struct err *e)
{
	struct given given;
	int rc = stat_root(en, st, e);

	if (rc != 1)
		return rc;
	rc = engine_given(en, "", 0, st, &given);
	if (rc == -1) {
		*e = en->fatal;
		return -1;
	}
	if (rc == 1)
		given_to(&given.is, st);
	*attrs = given.is.attrs;
	return 1;
}

int
engine_root(struct engine *en, struct item_stat *st, struct attrs **attrs,
    struct err *e)
{
	const struct store_driver *from = en->source->ops;
	AUTO(session) struct session *c = NULL;
	int rc = find_root(en, st, attrs, e);

	if (rc != 1 || *attrs != NULL || en->attrs == 0 || from->attrs == NULL)
		return rc;
	c = store_connect(en->source, e);
	if (c == NULL || from->attrs(c, "", ITEM_DIR, attrs, e) == -1)
		return -1;
	return 1;
}

void
engine_send_root(struct engine *en)
{
	char was[140], is[140];
	struct err e = ERR_INIT;
	struct item_stat st;
	struct attrs *attrs = NULL;
	struct job *j;
	int rc;

	rc = find_root(en, &st, &attrs, &e);
	attrs_free(attrs);
	if (rc == -1) {
		err_context(&e, "the source directory itself");
		engine_fatal(en, &e);
	}
	if (rc != 1)
		return;
	root_text(en, &st, is, sizeof(is));
	rc = ledger_meta_get(en->ledger, ROOT_KEY, was, sizeof(was), &e);
	if (rc == -1)
		engine_ledger_failed(en, &e);
	if (rc == -1 || (rc == 1 && root_has(was, is)))
		return;
	j = engine_job(en, JOB_DIR, "", 0, "", 0);
	if (j == NULL)
		return;
	j->st = st;
	if (engine_given_dir(en, j) == 0)
		engine_send(en, j);
	else
		engine_job_end(en, j);
}

/* A mount point of somebody else's, say, stays what it is; where directories
 * aren't items, the root need not be one. */
static bool
may_stay(const struct engine *en, const struct err *e)
{
	return e->kind == ERR_DENIED && (e->sys != 0 || !has_dirs(en));
}

void
engine_root_answer(struct engine *en, struct job *j)
{
	struct err e = ERR_INIT;
	char is[140];

	if (j->err.kind != ERR_NONE && !may_stay(en, &j->err)) {
		err_context(&j->err, "the target directory itself");
		engine_item_failed(en, j);
		return;
	}
	if (j->err.kind != ERR_NONE)
		log_warn("the target directory itself keeps its owner, mode "
			 "and time: %s",
		    j->err.msg);
	root_text(en, &j->st, is, sizeof(is));
	if (ledger_meta_set(en->ledger, ROOT_KEY, is, &e) == -1)
		engine_ledger_failed(en, &e);
	engine_job_end(en, j);
}
