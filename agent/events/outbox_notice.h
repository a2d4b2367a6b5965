/* SPDX-License-Identifier: ISC */
/*
 * Notices: events about deliveries, for all subscriptions but the one that
 * they are about.  They are rows of deliveries.db, written in the transaction
 * in which what they tell becomes true, and routed beside the ledger's events:
 * the ledger belongs to the coordinator of a run, and must never wait for
 * whoever delivers, who may be a process without a run.  If they were handed
 * over to the ledger instead, those that a receiver's failure between two runs
 * gives rise to would be told in the next run only.  Two logs can't share a
 * sequence, so notices have a source of their own, which a lost deliveries.db
 * takes with it, and numbers that no event reaches.
 */
#ifndef AGENT_EVENTS_OUTBOX_NOTICE_H
#define AGENT_EVENTS_OUTBOX_NOTICE_H

#include "agent/events/outbox.h"

struct outbox_notice {
	const char *task;
	const struct outbox_sub *about;
	int64_t now_ms;
	const char *reason;
};

/* Within a transaction: the subscription gets no more.  STATE is what it is
 * from now on. */
int outbox_notice_stopped(struct outbox *o, const struct outbox_notice *n,
    const char *state, struct err *e);
/* Delivery D was given up; told once an hour of each subscription. */
int outbox_notice_dead(struct outbox *o, const struct outbox_notice *n,
    const struct outbox_delivery *d, int status, struct err *e);
/* Forgets those of before BEFORE_MS that nobody waits for. */
int outbox_notice_prune(struct outbox *o, int64_t before_ms, struct err *e);

#endif
