/* SPDX-License-Identifier: ISC */
/* dray verify: is the target what the source is? */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/pair.h"
#include "agent/cli/verify_out.h"
#include "agent/reach.h"
#include "agent/steer.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/log.h"

#define SAMPLE_KEY "sample"
#define DAY_NS ((int64_t)24 * 3600 * 1000000000)

struct verifying {
	const struct options *o;
	struct pair pair;
	struct ledger *ledger;
	bool recorded; /* the ledger is the task's */
	struct ui *ui;
	struct verify_out *out;
	struct run_stats stats;
	struct manifest_in *manifest; /* instead of a source */
	struct sample sample;
	struct steer *steer;
	struct store_probe probe;
};

static void
verifying_free(struct verifying *v)
{
	ui_free(v->ui);
	verify_out_free(v->out);
	manifest_in_free(v->manifest);
	ledger_close(v->ledger);
	pair_free(&v->pair);
	steer_end(v->steer);
}

static int
reach_target(struct verifying *v, struct err *e)
{
	struct reach_options ro = {
	    .attempts = v->o->retries,
	    .stop = stop_soon_flag(),
	};

	if (reach_store(v->pair.target_store, &ro, &v->probe, e) == -1)
		return err_context(e, "target %s", v->pair.target->text);
	return 0;
}

/* What is recorded of another pair tells nothing of this one. */
static int
check_pair(struct verifying *v, struct err *e)
{
	const char *const keys[] = {"source", "target"};
	const char *const are[] = {v->pair.source->text, v->pair.target->text};
	char was[4096];
	int i, rc;

	for (i = 0; i < 2; i++) {
		rc = ledger_meta_get(v->ledger, keys[i], was, sizeof(was), e);
		if (rc == -1)
			return -1;
		if (rc == 1 && strncmp(was, are[i], sizeof(was) - 1) != 0)
			return err_set(e, ERR_CONFIG,
			    "task %s belongs to another %s, %s: name the right "
			    "--task",
			    v->pair.task, keys[i], was);
	}
	return 0;
}

static int
open_ledger(struct verifying *v, struct err *e)
{
	char *aside;

	if (v->manifest != NULL) {
		v->ledger = ledger_open("", "", LEDGER_EMPTY, &aside, e);
		return v->ledger != NULL ? 0 : -1;
	}
	v->recorded = task_exists(v->o->state_dir, v->pair.task);
	if (!v->recorded && v->o->task != NULL)
		return err_set(e, ERR_NOTFOUND,
		    "no task %s in %s: see --state-dir, or leave --task out",
		    v->o->task, v->o->state_dir);
	v->ledger = ledger_open(v->o->state_dir, v->pair.task,
	    v->recorded ? LEDGER_READ : LEDGER_EMPTY, &aside, e);
	if (v->ledger == NULL)
		return -1;
	return v->recorded ? check_pair(v, e) : 0;
}

/* Without a ledger, the day tells whose turn it is. */
static int
choose_sample(struct verifying *v, struct err *e)
{
	uint32_t slices = v->o->sample_slices;
	char text[SAMPLE_TEXT_MAX];
	int rc;

	v->sample.slices = slices;
	if (slices <= 1)
		return 0;
	rc = ledger_meta_get(v->ledger, SAMPLE_KEY, text, sizeof(text), e);
	if (rc == 1)
		v->sample.slice = sample_from_text(text, slices);
	else if (!v->recorded)
		v->sample.slice =
		    (uint32_t)((uint64_t)(clock_wall_ns() / DAY_NS) % slices);
	return rc == -1 ? -1 : 0;
}

/* The next run takes the next part. */
static void
remember_sample(struct verifying *v)
{
	struct sample next = sample_next(&v->sample);
	AUTO(ledger) struct ledger *l = NULL;
	char text[SAMPLE_TEXT_MAX];
	struct err e = ERR_INIT;
	AUTO(free) char *aside = NULL;

	if (v->sample.slices <= 1 || !v->recorded)
		return;
	ledger_close(TAKE(v->ledger));
	sample_to_text(&next, text);
	l = ledger_open(
	    v->o->state_dir, v->pair.task, LEDGER_WRITE, &aside, &e);
	cmd_say_aside(aside);
	if (l == NULL || ledger_meta_set(l, SAMPLE_KEY, text, &e) == -1 ||
	    ledger_commit(l, &e) == -1)
		log_warn("the next run takes the same part again: %s", e.msg);
}

