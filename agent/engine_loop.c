/* SPDX-License-Identifier: ISC */
/* The coordinator's loop: what comes in, one phase after the other. */
#include "config.h"

#include "agent/engine_in.h"
#include "base/clock.h"
#include "transfer/posix/posix.h"

/* A store's answers take their time. */
#define FAR_SCAN_THREADS 16

static bool
commit_is_due(const struct engine *en)
{
	unsigned rows = ledger_uncommitted(en->ledger);

	if (en->after_commit.head != NULL)
		return true;
	return rows >= ENGINE_COMMIT_ROWS ||
	    (rows > 0 &&
		clock_mono_ms() - en->committed_ms >= ENGINE_COMMIT_MS);
}

static void
answered(struct engine *en, struct job *j)
{
	if (j->up != NULL)
		engine_upload_answer(en, j);
	else if (j->kind == JOB_DELETE)
		engine_delete_answer(en, j);
	else
		engine_item_answer(en, j);
}

/* Jobs that nobody works on are dropped; their items wait for the next run. */
static void
drop_waiting(struct engine *en)
{
	struct job *j;

	while ((j = lanes_withdraw(en->lanes)) != NULL ||
	    (j = job_list_pop(&en->after_commit)) != NULL ||
	    (j = job_list_pop(&en->big)) != NULL ||
	    (j = engine_links_withdraw(en)) != NULL ||
	    (j = delay_pop(&en->delayed, UINT64_MAX)) != NULL) {
		struct upload *up = j->up;

		engine_job_end(en, j);
		if (up != NULL) {
			up->jobs--;
			engine_upload_release(en, up);
		}
	}
}

static void
stop(struct engine *en)
{
	en->stopping = true;
	inbox_refuse(en->inbox);
	if (en->scan != NULL)
		scan_stop(en->scan);
	if (atomic_load(en->setup->stop_now))
		pool_stop(en->pool);
	drop_waiting(en);
}

static bool
deliver(void *arg, struct scan_batch *b)
{
	struct engine *en = arg;

	return inbox_batch(en->inbox, b);
}

static void
scan_is_done(void *arg)
{
	struct engine *en = arg;

	inbox_scan_done(en->inbox);
}

static void
begin_scan(struct engine *en)
{
	struct err e = ERR_INIT;
	struct scan_options so = {
	    .filter = en->options->filter,
	    .only = en->setup->only,
	    .with_parents = en->setup->only_named || en->setup->only_changed,
	    .links = en->options->links,
	    .threads = en->options->scan_threads,
	    .one_file_system = en->options->one_file_system,
	    .skip_prefix = ".dray-",
	    .retry = en->retry,
	};
	bool local = en->source->ops == &posix_driver;
	int fd = local ? posix_root_fd(en->source, &e) : -1;

	engine_links_begin(en);
	if (so.threads == 0 && !local)
		so.threads = FAR_SCAN_THREADS;
	atomic_store(&en->stats->scanning, true);
	if (!local || fd != -1)
		en->scan = scan_start(fd, local ? NULL : en->source, &so,
		    deliver, scan_is_done, en, &e);
	if (en->scan == NULL)
		engine_fatal(en, &e);
}

/* Nothing is under way: on to the next phase. */
static void
next_phase(struct engine *en)
{
	switch (en->phase) {
	case PHASE_START:
		en->phase = PHASE_TRANSFER;
		if (!en->stopping && en->setup->reconcile)
			engine_list_target(en);
		if (!en->stopping)
			begin_scan(en);
		return;
	case PHASE_TRANSFER:
		en->phase = PHASE_ORPHANS;
		engine_absent(en);
		if (en->options->dry_run)
			return;
		if (!en->scan_incomplete && en->setup->only == NULL)
			engine_abort_old(en);
		engine_sweep_intents(en);
		return;
	case PHASE_ORPHANS:
		en->phase = PHASE_DELETE;
		engine_sweep_leftovers(en);
		engine_begin_deletions(en);
		return;
	case PHASE_DELETE:
		engine_end_deletions(en);
		en->phase = PHASE_AGAIN;
		engine_unblock(en);
		return;
	case PHASE_AGAIN:
		en->phase = en->options->dry_run ? PHASE_END : PHASE_DIRS;
		return;
	case PHASE_DIRS:
		en->phase = PHASE_ROOT;
		engine_send_root(en);
		return;
	case PHASE_ROOT:
	case PHASE_END:
		en->phase = PHASE_END;
		return;
	}
}

static bool
is_idle(const struct engine *en)
{
	return en->jobs == 0 &&
	    (en->phase != PHASE_TRANSFER ||
		(en->scan_done && en->later_left == 0)) &&
	    (en->phase != PHASE_DELETE || !en->deleting);
}

static void
step(struct engine *en)
{
	bool want = !en->stopping && en->phase == PHASE_TRANSFER &&
	    en->jobs < ENGINE_JOBS_MAX;
	/* Between two phases there is nothing to wait for. */
	uint64_t most =
	    en->jobs == 0 && en->phase != PHASE_TRANSFER ? 0 : ENGINE_COMMIT_MS;
	struct scan_batch *batch = NULL;
	struct job_list answers;
	struct job *j;
	bool scan_done;

	job_list_init(&answers);
	inbox_take(en->inbox, want,
	    delay_wait_ms(&en->delayed, clock_mono_ms(), most), &answers,
	    &batch, &scan_done);
	while ((j = job_list_pop(&answers)) != NULL)
		answered(en, j);
	if (batch != NULL && !en->stopping)
		engine_batch(en, batch);
	scan_batch_free(batch);
	en->scan_done = scan_done;
	if (scan_done)
		atomic_store(&en->stats->scanning, false);
	while (!en->stopping &&
	    (j = delay_pop(&en->delayed, clock_mono_ms())) != NULL)
		engine_send(en, j);
	if (en->unled > 0 && !en->stopping &&
	    (scan_done || en->jobs >= ENGINE_JOBS_MAX))
		engine_links_expect_no_more(en);
	if (scan_done && !en->stopping && en->phase == PHASE_TRANSFER)
		engine_later_feed(en);
	engine_start_uploads(en);
	engine_progress(en, false);
	if (commit_is_due(en))
		engine_commit(en);
	if (en->phase == PHASE_DELETE)
		engine_feed_deletions(en);
	if (en->phase == PHASE_DIRS)
		engine_feed_dirs(en);
}

void
engine_loop(struct engine *en)
{
	while (en->phase != PHASE_END) {
		if (atomic_load(en->setup->stop_soon) || en->stopping)
			stop(en);
		if (en->stopping && en->jobs == 0)
			return;
		if (is_idle(en))
			next_phase(en);
		if (en->phase != PHASE_END)
			step(en);
	}
}
