/* SPDX-License-Identifier: ISC */
/* One run of a task, as sync, copy and retry ask for it. */
#ifndef AGENT_CLI_SYNC_H
#define AGENT_CLI_SYNC_H

#include "agent/options.h"
#include "transfer/pathset.h"

struct sync_order {
	const char *source;
	const char *target;
	/* A retry: what to look at, and the run that failed with it; else
	 * NULL and 0. */
	const struct pathset *only;
	uint64_t retry_of;
};

/* Returns the exit status. */
int sync_run(const struct options *o, const struct sync_order *order);

#endif