static int
exit_code_of(bool equal, const struct err *why)
{
	if (why->kind == ERR_NONE)
		return equal ? 0 : 1;
	return cmd_exit_code(why->kind);
}

static int
run(struct verifying *v)
{
	struct ui_run about = {
	    .task = v->manifest != NULL ? manifest_in_head(v->manifest)->task
					: v->pair.task,
	    .source =
		v->manifest != NULL ? v->o->manifest : v->pair.source->text,
	    .target = v->pair.target->text,
	    .probe = v->probe.text,
	};
	struct verify_setup setup = {
	    .options = v->o,
	    .source = v->pair.source_store,
	    .target = v->pair.target_store,
	    .manifest = v->manifest,
	    .ledger = v->ledger,
	    .recorded = v->recorded,
	    .sample = v->sample,
	    .stats = &v->stats,
	    .tell = verify_out_item,
	    .arg = v->out,
	    .stop_soon = stop_soon_flag(),
	    .stop_now = stop_now_flag(),
	};
	struct err why = ERR_INIT, e = ERR_INIT;
	struct check_lacks lacks = {.owner = false};
	struct verify_summary summary;
	bool equal;

	v->stats.started_mono_ms = clock_mono_ms();
	ui_begin(v->ui, &about);
	if (verify_find_lacks(v->ledger, &lacks, &why) == 0 &&
	    verify_run(&setup, &why) == 0) {
		remember_sample(v);
		verify_out_end(v->out, &why);
	}
	equal = verify_is_equal(v->o, &v->stats);
	ui_stop(v->ui);
	if (why.kind != ERR_NONE) {
		e = why;
		cmd_fail(&e);
	}
	summary = (struct verify_summary){
	    .options = v->o,
	    .source = about.source,
	    .target = about.target,
	    .task = v->recorded || v->manifest != NULL ? about.task : NULL,
	    .sample = v->sample,
	    .lacks = lacks,
	    .can_tell = verify_can_tell(
		v->o, v->pair.source_store, v->pair.target_store),
	    .stats = stats_snapshot(&v->stats),
	    .elapsed_ms = clock_mono_ms() - v->stats.started_mono_ms,
	    .equal = equal,
	    .why = why.kind != ERR_NONE ? &why : NULL,
	    .exit_code = exit_code_of(equal, &why),
	};
	verify_out_summary(v->out, &summary);
	return summary.exit_code;
}

static int
open_all(struct verifying *v, int argc, char **argv, struct err *e)
{
	if (argc != (v->o->manifest != NULL ? 1 : 2))
		return err_set(e, ERR_USAGE,
		    v->o->manifest != NULL
			? "dray verify --manifest needs DST alone"
			: "dray verify needs SRC DST, or DST and --manifest");
	if (v->o->manifest != NULL) {
		v->manifest =
		    manifest_in_open(v->o->manifest, v->o, stop_soon_flag(), e);
		return v->manifest != NULL
		    ? pair_open_target(&v->pair, argv[0], e)
		    : -1;
	}
	if (pair_open(&v->pair, argv[0], argv[1], e) == -1)
		return -1;
	return pair_reach_source(&v->pair, e);
}

int
cmd_verify(const struct options *o, int argc, char **argv)
{
	struct options with_links = *o;
	struct verifying v = {.o = &with_links, .pair.o = &with_links};
	struct err e = ERR_INIT;
	int rc;

	/* A manifest says itself whether there are any. */
	if (o->manifest != NULL)
		with_links.links = SCAN_LINKS_KEEP;
	if (steer_start(o, &v.steer, &e) == -1 ||
	    open_all(&v, argc, argv, &e) == -1 || reach_target(&v, &e) == -1 ||
	    open_ledger(&v, &e) == -1 || choose_sample(&v, &e) == -1 ||
	    (v.out = verify_out_new(v.o, &e)) == NULL ||
	    (v.ui = ui_new(v.o, &v.stats, &e)) == NULL) {
		rc = cmd_fail(&e);
	} else {
		verify_out_ui(v.out, v.ui);
		rc = run(&v);
	}
	verifying_free(&v);
	return rc;
}
