/* SPDX-License-Identifier: ISC */
/*
 * The outbox: which events are on their way to which subscription.  A task's
 * events are rows of its ledger, written there in the very transactions that
 * tell what happened; they are only read here.  How far each subscription is
 * stands in a database beside it, deliveries.db, so that whoever delivers and
 * whoever transfers never wait for each other.  If that database is lost,
 * events are sent again, not lost: where a subscription began is in the ledger.
 *
 * Its commits survive a crash of the process, and perhaps not one of the
 * system: then events are sent twice.  One thread uses an outbox; all that is
 * written goes into a transaction, from outbox_begin() to outbox_commit().
 */
#ifndef AGENT_EVENTS_OUTBOX_H
#define AGENT_EVENTS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

/* Deliveries of a subscription that are held at a time; the rest waits as
 * events. */
#define OUTBOX_WINDOW 10000

struct outbox;

/* Of the task whose ledger is in DIR.  For writing it is made if missing;
 * for reading ERR_NOTFOUND. */
struct outbox *outbox_open(const char *dir, bool write, struct err *e);
void outbox_close(struct outbox *o);
AUTO_DEFINE(outbox, struct outbox, outbox_close)

int outbox_begin(struct outbox *o, struct err *e);
int outbox_commit(struct outbox *o, struct err *e);
void outbox_rollback(struct outbox *o);

struct outbox_sub {
	int64_t id;
	char name[64];
	char state[16];	       /* "active" or "disabled" */
	char reason[64];       /* of that */
	uint64_t routed;       /* events up to this have deliveries */
	int64_t fail_since_ms; /* nothing has been taken since; 0: it has */
	uint64_t live;	       /* deliveries under way or waiting */
	uint64_t delivered;
	uint64_t filtered;
	uint64_t dead;
};

/*
 * Fills SUB for the subscription NAME, which is made if it isn't there: it
 * begins with the first event after START.  What was under way when an earlier
 * process ended is ready again, and a disabled subscription is active again.
 */
int outbox_subscribe(struct outbox *o, const char *name, uint64_t start,
    struct outbox_sub *sub, struct err *e);
/* Writes state, reason, counters and cursor back. */
int outbox_sub_save(
    struct outbox *o, const struct outbox_sub *sub, struct err *e);
/* The subscription after ID (0: the first): 1, 0, -1. */
int outbox_sub_next(
    struct outbox *o, int64_t id, struct outbox_sub *sub, struct err *e);

struct outbox_event {
	uint64_t seq;
	int64_t time_ms;
	const char *body; /* JSON; valid during the call */
	size_t len;
};

/* 1: wanted, 0: not, -1. */
typedef int outbox_filter_fn(
    void *arg, const struct outbox_event *event, struct err *e);

/*
 * Makes deliveries of up to MAX events that FILTER wants and that come after
 * SUB's cursor, which moves on; *SEEN is how many events were looked at.
 * Events of one key wait for each other, and the end of a run waits for all
 * that happened in it.
 */
int outbox_route(struct outbox *o, struct outbox_sub *sub,
    outbox_filter_fn *filter, void *arg, unsigned max, int64_t now_ms,
    unsigned *seen, struct err *e);
/* Whether there are events behind SUB's cursor: 1, 0, -1. */
int outbox_has_news(
    struct outbox *o, const struct outbox_sub *sub, struct err *e);

struct outbox_delivery {
	uint64_t seq;
	uint64_t run;
	unsigned attempts; /* this one included */
	int64_t time_ms;   /* of the event */
	char *key;	   /* malloc'd */
	char *body;	   /* malloc'd */
	size_t len;
};

void outbox_delivery_clear(struct outbox_delivery *d);

/*
 * Takes the delivery that is due next, as under way: 1 and *OUT, 0 if none is,
 * -1.  The attempt counts from here on: commit, then send.  What only a ledger
 * had that was lost is dead.
 */
int outbox_claim(struct outbox *o, struct outbox_sub *sub, int64_t now_ms,
    struct outbox_delivery *out, struct err *e);
/* When the next one is due, 0 if nothing waits; -1. */
int64_t outbox_due(
    struct outbox *o, const struct outbox_sub *sub, struct err *e);

/* What became of an attempt.  STATUS is HTTP's, 0 for none, ERROR why. */
struct outbox_outcome {
	int64_t at_ms;
	uint64_t took_ms;
	int status;
	const char *error;
};

/* It arrived: what waited for it may go. */
int outbox_done(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    struct err *e);
/* It is due again at NEXT_MS. */
int outbox_retry(struct outbox *o, const struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    int64_t next_ms, struct err *e);
/* Nobody tries it any more, until it is redriven. */
int outbox_dead(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    const char *reason, struct err *e);

/* Dead letters become deliveries again, with the same ids: of subscription
 * SUB (0: any) and event SEQ (0: any).  *N is how many. */
int outbox_redrive(struct outbox *o, int64_t sub, uint64_t seq, int64_t now_ms,
    uint64_t *n, struct err *e);

struct outbox_letter {
	const char *sub; /* strings are valid during the call */
	uint64_t seq;
	int64_t at_ms;
	const char *reason; /* why it is dead; "" for an attempt that isn't */
	unsigned attempts;
	int status;
	const char *error;
	uint64_t took_ms; /* of an attempt */
};
typedef int outbox_letter_fn(
    void *arg, const struct outbox_letter *l, struct err *e);

/* All dead letters, or the attempts that are kept, oldest first. */
int outbox_dead_letters(
    struct outbox *o, outbox_letter_fn *fn, void *arg, struct err *e);
int outbox_attempts(
    struct outbox *o, outbox_letter_fn *fn, void *arg, struct err *e);

/* Events after SEQ, in order. */
typedef int outbox_event_fn(
    void *arg, const struct outbox_event *event, struct err *e);
int outbox_events(struct outbox *o, uint64_t seq, outbox_event_fn *fn,
    void *arg, struct err *e);

#endif
