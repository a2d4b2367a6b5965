/* SPDX-License-Identifier: ISC */
/*
 * The archive's side of an outbox: which events go into which object.  A
 * segment is sealed before its object is stored, and forgotten afterwards: so
 * whoever stores it again, after whatever crash, writes the same bytes over
 * the same object.
 */
#ifndef AGENT_EVENTS_OUTBOX_ARCHIVE_H
#define AGENT_EVENTS_OUTBOX_ARCHIVE_H

#include "agent/events/outbox.h"

/* How far an archive is. */
struct outbox_archive {
	int64_t id;
	uint64_t routed;  /* events up to this are in segments */
	uint64_t objects; /* stored, ever, with so many events */
	uint64_t events;
	uint64_t dropped; /* events that were too many to be kept for it */
};

/* Fills A for the archive NAME, which is made if it isn't there: it begins with
 * the first event after START. */
int outbox_archive_find(struct outbox *o, const char *name, uint64_t start,
    struct outbox_archive *a, struct err *e);
int outbox_archive_save(
    struct outbox *o, const struct outbox_archive *a, struct err *e);

struct outbox_segment {
	uint64_t first, last; /* events, of those that PATTERN takes */
	uint64_t events;
	int64_t time_ms; /* of the first */
	char *object;	 /* the key that it is stored as */
	char *pattern;	 /* "" for all; the one that it was sealed with */
};

void outbox_segment_clear(struct outbox_segment *s);
static inline void
auto_outbox_segment(struct outbox_segment *s)
{
	outbox_segment_clear(s);
}

/* Commits survive a crash of the system from now on, too. */
int outbox_be_durable(struct outbox *o, struct err *e);

int outbox_segment_seal(struct outbox *o, const struct outbox_archive *a,
    const struct outbox_segment *s, struct err *e);
/* The oldest of A that isn't stored yet: 1 and *OUT, which is the caller's;
 * 0, -1. */
int outbox_segment_next(struct outbox *o, const struct outbox_archive *a,
    struct outbox_segment *out, struct err *e);
/* It is stored. */
int outbox_segment_drop(struct outbox *o, const struct outbox_archive *a,
    const struct outbox_segment *s, struct err *e);

/* Up to MAX events after AFTER, to LAST; FN's 1 ends it before that event.
 * *N: how many FN took. */
int outbox_events_between(struct outbox *o, uint64_t after, uint64_t last,
    unsigned max, outbox_event_fn *fn, void *arg, unsigned *n, struct err *e);

#endif
