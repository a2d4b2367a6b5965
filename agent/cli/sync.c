/* SPDX-License-Identifier: ISC */
/* dray sync, dray copy: one run of a task. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/pair.h"
#include "agent/cli/sync.h"
#include "agent/engine.h"
#include "agent/files_from.h"
#include "agent/manifest_file.h"
#include "agent/reach.h"
#include "agent/source.h"
#include "agent/steer.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "agent/webhook.h"
#include "base/clock.h"
#include "base/log.h"

struct sync {
	const struct options *o;
	struct pair pair;
	const struct sync_order *order;
	struct manifest_in *manifest; /* of --metadata-from */
	struct pathset *named;	      /* by --files-from, or */
	struct pathset *changed;      /* --changed-from */
	struct steer *steer;
	struct ledger *ledger;
	struct webhook *webhook;
	struct ui *ui;
	struct run_stats stats;
	bool reached;
	bool reconcile;
	bool absent; /* dry run: the target isn't there yet */
	char probe[sizeof(((struct store_probe *)0)->text)];
};

static void
sync_free(struct sync *s)
{
	ui_free(s->ui);
	webhook_free(s->webhook);
	ledger_close(s->ledger);
	manifest_in_free(s->manifest);
	pathset_free(s->named);
	pathset_free(s->changed);
	steer_end(s->steer);
	pair_free(&s->pair);
}

static int
reach(struct sync *s, bool checksum, struct store_probe *probe, struct err *e)
{
	struct reach_options ro = {
	    .create = !s->o->dry_run,
	    .checksum = checksum && !s->o->dry_run,
	    .attempts = s->o->retries,
	    .stop = stop_soon_flag(),
	};

	if (reach_store(s->pair.target_store, &ro, probe, e) == -1) {
		if (!s->o->dry_run || s->pair.target->scheme != STORE_POSIX ||
		    e->kind != ERR_NOTFOUND)
			return err_context(
			    e, "target %s", s->pair.target->text);
		/* The directory that the run would make. */
		s->absent = true;
		*probe = (struct store_probe){.text = "not there yet"};
	}
	s->reached = true;
	snprintf(s->probe, sizeof(s->probe), "%s", probe->text);
	return 0;
}

/* A ledger belongs to one source and one target. */
static int
check_pair(struct sync *s, struct err *e)
{
	const char *const keys[] = {"source", "target"};
	const char *const are[] = {s->order->source_name != NULL
		? s->order->source_name
		: s->pair.source->text,
	    s->order->target_name != NULL ? s->order->target_name
					  : s->pair.target->text};
	char was[4096];
	int i, rc;

	for (i = 0; i < 2; i++) {
		rc = ledger_meta_get(s->ledger, keys[i], was, sizeof(was), e);
		if (rc == -1)
			return -1;
		if (rc == 1 && strncmp(was, are[i], sizeof(was) - 1) != 0)
			return err_set(e, ERR_CONFIG,
			    "task %s belongs to another %s, %s: choose "
			    "another --task",
			    s->pair.task, keys[i], was);
		if (rc == 0 && !s->o->dry_run &&
		    ledger_meta_set(s->ledger, keys[i], are[i], e) == -1)
			return -1;
	}
	return 0;
}

/* Where the run has been: what the next one must find again. */
static int
remember_place(struct sync *s, struct err *e)
{
	char now[PAIR_PLACE_MAX];

	s->pair.target_store->ops->place(
	    s->pair.target_store, now, sizeof(now));
	if (s->o->dry_run || now[0] == '\0')
		return 0;
	if (ledger_meta_set(s->ledger, "place", now, e) == -1)
		return -1;
	return ledger_commit(s->ledger, e);
}

/*
 * The same URL may name another place now: another endpoint, or what lies
 * under a file system that isn't mounted.  Another endpoint is most likely a
 * mistake; with another directory the ledger is compared with what is there.
 */
static int
check_place(struct sync *s, struct err *e)
{
	char was[PAIR_PLACE_MAX], now[PAIR_PLACE_MAX];
	int rc = ledger_meta_get(s->ledger, "place", was, sizeof(was), e);

	if (rc == -1)
		return -1;
	s->pair.target_store->ops->place(
	    s->pair.target_store, now, sizeof(now));
	if (rc == 0)
		return remember_place(s, e);
	if (strcmp(was, now) == 0)
		return 0;
	if (s->pair.target->scheme != STORE_POSIX && !s->o->reconcile)
		return err_set(e, ERR_CONFIG,
		    "the ledger of task %s is of %s, not of %s: choose "
		    "another --task, or --reconcile if it is the same store",
		    s->pair.task, was, now);
	log_warn("%s is not the place that it was in the last run: comparing "
		 "with what is there",
	    s->pair.target->text);
	s->reconcile = true;
	return 0;
}

/*
 * What an earlier run found the store to be, so that a run with nothing to do
 * needn't ask it anything.  Returns 1 if it is known.
 */
