/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine_in.h"
#include "agent/reach.h"
#include "agent/ui_summary.h"
#include "base/clock.h"
#include "base/log.h"
#include "transfer/posix/posix.h"

/* A store's answers take their time. */
#define FAR_SCAN_THREADS 16

void
engine_fatal(struct engine *en, const struct err *e)
{
	if (en->fatal.kind == ERR_NONE)
		en->fatal = *e;
	en->stopping = true;
}

int
engine_ledger_failed(struct engine *en, const struct err *e)
{
	engine_fatal(en, e);
	return -1;
}

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

	en->workers = workers_start(&w, en->transfers, &e);
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
	    (en->phase != PHASE_TRANSFER || en->scan_done) &&
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
	engine_start_uploads(en);
	engine_progress(en, false);
	if (commit_is_due(en))
		engine_commit(en);
	if (en->phase == PHASE_DELETE)
		engine_feed_deletions(en);
	if (en->phase == PHASE_DIRS)
		engine_feed_dirs(en);
}

static void
loop(struct engine *en)
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

static bool
is_window(const struct engine *en)
{
	return en->setup->window != NULL && atomic_load(en->setup->window);
}

static enum run_outcome
outcome_of(const struct engine *en)
{
	if (en->fatal.kind != ERR_NONE) {
		switch ((int)en->fatal.kind) {
		case ERR_NET:
		case ERR_SERVER:
		case ERR_THROTTLE:
			return RUN_UNREACHABLE;
		case ERR_CONFIG:
		case ERR_DENIED:
		case ERR_EXPIRED:
		case ERR_SKEW:
			return RUN_BAD_CONFIG;
		default:
			return RUN_FAILURES;
		}
	}
	if (en->stopping)
		return is_window(en) ? RUN_WINDOW : RUN_INTERRUPTED;
	if (en->guarded.kind != ERR_NONE)
		return RUN_GUARDED;
	if (en->no_manifest.kind != ERR_NONE ||
	    stats_get(en->stats, failed_items) > 0 ||
	    stats_get(en->stats, unreadable_items) > 0 ||
	    stats_get(en->stats, checked_differ) > 0 ||
	    stats_get(en->stats, checked_missing) > 0 ||
	    stats_get(en->stats, checked_errors) > 0)
		return RUN_FAILURES;
	if (stats_get(en->stats, changed_items) > 0 ||
	    stats_get(en->stats, vanished_items) > 0)
		return RUN_UNSTABLE;
	return RUN_OK;
}

/* The last commit: how the run ended. */
static void
record_end(struct engine *en, struct engine_result *out)
{
	struct ledger_run run = {
	    .id = en->run_id,
	    .ended_ns = clock_wall_ns(),
	    .stats = stats_snapshot(en->stats),
	};
	struct err e = ERR_INIT;
	/* The listing, if one was needed, was compared with all that could be
	 * read: what can't be today is no reason to list again each time. */
	bool whole = !en->stopping && en->setup->only == NULL;

	snprintf(run.outcome, sizeof(run.outcome), "%s",
	    run_outcome_name(out->outcome));
	snprintf(run.why, sizeof(run.why), "%s", out->why.msg);
	if ((whole &&
		ledger_meta_set(en->ledger, "reconciled", "1", &e) == -1) ||
	    engine_leftovers_end(en, &e) == -1 ||
	    ledger_run_end(en->ledger, &run, &e) == -1 ||
	    engine_event_run_ended(en, out, &run, &e) == -1 ||
	    ledger_commit(en->ledger, &e) == -1) {
		if (out->why.kind == ERR_NONE)
			out->why = e;
		if (out->outcome == RUN_OK || out->outcome == RUN_UNSTABLE)
			out->outcome = RUN_FAILURES;
	}
}

/* What the target could not hold: said once, counted for the report. */
static void
count_lacks(struct engine *en)
{
	const struct {
		const char *what;
		_Atomic uint64_t *items;
	} kinds[STORE_LACK_COUNT] = {
	    [STORE_LACK_OWNER] = {"owner and group",
		&en->stats->lack_owner_items},
	    [STORE_LACK_MODE] = {"mode", &en->stats->lack_mode_items},
	    [STORE_LACK_TIME] = {"exact time", &en->stats->lack_time_items},
	    [STORE_LACK_XATTR] = {"extended attributes",
		&en->stats->lack_xattr_items},
	    [STORE_LACK_ACL] = {"ACLs", &en->stats->lack_acl_items},
	    [STORE_LACK_LINKS] = {"hard links", &en->stats->lack_link_items},
	};
	size_t i;

	for (i = 0; i < STORE_LACK_COUNT; i++) {
		uint64_t n = atomic_load(&en->target->lacks[i].items);

		atomic_store(kinds[i].items, n);
		if (n > 0)
			log_warn("%llu items are there, but the target can't "
				 "hold their %s: %s",
			    (unsigned long long)n, kinds[i].what,
			    atomic_load(&en->target->lacks[i].why));
	}
}

