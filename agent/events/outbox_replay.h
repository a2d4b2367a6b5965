/* SPDX-License-Identifier: ISC */
/*
 * Replays: events of the past that a subscription gets once more.  A replay is
 * a cursor over the log with a beginning and an end, and deliveries of its
 * own; nothing is copied.  Its row stays, for those who ask, when it is over.
 */
#ifndef AGENT_EVENTS_OUTBOX_REPLAY_H
#define AGENT_EVENTS_OUTBOX_REPLAY_H

#include "agent/events/outbox.h"

#define OUTBOX_REPLAY_NAME_MAX 60

struct outbox_replay {
	int64_t id; /* of its outbox_sub */
	char sub[64];
	char name[64];
	char state[16];		/* "active", "done", "cancelled" */
	char *pattern;		/* malloc'd; "": all events */
	int64_t from_ms, to_ms; /* before TO_MS */
	uint64_t until;		/* the last event that is in it */
	bool new_ids;
	uint64_t rate;	  /* a second; 0: as the subscription has it */
	uint64_t waiting; /* deliveries, of events driven again as well */
	uint64_t made_us; /* tells its ids from those of any other replay */
};

void outbox_replay_clear(struct outbox_replay *r);
static inline void
auto_outbox_replay(struct outbox_replay *r)
{
	outbox_replay_clear(r);
}

/*
 * Adds a replay of what R says; *N is how many events are in its time, wanted
 * or not: for none of them nothing is added.  ERR_EXISTS if there is one of
 * the name.
 */
int outbox_replay_add(struct outbox *o, const struct outbox_replay *r,
    uint64_t *n, struct err *e);
/* The replay after ID (0: the first), in place of what was in *OUT: 1, 0,
 * -1. */
int outbox_replay_next(
    struct outbox *o, int64_t id, struct outbox_replay *out, struct err *e);
/* It is over, as STATE says: nothing of it waits any more. */
int outbox_replay_end(
    struct outbox *o, int64_t id, const char *state, struct err *e);

#endif