static int
recall_probe(struct sync *s, struct err *e)
{
	const char *wish = s->o->store.checksum;
	bool asked = wish == NULL || strcmp(wish, "auto") == 0;
	unsigned algo;
	char name[32];
	int rc = ledger_meta_get(s->ledger, "checksum", name, sizeof(name), e);

	if (rc == 1)
		rc = ledger_meta_get(
		    s->ledger, "probe", s->probe, sizeof(s->probe), e);
	algo = rc == 1 && asked ? digest_by_name(name) : 0;
	if (algo == 0)
		return rc;
	s->pair.target_store->ops->set_checksum(s->pair.target_store, algo);
	return (s->pair.target_store->ops->digests(s->pair.target_store) &
		   algo) != 0;
}

/* Whether the ledger has yet to be compared with what the target holds. */
static int
needs_reconcile(struct sync *s, struct err *e)
{
	char reconciled[8];
	int rc;

	/* There is nothing to compare with. */
	if ((s->pair.target_store->ops->features & STORE_SERIAL) != 0)
		return 0;
	rc = ledger_meta_get(
	    s->ledger, "reconciled", reconciled, sizeof(reconciled), e);
	s->reconcile = s->o->reconcile || rc == 0;
	if (rc == -1 || !s->o->delete_extra)
		return rc == -1 ? -1 : 0;
	/* A mirror has nothing but what the source has: look once. */
	rc = ledger_meta_get(
	    s->ledger, "mirrored", reconciled, sizeof(reconciled), e);
	s->reconcile = s->reconcile || rc == 0;
	return rc == -1 ? -1 : 0;
}

static int
remember_probe(struct sync *s, const struct store_probe *probe, struct err *e)
{
	const char *name = digest_name((enum digest_algo)probe->checksum);

	if (s->o->dry_run)
		return 0;
	if (ledger_meta_set(
		s->ledger, "checksum", name != NULL ? name : "none", e) == -1)
		return -1;
	return ledger_meta_set(s->ledger, "probe", probe->text, e);
}

static int
open_ledger(struct sync *s, struct err *e)
{
	bool known = task_exists(s->o->state_dir, s->pair.task);
	struct store_probe probe;
	AUTO(free) char *aside = NULL;
	int rc;

	/* No ledger for a target that was never reached. */
	if (!known && reach(s, true, &probe, e) == -1)
		return -1;
	s->ledger = ledger_open(s->o->state_dir, s->pair.task,
	    s->o->dry_run ? LEDGER_DRY : LEDGER_WRITE, &aside, e);
	cmd_say_aside(aside);
	if (s->ledger == NULL || check_pair(s, e) == -1)
		return -1;
	if (needs_reconcile(s, e) == -1 || check_place(s, e) == -1)
		return -1;
	rc = s->reached ? 0 : recall_probe(s, e);
	if (rc == 0 && (s->reached || reach(s, true, &probe, e) == 0))
		rc = remember_probe(s, &probe, e);
	else if (rc == 0)
		rc = -1;
	if (s->absent)
		s->reconcile = false;
	if (rc == -1)
		return -1;
	return s->o->dry_run ? 0 : ledger_commit(s->ledger, e);
}

static int
open_manifest(struct sync *s, struct err *e)
{
	if (s->o->metadata_from == NULL)
		return 0;
	if ((s->pair.source_store->ops->features & STORE_LIST_META) == 0)
		return err_set(e, ERR_CONFIG,
		    "--metadata-from: what a listing of %s tells can't be "
		    "matched with a manifest, and its objects carry their "
		    "metadata themselves: leave the option out",
		    s->pair.source->text);
	s->manifest =
	    manifest_in_open(s->o->metadata_from, s->o, stop_soon_flag(), e);
	if (s->manifest != NULL)
		return 0;
	/* Nothing was begun. */
	if (e->kind == ERR_MISMATCH || e->kind == ERR_NOTFOUND)
		e->kind = ERR_CONFIG;
	return err_context(e, "--metadata-from");
}

static int
read_names(struct sync *s, struct err *e)
{
	struct files_from_format format = {.nul = s->o->from0};

	if (s->o->files_from != NULL) {
		s->named = files_from_read(s->o->files_from, format, e);
		if (s->named == NULL)
			return err_context(e, "--files-from");
	}
	if (s->o->changed_from != NULL) {
		format.changed = true;
		s->changed = files_from_read(s->o->changed_from, format, e);
		if (s->changed == NULL)
			return err_context(e, "--changed-from");
	}
	return 0;
}

/* What the run is limited to; NULL: all. */
static const struct pathset *
limits(struct sync *s)
{
	if (s->named != NULL)
		return s->named;
	if (s->changed == NULL)
		return s->order->only;
	if (!s->reconcile)
		return s->changed;
	log_info("--changed-from: all is looked at this time, as the ledger "
		 "has yet to be compared with the target");
	return NULL;
}

