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
/* The same by who tries again, or has somebody wait: another's lock is waited
 * for a second, not a minute; then it is ERR_BUSY. */
struct outbox *outbox_open_soon(const char *dir, bool write, struct err *e);
/* From here on ten seconds. */
void outbox_wait_more(struct outbox *o);
/* It will be opened again soon: closing it needn't write its log back, which
 * waits for the disk. */
void outbox_keep_log(struct outbox *o);
AUTO_DEFINE(outbox, struct outbox, outbox_close)

/*
 * Whoever sends deliveries owns them until the outbox is closed: one process
 * at a time.  1, 0 if another one does, -1.  Others may look, add, drive again
 * and drop; outbox_changed() tells that one of them did.
 */
int outbox_own(struct outbox *o, struct err *e);
/* Since it was asked last: 1, 0, -1. */
int outbox_changed(struct outbox *o, struct err *e);

int outbox_begin(struct outbox *o, struct err *e);
int outbox_commit(struct outbox *o, struct err *e);
void outbox_rollback(struct outbox *o);

/* Which deliveries wait for which; as subscription_ordering has it. */
enum outbox_ordering { OUTBOX_KEY, OUTBOX_NONE, OUTBOX_STRICT };

/* A subscription, or a replay of one, which has deliveries of its own. */
struct outbox_sub {
	int64_t id;
	char name[64];
	char replay[64]; /* "": it is none */
	enum outbox_ordering ordering;
	uint64_t routed;  /* events up to this have deliveries */
	uint64_t noticed; /* and notices */
	uint64_t live;	  /* deliveries under way or waiting */
	uint64_t delivered;
	uint64_t filtered;
	uint64_t dead; /* given up, ever */
	bool removed;  /* outbox_unsubscribe() */
};

#define OUTBOX_START_NOW INT64_MAX

/*
 * Fills SUB for the subscription NAME, which is made if it isn't there: it
 * begins where the ledger says that it began once, or with the first event
 * after START, which is all of them (0), or from now on (OUTBOX_START_NOW). The
 * owner only: what was under way when an earlier process ended is ready again,
 * and what waits does so as ORDERING says.
 */
int outbox_subscribe(struct outbox *o, const char *name,
    enum outbox_ordering ordering, uint64_t start, struct outbox_sub *sub,
    struct err *e);
/* The same for one of its replays, which outbox_replay_add() made. */
int outbox_resume(struct outbox *o, int64_t id, enum outbox_ordering ordering,
    struct outbox_sub *sub, struct err *e);
/* The last event before TIME_MS, or OUTBOX_START_NOW if none is later. */
int outbox_before(
    struct outbox *o, int64_t time_ms, uint64_t *seq, struct err *e);
/* Whether NAME has its place among the events: 1, 0, -1. */
int outbox_is_subscribed(struct outbox *o, const char *name, struct err *e);
/* Whether NAME has, or once had, deliveries: 1, 0, -1. */
int outbox_knows(struct outbox *o, const char *name, struct err *e);
/* Forgets deliveries and dead letters of NAME: if it is subscribed once more,
 * it begins anew. */
int outbox_unsubscribe(struct outbox *o, const char *name, struct err *e);
/* Writes counters and cursor back. */
int outbox_sub_save(
    struct outbox *o, const struct outbox_sub *sub, struct err *e);
/* What others changed of it. */
int outbox_sub_refresh(struct outbox *o, struct outbox_sub *sub, struct err *e);
/* The subscription or replay after ID (0: the first): 1, 0, -1. */
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
 * Makes deliveries of up to MAX events, of number UNTIL at most, that FILTER
 * wants and that come after SUB's cursor, which moves on; *SEEN is how many
 * events were looked at.  They wait for each other as SUB's ordering has it,
 * and the end of a run waits for all that happened in it.  With UNTIL 0 there
 * is no end, and notices (notice.h) about others come as well.
 */
struct outbox_routing {
	outbox_filter_fn *filter;
	void *arg;
	unsigned max;
	uint64_t until;
	int64_t now_ms;
	bool fresh; /* their age begins now */
};
int outbox_route(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_routing *how, unsigned *seen, struct err *e);
/* Whether there are events behind SUB's cursor: 1, 0, -1. */
int outbox_has_news(
    struct outbox *o, const struct outbox_sub *sub, struct err *e);

