/* SPDX-License-Identifier: ISC */
/* What dray events can do about what was told, or wasn't. */
#ifndef AGENT_CLI_EVENTS_VERBS_H
#define AGENT_CLI_EVENTS_VERBS_H

#include "agent/events/outbox.h"
#include "agent/options.h"

/* ARGV are the ARGC words behind the verb. */
typedef int events_fn(
    const struct options *o, int argc, char **argv, struct err *e);

/* events_look.c */
events_fn events_tail;
events_fn events_show;
events_fn events_attempts;
events_fn events_dead; /* list, show, drop */

/* How they are sent, where no run is under way. */
#define EVENTS_NEXT \
	"a run under way sends them, or the next one, or dray events drain"

/* events_replay.c */
events_fn events_replay;

/* events_send.c */
events_fn events_redrive;
events_fn events_drain;

/* Which deliveries the options ask for, and ID, which may be NULL. */
int events_choose(const struct options *o, const char *id,
    struct outbox_choice *out, struct err *e);

#endif