static unsigned
more(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

/* A source far away is no reason to ask a target for any number of
 * connections. */
unsigned
engine_transfers(const struct options *o, const struct store_driver *from,
    const struct store_driver *to)
{
	unsigned n = to->transfers != 0 ? to->transfers : ENGINE_TRANSFERS;
	unsigned far = from->transfers;

	if (o->transfers != 0)
		return o->transfers;
	if ((to->features & STORE_IS_LOCAL) == 0 && far > ENGINE_TRANSFERS_FAR)
		far = ENGINE_TRANSFERS_FAR;
	return more(n, far);
}

/* Processors of this machine, if it is these that the workers compete for. */
static unsigned
cpus_for(const struct engine_setup *setup)
{
	unsigned local = setup->source->ops->features &
	    setup->target->ops->features & STORE_IS_LOCAL;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return local == 0 || n < 1 ? 0 : (unsigned)n;
}

static int
begin(struct engine *en, const struct engine_setup *setup, struct err *e)
{
	unsigned parts = more(ENGINE_PARTS,
	    more(setup->source->ops->parts, setup->target->ops->parts));
	bool given = setup->manifest != NULL;

	/* More of them fill the line no better, and take longer to finish. */
	if (limit_is_on(setup->options->store.limit))
		parts = ENGINE_PARTS;
	en->setup = setup;
	en->options = setup->options;
	en->ledger = setup->ledger;
	en->ui = setup->ui;
	en->stats = setup->stats;
	en->source = setup->source;
	en->target = setup->target;
	en->ops = setup->target->ops;
	if (given || (setup->source->ops->features & STORE_HAS_ATTRS) != 0)
		en->attrs = store_attrs_kinds(&en->options->store);
	en->lists_links =
	    given || (setup->source->ops->features & STORE_LIST_LINKS) != 0;
	en->reached = setup->reached;
	en->started_ns = clock_wall_ns();
	en->random = (uint64_t)en->started_ns | 1;
	en->retry = (struct retry_policy){
	    .attempts = en->options->retries,
	    .base_ms = 500,
	    .cap_ms = 30000,
	};
	buf_init(&en->leftovers, ENGINE_LEFTOVERS_MAX);
	job_list_init(&en->big);
	job_list_init(&en->after_commit);
	job_list_init(&en->blocked);
	en->ops->limits(en->target, &en->limits);
	en->limits.threshold_bytes = en->options->threshold_bytes;
	en->limits.part_bytes = en->options->part_bytes;
	if (en->limits.part_max_bytes > en->options->memory_bytes)
		en->limits.part_max_bytes = en->options->memory_bytes;
	if (en->limits.put_max_bytes > en->options->memory_bytes)
		en->limits.put_max_bytes = en->options->memory_bytes;
	en->transfers = engine_transfers(
	    setup->options, setup->source->ops, setup->target->ops);
	en->lanes = lanes_new(en->transfers, parts, cpus_for(setup), e);
	en->inbox = inbox_new(ENGINE_BATCHES_MAX, e);
	en->pool = pool_new(en->options->memory_bytes, e);
	if (en->lanes == NULL || en->inbox == NULL || en->pool == NULL)
		return -1;
	if (engine_given_load(en, e) == -1 || engine_source_place(en, e) == -1)
		return -1;
	if (en->options->dry_run)
		return 0;
	if (engine_begin_run(en, e) == -1)
		return -1;
	setup->about->run_id = en->run_id;
	return 0;
}

static void
end(struct engine *en)
{
	if (en->scan != NULL) {
		inbox_refuse(en->inbox);
		scan_join(en->scan);
	}
	workers_stop(en->workers);
	store_disconnect(en->session);
	ledger_pending_free(&en->pending);
	free(en->victim.path);
	buf_free(&en->leftovers);
	ledger_uploads_free(en->old, en->old_n);
	delay_free(&en->delayed);
	lanes_free(en->lanes);
	inbox_free(en->inbox);
	pool_free(en->pool);
}

int
engine_no_run(
    const struct engine_setup *setup, const struct err *why, struct err *e)
{
	struct engine en = {
	    .setup = setup,
	    .options = setup->options,
	    .ledger = setup->ledger,
	    .stats = setup->stats,
	    .started_ns = clock_wall_ns(),
	    .stopping = true,
	};
	struct engine_result result = {.why = *why};

	/* A name that isn't there is a wrong one. */
	if (why->kind == ERR_NOTFOUND)
		en.fatal.kind = ERR_CONFIG;
	else if (why->kind != ERR_STOPPED)
		en.fatal.kind = why->kind;
	result.outcome = outcome_of(&en);
	if (engine_begin_run(&en, e) == -1)
		return -1;
	record_end(&en, &result);
	return 0;
}

void
engine_run(const struct engine_setup *setup, struct engine_result *out)
{
	struct engine en = {0};
	struct err e = ERR_INIT;
	int rc = begin(&en, setup, &e);

	ui_begin(setup->ui, setup->about);
	if (rc == -1) {
		engine_fatal(&en, &e);
	} else {
		if (!en.options->dry_run)
			engine_load_uploads(&en);
		loop(&en);
		engine_commit(&en);
		engine_ask_the_store(&en);
		count_lacks(&en);
		engine_given_report(&en);
		engine_verify(&en);
		engine_manifest(&en);
	}
	out->outcome = outcome_of(&en);
	out->why = en.fatal.kind != ERR_NONE ? en.fatal : en.guarded;
	if (out->why.kind == ERR_NONE)
		out->why = en.no_manifest;
	out->run_id = en.run_id;
	end(&en);
	if (en.run_id != 0) {
		ledger_accept(en.ledger);
		engine_progress(&en, true);
		record_end(&en, out);
	}
}
