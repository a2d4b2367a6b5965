/* SPDX-License-Identifier: ISC */
/* Jobs on their way: to the workers, which need the target; later; and after a
 * commit. */
#include "config.h"

#include "agent/engine_in.h"
#include "agent/reach.h"
#include "base/clock.h"

struct job *
engine_job(struct engine *en, enum job_kind kind, const char *dir,
    size_t dir_len, const char *name, size_t name_len)
{
	struct err e = ERR_INIT;
	struct job *j = job_new(kind, dir, dir_len, name, name_len, &e);

	if (j == NULL)
		engine_fatal(en, &e);
	else
		en->jobs++;
	return j;
}

void
engine_job_end(struct engine *en, struct job *j)
{
	en->jobs--;
	job_free(j);
}

/* A dry run goes on without the directory that a run would make. */
static bool
would_be_made(const struct engine *en, const struct err *e)
{
	return en->options->dry_run && e->kind == ERR_NOTFOUND &&
	    (en->ops->features & STORE_HAS_DIRS) != 0;
}

int
engine_reach(struct engine *en)
{
	struct reach_options ro = {
	    .create = !en->options->dry_run,
	    .attempts = en->options->retries,
	    .stop = en->setup->stop_soon,
	};
	struct store_probe probe;
	struct err e = ERR_INIT;

	if (en->reached)
		return 0;
	if (reach_store(en->target, &ro, &probe, &e) == -1 &&
	    !would_be_made(en, &e)) {
		if (e.kind != ERR_STOPPED)
			engine_fatal(en, &e);
		return -1;
	}
	en->reached = true;
	return 0;
}

/* The last answers were failures: of these items, or of the store? */
void
engine_ask_the_store(struct engine *en)
{
	struct reach_options ro = {
	    .attempts = 1,
	    .stop = en->setup->stop_soon,
	};
	struct store_probe probe;
	struct err e = ERR_INIT;

	if (en->hopeless == 0 || en->stopping)
		return;
	if (reach_store(en->target, &ro, &probe, &e) == -1)
		engine_fatal(en, &e);
}

static int
start_workers(struct engine *en)
{
	struct err e = ERR_INIT;
	struct work w = {
	    .source = en->source,
	    .target = en->target,
	    .hard_links = en->options->hard_links,
	    .keep_links = en->options->links == SCAN_LINKS_KEEP,
	    .pool = en->pool,
	    .lanes = en->lanes,
	    .inbox = en->inbox,
	    .stats = en->stats,
	    .limits = en->limits,
	    .algos = en->options->sha256 ? DIGEST_SHA256 : 0,
	    .read_back = en->options->verify != VERIFY_NONE,
	    .attrs = en->attrs,
	    .given = en->setup->manifest != NULL,
	    .compare = en->options->compare,
	    .update = en->options->update,
	    .ignore_existing = en->options->ignore_existing,
	    .backup_dir = en->setup->backup_dir,
	    .dry_run = en->options->dry_run,
	    .stop = en->setup->stop_now,
	};

	en->workers = workers_start(&w, en->workers_max, &e);
	if (en->workers == NULL) {
		engine_fatal(en, &e);
		return -1;
	}
	return 0;
}

/* Whether J is likely to end without the target being asked. */
static bool
is_local(const struct engine *en, const struct job *j)
{
	return j->kind == JOB_REHASH && j->local && en->attrs == 0;
}

void
engine_send(struct engine *en, struct job *j)
{
	if ((!is_local(en, j) && engine_reach(en) == -1) ||
	    (en->workers == NULL && start_workers(en) == -1)) {
		if (j->up != NULL) {
			j->up->jobs--;
			engine_upload_release(en, j->up);
		}
		engine_job_end(en, j);
		return;
	}
	if (!lanes_push(en->lanes, j))
		workers_add(en->workers);
}

void
engine_delay(struct engine *en, struct job *j, uint64_t ms)
{
	struct err e;

	j->due_ms = clock_mono_ms() + ms;
	if (delay_push(&en->delayed, j) == 0)
		return;
	err_set(&e, ERR_NOMEM, "out of memory");
	engine_fatal(en, &e);
	lanes_push(en->lanes, j);
}

/*
 * Makes durable at the target what the rows of this batch claim.  If that
 * fails they must never be committed: those items are sent again.
 */
static int
flush(struct engine *en, struct err *e)
{
	if (en->ops->flush == NULL || en->workers == NULL || !en->reached ||
	    ledger_uncommitted(en->ledger) == 0)
		return 0;
	if (en->session == NULL)
		en->session = store_connect(en->target, e);
	if (en->session != NULL && en->ops->flush(en->session, e) == 0)
		return 0;
	ledger_rollback(en->ledger);
	return err_context(e, "making the target durable");
}

void
engine_commit(struct engine *en)
{
	struct err e = ERR_INIT;
	struct job *j;

	if (flush(en, &e) == -1 || ledger_commit(en->ledger, &e) == -1)
		engine_ledger_failed(en, &e);
	en->committed_ms = clock_mono_ms();
	if (en->stopping)
		return;
	while ((j = job_list_pop(&en->after_commit)) != NULL)
		engine_send(en, j);
}
