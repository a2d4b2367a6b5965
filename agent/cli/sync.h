/* SPDX-License-Identifier: ISC */
/* One run of a task, as sync, copy and retry ask for it. */
#ifndef AGENT_CLI_SYNC_H
#define AGENT_CLI_SYNC_H

#include "agent/options.h"
#include "transfer/pathset.h"
#include "transfer/store.h"

struct engine_result;
struct ledger;

struct sync_order {
	const char *source;
	const char *target;
	/* What the ledger calls them, where they have another place each time;
	 * NULL: by their URLs. */
	const char *source_name;
	const char *target_name;
	/* What config.bundle of the target is to be, or NULL. */
	const struct bundle_order *bundle;
	/* Asked before the run, with the ledger, and after it, with the stores
	 * and what came of it, which may be changed; or NULL. */
	int (*before)(void *arg, struct ledger *l, struct err *e);
	void (*after)(void *arg, struct ledger *l, struct store *source,
	    struct store *target, struct engine_result *result);
	void *arg;
	/* A retry: what to look at, and the run that failed with it; else
	 * NULL and 0. */
	const struct pathset *only;
	uint64_t retry_of;
};

/* Returns the exit status. */
int sync_run(const struct options *o, const struct sync_order *order);

#endif
