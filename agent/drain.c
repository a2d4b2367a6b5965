/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/drain.h"

int
drain_outboxes(const struct webhook *w, const struct drain *d, struct err *e)
{
	struct dispatch_setup setup = {
	    .state_dir = d->state_dir,
	    .tasks = (const char *const *)d->tasks,
	    .claims = webhook_claims(w),
	    .drains = true,
	    .revived = d->revived,
	};
	struct dispatch *dispatch;

	while (d->tasks[setup.tasks_n] != NULL)
		setup.tasks_n++;
	setup.subscriptions = webhook_subscriptions(w, &setup.subscriptions_n);
	dispatch = dispatch_start(&setup, e);
	if (dispatch == NULL)
		return -1;
	dispatch_end(dispatch, d->for_ms, d->stop, d->fn, d->arg);
	return 0;
}
