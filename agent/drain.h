/* SPDX-License-Identifier: ISC */
/* Between runs, or beside them: what waits in outboxes is sent now. */
#ifndef AGENT_DRAIN_H
#define AGENT_DRAIN_H

#include "agent/webhook.h"

struct drain {
	const char *state_dir;
	char *const *tasks; /* names, NULL-terminated */
	uint64_t for_ms;    /* at most, for all of them */
	/* NULL: of nobody. */
	const char *revived;	/* as in struct dispatch_setup */
	dispatch_result_fn *fn; /* is told how each fared */
	void *arg;
	const atomic_bool *stop;
};

/* To the subscriptions of W, of which only those count that a task knows. */
int drain_outboxes(
    const struct webhook *w, const struct drain *d, struct err *e);

#endif
