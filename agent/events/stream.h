/* SPDX-License-Identifier: ISC */
/*
 * The deliveries of one subscription: what is under way, how its receiver
 * does.  A stream has no thread: dispatch.c runs all of a task's in one.
 */
#ifndef AGENT_EVENTS_STREAM_H
#define AGENT_EVENTS_STREAM_H

#include "agent/events/outbox.h"
#include "agent/events/subscription.h"
#include "transfer/http_many.h"

struct stream;

/* What is borrowed must stay.  It begins after event START, if OUTBOX doesn't
 * know how far it is. */
struct stream *stream_new(const struct subscription *s, uint64_t start,
    struct outbox *outbox, struct http_many *http, struct err *e);
/* After HTTP's requests were dropped. */
void stream_free(struct stream *s);
AUTO_DEFINE(stream, struct stream, stream_free)

/* Whether a transaction is worth it now. */
bool stream_has_work(struct stream *s);
/*
 * Within a transaction: what landed is settled, new events get deliveries,
 * those that are due are claimed.  *BUSY: there is more of that at once.
 */
int stream_transact(struct stream *s, bool *busy, struct err *e);
/* The transaction was committed: what was claimed is sent. */
void stream_committed(struct stream *s);
/* It was not: nothing of it has happened. */
void stream_rolled_back(struct stream *s);

/* Requests under way, or answers to be settled. */
bool stream_is_up(const struct stream *s);
/* Nothing more is begun. */
void stream_close(struct stream *s);
/* Whether nothing is left that could be begun in the next MS. */
bool stream_rests(struct stream *s, uint64_t ms);

struct stream_result {
	const struct subscription *subscription;
	struct outbox_sub sub; /* how far it is in all */
	uint64_t delivered;    /* by this stream */
	uint64_t dead;
	bool unrouted;	 /* there are events behind what waits */
	struct err last; /* the last failure, ERR_NONE if there was none */
};

void stream_sum_up(struct stream *s, struct stream_result *out);

#endif
