/* SPDX-License-Identifier: ISC */
/*
 * Workers: each has connections to source and target, takes jobs from the
 * lanes, does them and puts the answer into the inbox.  A worker decides
 * nothing: no retries, no ledger, no output.
 */
#ifndef AGENT_WORK_H
#define AGENT_WORK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/inbox.h"
#include "agent/lanes.h"
#include "agent/options.h"
#include "agent/stats.h"
#include "transfer/pool.h"
#include "transfer/store.h"

/* What all workers share; nothing here changes while they run. */
struct work {
	struct store *source; /* NULL: there is none, for VERIFY only */
	struct store *target;
	const struct check_rules *rules; /* VERIFY */
	bool given;	 /* a manifest tells of each file's names, too */
	bool hard_links; /* names of one file are to be told */
	bool keep_links; /* else an object that is a symlink is skipped */
	struct pool *pool;
	struct lanes *lanes;
	struct inbox *inbox;
	struct run_stats *stats;
	struct plan_limits limits;
	unsigned algos; /* digests that are taken beside what it takes */
	unsigned attrs; /* kinds that the source is asked for */
	/* Read back what the store's receipt doesn't prove. */
	bool read_back;
	const char *backup_dir; /* key of where to keep what is replaced */
	enum compare_mode compare;
	bool update;
	bool ignore_existing;
	bool dry_run;		 /* change nothing: look, and tell */
	const atomic_bool *stop; /* give up what is under way */
};

struct workers;

/* One, to be joined by others up to MOST.  NULL if that can't be started. */
struct workers *workers_start(
    const struct work *w, unsigned most, struct err *e);
/* One more, if there may be and can be. */
void workers_add(struct workers *ws);
/* Closes the lanes, waits for all, frees. */
void workers_stop(struct workers *ws);

#endif
