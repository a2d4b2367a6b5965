/* SPDX-License-Identifier: ISC */
/*
 * The engine: one run of a task, from the scan of the source to the ledger's
 * last commit.  The caller's thread becomes the coordinator, which alone owns
 * the ledger and takes every decision; walkers and workers are started and
 * ended within.
 */
#ifndef AGENT_ENGINE_H
#define AGENT_ENGINE_H

#include "agent/ledger.h"
#include "agent/options.h"
#include "agent/stats.h"
#include "agent/ui.h"

struct manifest_in;

/* Who tells others of the run, where somebody wants to know. */
struct engine_events {
	const char *source; /* the URI of this task here */
	const char *task;
	const char *target_kind; /* "s3" */
	const char *target_url;	 /* NULL: not told */
};

struct engine_setup {
	const struct options *options;
	struct store *source;  /* opened and reached */
	struct store *target;  /* opened; reached when the first job needs it */
	struct ledger *ledger; /* open for writing, but for a dry run */
	struct ui *ui;
	struct ui_run *about; /* run_id is filled in before it is shown */
	struct run_stats *stats;
	const char *backup_dir; /* a key of the target, or NULL */
	bool reached;		/* the target was probed already in this run */
	bool reconcile; /* compare with the target's listing, not only the
			   ledger */
	const struct engine_events *events; /* NULL: nobody is told */
	/* Look at these only, and take what is not seen for nothing: sealed,
	 * borrowed; NULL: all. */
	const struct pathset *only;
	/* Of these the user named each: what isn't there is reported, and the
	 * directories that lead there are items, too. */
	bool only_named;
	/* Of these something may have changed: what is not there any more is
	 * gone.  Never together with RECONCILE. */
	bool only_changed;
	/* What it has goes to the target instead of what the source tells of
	 * metadata; borrowed; NULL: there is none. */
	struct manifest_in *manifest;
	uint64_t retry_of;	      /* the run that failed with them, or 0 */
	const atomic_bool *stop_soon; /* finish what is under way */
	const atomic_bool *stop_now;
	const atomic_bool
	    *window; /* the stop is the end of its time; or NULL */
};

struct engine_result {
	enum run_outcome outcome;
	struct err why; /* what ended the run early, or ERR_NONE */
	uint64_t run_id;
};

/* Where the run can't begin, for *WHY: it is recorded and told of as one that
 * failed.  No store need be reached, and there is no UI. */
int engine_no_run(
    const struct engine_setup *setup, const struct err *why, struct err *e);

/* Requests under way at a time from FROM to TO, at most.  Pure. */
unsigned engine_transfers(const struct options *o,
    const struct store_driver *from, const struct store_driver *to);

/* Always fills *OUT. */
void engine_run(const struct engine_setup *setup, struct engine_result *out);

#endif
