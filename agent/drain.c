/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/drain.h"
#include "base/clock.h"

/* Tasks at a time: each takes two databases and a lock. */
#define TASKS_MAX 64

/* The first of TASKS, TASKS_MAX at most; *N is how many. */
static int
drain_some(const struct webhook *w, const struct drain *d, char *const *tasks,
    size_t n, uint64_t ms, struct err *e)
{
	struct dispatch_setup setup = {
	    .state_dir = d->state_dir,
	    .tasks = (const char *const *)tasks,
	    .tasks_n = n,
	    .claims = webhook_claims(w),
	    .drains = true,
	    .revived = d->revived,
	};
	struct dispatch *dispatch;

	setup.subscriptions = webhook_subscriptions(w, &setup.subscriptions_n);
	dispatch = dispatch_start(&setup, e);
	if (dispatch == NULL)
		return -1;
	dispatch_end(dispatch, ms, d->stop, d->fn, d->arg);
	return 0;
}

int
drain_outboxes(const struct webhook *w, const struct drain *d, struct err *e)
{
	uint64_t end = clock_mono_ms() + d->for_ms;
	char *const *tasks = d->tasks;
	size_t n;

	while (*tasks != NULL) {
		uint64_t now = clock_mono_ms();

		for (n = 0; n < TASKS_MAX && tasks[n] != NULL; n++)
			;
		/* Also those that there is no time for are to be told of. */
		if (drain_some(w, d, tasks, n, end > now ? end - now : 0, e) ==
		    -1)
			return -1;
		tasks += n;
	}
	return 0;
}
