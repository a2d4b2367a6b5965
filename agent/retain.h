/* SPDX-License-Identifier: ISC */
/*
 * How long events are kept: until everybody whom they concern has had them, and
 * for a look back after that; no longer than the limits allow, but then what
 * somebody hadn't had is a dead letter.
 */
#ifndef AGENT_RETAIN_H
#define AGENT_RETAIN_H

#include "agent/events/outbox.h"
#include "agent/ledger.h"

struct retain {
	const char *dir; /* of the task */
	uint64_t age_ms; /* of events that everybody had */
	uint64_t rows;	 /* of all, whoever waits for them; 0: any number */
	uint64_t bytes;	 /* likewise */
	/* The I-th subscription that is there, enabled or not; NULL: no more.
	 */
	const char *(*here)(void *arg, size_t i);
	const char *archive; /* NULL: none */
	/* Whether the subscription NAME wants an event: 1, 0, -1. */
	int (*wants)(void *arg, const char *name,
	    const struct outbox_event *event, struct err *e);
	void *arg;
};

/* Forgets what R says, between runs; ERR_BUSY at once where another process
 * keeps the outbox locked: there is a next time. */
int retain_events(const struct retain *r, struct ledger *l, struct err *e);

#endif