static struct engine_setup
engine_setup(struct sync *s, struct ui_run *about)
{
	return (struct engine_setup){
	    .options = s->o,
	    .source = s->pair.source_store,
	    .target = s->pair.target_store,
	    .ledger = s->ledger,
	    .ui = s->ui,
	    .about = about,
	    .stats = &s->stats,
	    .backup_dir = s->pair.backup,
	    .reached = s->reached,
	    .reconcile = s->reconcile,
	    .only = limits(s),
	    .only_named = s->named != NULL,
	    .only_changed = s->changed != NULL && !s->reconcile,
	    .manifest = s->manifest,
	    .retry_of = s->order->retry_of,
	    .stop_soon = stop_soon_flag(),
	    .stop_now = stop_now_flag(),
	    .window = stop_window_flag(),
	};
}

static struct webhook_task
webhook_task(const struct sync *s)
{
	return (struct webhook_task){
	    .state_dir = s->o->state_dir,
	    .name = s->pair.task,
	    .owner = s->pair.owner,
	    .target = s->pair.target,
	};
}

static int
run(struct sync *s)
{
	struct ui_run about = {
	    .task = s->pair.task,
	    .source = s->pair.source->text,
	    .target = s->pair.target->text,
	    .probe = s->probe,
	    .dry_run = s->o->dry_run,
	};
	struct engine_setup setup = engine_setup(s, &about);
	struct webhook_task whose = webhook_task(s);
	struct engine_result result;
	struct stats_snapshot end;
	struct err e = ERR_INIT;

	if (s->o->metadata_from == NULL &&
	    store_attrs_kinds(&s->o->store) != 0 &&
	    (s->pair.source_store->ops->features & STORE_HAS_ATTRS) == 0)
		log_warn("%s tells no extended attributes and ACLs: with -X "
			 "and -A nothing is kept of them",
		    s->pair.source->text);
	if (webhook_start(s->webhook, &whose, s->ledger, &setup.events, &e) ==
	    -1)
		return cmd_fail(&e);
	s->stats.started_mono_ms = clock_mono_ms();
	atomic_store(&s->stats.scanning, true);
	engine_run(&setup, &result);
	if (s->order->after != NULL)
		s->order->after(s->order->arg, s->ledger, s->pair.source_store,
		    s->pair.target_store, &result);
	if (result.outcome != RUN_INTERRUPTED && result.outcome != RUN_WINDOW &&
	    result.why.kind == ERR_NONE)
		remember_place(s, &result.why);
	end = stats_snapshot(&s->stats);
	ui_end(s->ui, result.outcome, &end,
	    clock_mono_ms() - s->stats.started_mono_ms,
	    result.why.kind != ERR_NONE ? &result.why : NULL);
	webhook_end(s->webhook);
	return run_exit_code(result.outcome);
}

/* Whoever wants to know of the run learns why there is none.  Whose ledger it
 * is not, or who runs it now, has nothing to tell of it. */
static void
tell(struct sync *s, const struct err *why)
{
	struct ui_run about = {.task = s->pair.task};
	struct webhook_task whose = webhook_task(s);
	struct engine_setup setup;
	struct err e = ERR_INIT;
	AUTO(free) char *aside = NULL;

	if (s->webhook == NULL || s->pair.task == NULL)
		return;
	if (s->ledger == NULL)
		s->ledger = ledger_open(
		    s->o->state_dir, s->pair.task, LEDGER_WRITE, &aside, &e);
	cmd_say_aside(aside);
	if (s->ledger == NULL || check_pair(s, &e) == -1)
		return;
	setup = engine_setup(s, &about);
	s->stats.started_mono_ms = clock_mono_ms();
	if (webhook_start(s->webhook, &whose, s->ledger, &setup.events, &e) ==
		0 &&
	    engine_no_run(&setup, why, &e) == 0)
		webhook_end(s->webhook);
	else
		log_warn("events: %s; nobody is told of this", e.msg);
}

int
sync_run(const struct options *o, const struct sync_order *order)
{
	struct sync s = {
	    .o = o,
	    .order = order,
	    .pair = {.o = o, .bundle = order->bundle},
	};
	struct err e = ERR_INIT;
	int rc;

	if (steer_start(o, &s.steer, &e) == -1 || read_names(&s, &e) == -1 ||
	    webhook_new(o, &s.webhook, &e) == -1 ||
	    pair_open(&s.pair, order->source, order->target, &e) == -1 ||
	    open_manifest(&s, &e) == -1 ||
	    pair_reach_source(&s.pair, &e) == -1 || open_ledger(&s, &e) == -1 ||
	    source_check(
		o, s.pair.source_store, s.ledger, stop_soon_flag(), &e) == -1 ||
	    (order->before != NULL &&
		order->before(order->arg, s.ledger, &e) == -1)) {
		rc = cmd_fail(&e);
		tell(&s, &e);
	} else {
		s.ui = ui_new(o, &s.stats, &e);
		rc = s.ui != NULL ? run(&s) : cmd_fail(&e);
	}
	sync_free(&s);
	return rc;
}

int
cmd_sync(const struct options *o, int argc, char **argv)
{
	struct sync_order order = {.source = argv[0], .target = argv[1]};

	(void)argc;
	return sync_run(o, &order);
}
