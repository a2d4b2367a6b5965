/* SPDX-License-Identifier: ISC */
/*
 * Verification: walks the source (or a manifest) and the target's listing,
 * merges them with what the ledger knows, and has workers find out what these
 * can't tell.  Changes nothing at either store.  The caller's thread is the
 * coordinator; memory doesn't depend on the number of items.
 */
#ifndef AGENT_VERIFY_H
#define AGENT_VERIFY_H

#include "agent/check.h"
#include "agent/ledger.h"
#include "agent/manifest_file.h"
#include "agent/options.h"
#include "agent/sample.h"
#include "agent/stats.h"

/* What was found of one item. */
struct verify_item {
	const char *path;
	size_t path_len;
	enum check_status status;
	const struct check *check; /* NULL for what could not be looked at */
	const struct err *err;	   /* CHECK_ERROR: why; else NULL */
};

struct verify_setup {
	const struct options *options;
	struct store *source;	      /* opened and reached; or NULL, and: */
	struct manifest_in *manifest; /* stands for it */
	struct store *target;	      /* the same */
	/* Of the task, or an empty one; only read, but for its temporary
	 * table. */
	struct ledger *ledger;
	bool recorded;		       /* it is the task's */
	const struct run_stats *lacks; /* of a run that is not over, or NULL */
	struct sample sample;
	struct run_stats *stats; /* its checked_* count, and what moves the
				    live line */
	/* Called for each item that was compared, in no particular order, by
	 * the caller's thread. */
	void (*tell)(void *arg, const struct verify_item *item);
	void *arg;
	const atomic_bool *stop_soon;
	const atomic_bool *stop_now;
};

/* 0 if all was looked at, whatever was found; -1 with what ended it early
 * (ERR_STOPPED: the user). */
int verify_run(const struct verify_setup *setup, struct err *e);

/* What the runs of L's task found that the target can't hold; what this one
 * did. */
int verify_find_lacks(struct ledger *l, struct check_lacks *out, struct err *e);
void verify_add_lacks(struct check_lacks *out, const struct run_stats *s);

/* CHECK_XATTRS, _ACLS and _LINKS: those that O asks for, and that both stores
 * can tell.  SOURCE is NULL where a manifest stands for it. */
unsigned verify_can_tell(const struct options *o, const struct store *source,
    const struct store *target);

/* Whether S counts nothing but what is as it should be. */
bool verify_is_equal(const struct options *o, const struct run_stats *s);

#endif
