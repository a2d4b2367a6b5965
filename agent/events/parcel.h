/* SPDX-License-Identifier: ISC */
/*
 * What goes out in one request: an event, or a batch of them, taken from an
 * outbox and put into the format of a subscription.
 */
#ifndef AGENT_EVENTS_PARCEL_H
#define AGENT_EVENTS_PARCEL_H

#include "agent/events/cloudevent.h"
#include "agent/events/outbox_replay.h"
#include "agent/events/subscription.h"

/* Of an event, or "bat_", two sequences and a digest. */
#define PARCEL_ID_MAX (CLOUDEVENT_ID_MAX + 16)

struct parcel {
	struct outbox_batch events; /* by their numbers */
	char id[PARCEL_ID_MAX];	    /* the same in each attempt */
	const char *body;	    /* of the event, or made */
	size_t len;
	char *made;   /* malloc'd, or NULL */
	bool claimed; /* data must be at the claim check before it goes */
};

void parcel_clear(struct parcel *p);

static inline void
auto_parcel(struct parcel *p)
{
	parcel_clear(p);
}

/* The event SEQ alone, as S is sent it; fails also if it is too large. */
int parcel_of(struct parcel *p, const struct subscription *s, uint64_t seq,
    const char *body, size_t len, struct err *e);

struct parcel_order {
	const struct subscription *subscription;
	struct outbox *outbox;
	struct outbox_sub *sub;
	const char *task;
	const struct outbox_replay *replay; /* that gives new ids; NULL: none */
	size_t most;			    /* events in a batch */
	bool hurry;			    /* no batch waits for more */
	int64_t now_ms;
};

/*
 * Within a transaction: takes what is due next and fills P: 1; 0 if nothing
 * is, and *LATER_MS is when a batch is to go that waits for more, or 0; -1.
 * What is too large to be sent is dead.
 */
int parcel_claim(const struct parcel_order *order, struct parcel *p,
    int64_t *later_ms, struct err *e);

#endif
