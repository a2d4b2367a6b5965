/* SPDX-License-Identifier: ISC */
/*
 * How long events have to be kept: who may still ask for them.  Whoever was
 * last seen before SEEN_MS isn't waited for.
 */
#ifndef AGENT_EVENTS_OUTBOX_KEEP_H
#define AGENT_EVENTS_OUTBOX_KEEP_H

#include "agent/events/outbox.h"

/* Of reason "retention" or "lost", in a task. */
#define OUTBOX_KEEP_LETTERS 100000

/* All have gone past the events before *SEQ, but for those that something
 * refers to. */
int outbox_keep_passed(
    struct outbox *o, int64_t seen_ms, uint64_t *seq, struct err *e);
/* The first event from FROM on that a delivery or a dead letter refers to;
 * INT64_MAX if there is none. */
int outbox_keep_referred(struct outbox *o, int64_t seen_ms, uint64_t from,
    uint64_t *seq, struct err *e);

/* The subscription NAME is here at NOW_MS, though it may get nothing. */
int outbox_keep_seen(
    struct outbox *o, const char *name, int64_t now_ms, struct err *e);
/* The same for an archive. */
int outbox_keep_archive_seen(
    struct outbox *o, const char *name, int64_t now_ms, struct err *e);

/* By it everybody was seen, but for those that were removed. */
#define OUTBOX_KEEP_EVER 1

struct outbox_abandon {
	/* Whom it is about: last seen from SEEN_MS on and before GONE_MS. */
	int64_t seen_ms;
	int64_t gone_ms;
	bool letters_too; /* what is dead is not kept any longer, either */
	int64_t now_ms;
	/* Whether the subscription NAME wants an event: 1, 0, -1. */
	int (*wants)(void *arg, const char *name,
	    const struct outbox_event *event, struct err *e);
	void *arg;
	/* What came of it: */
	uint64_t letters;
	uint64_t not_archived;
};

/*
 * Nobody is waited for any longer with events before *CUT, which goes down a
 * little where a segment of an archive would have been cut in two: whatever
 * wasn't delivered is a dead letter, "retention".  Within a transaction of the
 * outbox's owner.
 */
int outbox_keep_abandon(
    struct outbox *o, struct outbox_abandon *how, uint64_t *cut, struct err *e);

/* Dead letters that nothing can be done about are forgotten: those from before
 * BEFORE_MS, and all but the last OUTBOX_KEEP_LETTERS. */
int outbox_keep_prune(struct outbox *o, int64_t before_ms, struct err *e);

#endif
