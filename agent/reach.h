/* SPDX-License-Identifier: ISC */
/* Reaching a store for the first time in a run. */
#ifndef AGENT_REACH_H
#define AGENT_REACH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "transfer/retry.h"
#include "transfer/store.h"

struct reach_options {
	bool create;	   /* make the directory if it is missing */
	bool checksum;	   /* find out which checksum the store verifies */
	unsigned attempts; /* of a store that answers, but can't serve now */
	const atomic_bool *stop;
};

/*
 * Probes the store, again as long as that makes sense.  A store that doesn't
 * answer at all gets three tries only: the name is most likely wrong.
 */
int reach_store(struct store *s, const struct reach_options *o,
    struct store_probe *out, struct err *e);

/* Sleeps; false at once if *STOP is set meanwhile. */
bool reach_pause(int64_t ms, const atomic_bool *stop);

#endif