/* The greatest number of an event that was ever heard of here; 0. */
int outbox_newest(struct outbox *o, uint64_t *seq, struct err *e);

struct outbox_delivery {
	uint64_t seq;
	uint64_t run;
	unsigned attempts; /* this one included */
	int64_t since_ms;  /* from when on its age counts */
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

#define OUTBOX_BATCH_MAX 1000

/* Deliveries that go in one request, by their numbers. */
struct outbox_batch {
	struct outbox_delivery *items; /* malloc'd */
	size_t n;
};

void outbox_batch_clear(struct outbox_batch *b);

struct outbox_limits {
	size_t events; /* 1 to OUTBOX_BATCH_MAX */
	uint64_t bytes;
	int64_t wait_ms; /* for company */
	/* Called once for each that is taken, whose body may change.  1: *BYTES
	 * are its share, 0: it was given up, -1. */
	int (*measure)(
	    void *arg, struct outbox_delivery *d, size_t *bytes, struct err *e);
	void *arg;
};

/*
 * Takes deliveries that are due, and those of their keys that wait for nothing
 * else, as many as LIMITS has room for: 1 and *OUT; 0, -1.  They are sealed:
 * from now on they are taken together, whatever the limits are, until they are
 * done or dead, or outbox_batch_open().  If there is room for more, none are
 * taken before the first of them has waited; then it is 0, and *LATER_MS the
 * time.
 */
int outbox_claim_batch(struct outbox *o, struct outbox_sub *sub, int64_t now_ms,
    const struct outbox_limits *limits, struct outbox_batch *out,
    int64_t *later_ms, struct err *e);
/* Takes a batch apart whose first number is FIRST (0: all of them): it was
 * never tried. */
int outbox_batch_open(struct outbox *o, const struct outbox_sub *sub,
    uint64_t first, int64_t now_ms, struct err *e);

/* Of the first delivery that was tried and still waits, what came of the last
 * attempt: 1, *STATUS and TEXT, both of which may be none; 0, -1. */
int outbox_failure(struct outbox *o, const struct outbox_sub *sub, int *status,
    char *text, size_t size, struct err *e);
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

/* It was never sent, and no attempt: D is ready as before. */
int outbox_take_back(struct outbox *o, const struct outbox_sub *sub,
    const struct outbox_delivery *d, struct err *e);
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

/* Which dead letters. */
struct outbox_choice {
	const char *sub;    /* NULL: of any subscription */
	uint64_t seq;	    /* 0: of any event */
	const char *reason; /* NULL: for any reason */
};
/* Dead letters become deliveries again, with the same ids and an age of 0, RATE
 * of them a second from NOW_MS on, or all at once if that is 0; *N is how many.
 * Not those whose event is gone ("retention", "lost"). */
int outbox_redrive(struct outbox *o, const struct outbox_choice *which,
    int64_t now_ms, uint64_t rate, uint64_t *n, struct err *e);
/* Or are forgotten. */
int outbox_dead_drop(struct outbox *o, const struct outbox_choice *which,
    uint64_t *n, struct err *e);

struct outbox_letter {
	const char *sub;    /* strings are valid during the call */
	const char *replay; /* "": of the subscription itself */
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
int outbox_dead_letters(struct outbox *o, const struct outbox_choice *which,
    outbox_letter_fn *fn, void *arg, struct err *e);
int outbox_attempts(struct outbox *o, const struct outbox_choice *which,
    outbox_letter_fn *fn, void *arg, struct err *e);

/* How far a subscription, or a replay of it, is. */
struct outbox_status {
	uint64_t waiting;  /* deliveries, also those that are under way */
	uint64_t retrying; /* of them: tried at least once */
	uint64_t dead;	   /* letters that are kept */
	uint64_t lag;	   /* events behind its cursor, wanted or not */
	int64_t oldest_ms; /* time of the oldest of all these; 0: none */
};
int outbox_status(struct outbox *o, const struct outbox_sub *sub,
    struct outbox_status *out, struct err *e);

/* Events after SEQ, in order: of the ledger, or notices. */
typedef int outbox_event_fn(
    void *arg, const struct outbox_event *event, struct err *e);
int outbox_events(struct outbox *o, uint64_t seq, outbox_event_fn *fn,
    void *arg, struct err *e);
int outbox_notices(struct outbox *o, uint64_t seq, outbox_event_fn *fn,
    void *arg, struct err *e);

#endif
