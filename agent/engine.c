/* SPDX-License-Identifier: ISC */
/* A run: what it begins with, and how it ended. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/engine_in.h"
#include "agent/ui_summary.h"
#include "base/clock.h"
#include "base/log.h"

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

static bool
is_window(const struct engine *en)
{
	return en->setup->window != NULL && atomic_load(en->setup->window);
}

static bool
is_full(const struct engine *en)
{
	return en->fatal.kind == ERR_NOSPACE && en->ops != NULL &&
	    (en->ops->features & STORE_SERIAL) != 0;
}

static enum run_outcome
outcome_of(const struct engine *en)
{
	if (is_full(en))
		return RUN_FULL;
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

static bool
are_local(const struct store_driver *from, const struct store_driver *to)
{
	return (from->features & to->features & STORE_IS_LOCAL) != 0;
}

/* As many as make up for the way to either store.  A source far away is no
 * reason to ask a target for any number of connections. */
static unsigned
transfers_at_first(const struct options *o, const struct store_driver *from,
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

unsigned
engine_transfers(const struct options *o, const struct store_driver *from,
    const struct store_driver *to)
{
	unsigned n = transfers_at_first(o, from, to);

	if (o->transfers != 0 || are_local(from, to) ||
	    limit_is_on(o->store.limit))
		return n;
	return more(n, ENGINE_TRANSFERS_FAR);
}

/* One processor is the coordinator's and the walkers'. */
static unsigned
workers_that_compute(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 1 ? (unsigned)cpus - 1 : 1;
}

static struct lanes *
new_lanes(const struct engine *en, struct err *e)
{
	const struct store_driver *from = en->source->ops, *to = en->ops;
	struct lanes_setup s = {
	    .workers = en->workers_max,
	    .first = en->transfers,
	    .parts = more(ENGINE_PARTS, more(from->parts, to->parts)),
	    .near = are_local(from, to),
	};

	if (s.near)
		s.first = workers_that_compute();
	/* More of them fill the line no better, and take longer to finish. */
	if (limit_is_on(en->options->store.limit))
		s.parts = ENGINE_PARTS;
	return lanes_new(&s, e);
}

static int
begin(struct engine *en, const struct engine_setup *setup, struct err *e)
{
	bool given = setup->manifest != NULL;

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
	en->transfers =
	    transfers_at_first(en->options, en->source->ops, en->ops);
	en->workers_max =
	    engine_transfers(en->options, en->source->ops, en->ops);
	en->lanes = new_lanes(en, e);
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
		engine_loop(&en);
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
