/* SPDX-License-Identifier: ISC */
/* How deliveries fared, in words. */
#include "config.h"

#include <stdio.h>

#include "agent/webhook.h"
#include "base/log.h"

/* Of a replay its name, too. */
static void
name_of(const struct stream_result *r, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", r->name,
	    r->replay[0] != '\0' ? ", replay " : "", r->replay);
}

static void
say_state(const struct stream_result *r, const char *name)
{
	if (r->state == CONTROL_PAUSED)
		log_warn("events: %s is paused (%s): dray subscriptions resume "
			 "%s",
		    name, r->reason, r->name);
	else if (r->state == CONTROL_DISABLED)
		log_warn("events: %s is disabled (%s): dray subscriptions "
			 "enable %s",
		    name, r->reason, r->name);
}

void
webhook_say(void *arg, const struct stream_result *r)
{
	char name[200];

	(void)arg;
	if (r->name == NULL) {
		log_warn("events: task %s: %s", r->task, r->last.msg);
		return;
	}
	name_of(r, name, sizeof(name));
	if (r->delivered > 0)
		log_info("events: %llu delivered to %s",
		    (unsigned long long)r->delivered, name);
	say_state(r, name);
	if (r->dead > 0)
		log_warn("events: %llu to %s were given up; see dray events "
			 "dead",
		    (unsigned long long)r->dead, name);
	if (r->waiting > 0 || r->unrouted)
		log_warn("events: %llu%s to %s are not delivered; the next run "
			 "of this task goes on, or dray events drain (%s)",
		    (unsigned long long)r->waiting,
		    r->unrouted ? " and more" : "", name, r->last.msg);
}
