/* SPDX-License-Identifier: ISC */
/*
 * The deliveries of one subscription: what is under way, how its receiver
 * does.  A stream has no thread: dispatch.c runs all of a task's in one.
 */
#ifndef AGENT_EVENTS_STREAM_H
#define AGENT_EVENTS_STREAM_H

#include "agent/events/keeper.h"
#include "agent/events/outbox_replay.h"
#include "agent/events/receiver.h"
#include "transfer/http_many.h"

struct stream;

/* Within a transaction.  What is borrowed must stay. */
struct stream_setup {
	struct receiver *receiver;
	struct outbox *outbox;
	const char *task;
	const struct outbox_replay *replay; /* NULL: of the events themselves */
	struct http_many *http;		    /* woken when there is work */
	const struct keeper_store *claims;  /* where claim checks are */
};
struct stream *stream_new(const struct stream_setup *setup, struct err *e);
/* After HTTP's requests were dropped. */
void stream_free(struct stream *s);
AUTO_DEFINE(stream, struct stream, stream_free)

/* Whether a transaction is worth it now. */
bool stream_has_work(struct stream *s);
/* Whether something is due that only waits for a place, or a rate. */
bool stream_is_crowded(struct stream *s);
/*
 * Within a transaction: what landed is settled, new events get deliveries,
 * those that are due are claimed.  *BUSY: there is more of that at once.
 */
int stream_transact(struct stream *s, bool *busy, struct err *e);
/* The transaction was committed: what was claimed is sent. */
void stream_committed(struct stream *s);
/* It was not: nothing of it has happened. */
void stream_rolled_back(struct stream *s);

/* What is at its claim check by now goes out. */
void stream_collect(struct stream *s);
/* An answer to the request TAG of a stream's: a sender_landed_fn. */
void stream_land(void *tag, const struct http_many_reply *reply);

/* The replay that it sends; 0: none. */
int64_t stream_replay(const struct stream *s);
/* Whether all of a replay has been sent. */
bool stream_is_over(const struct stream *s);
/* Looks what others changed. */
int stream_refresh(struct stream *s, struct err *e);

/* Requests under way, or answers to be settled. */
bool stream_is_up(const struct stream *s);
/* No batch waits for more events any longer. */
void stream_hurry(struct stream *s);
/* Nothing more is begun. */
void stream_close(struct stream *s);
/* Nor brought to a claim check: it has no thread any longer. */
void stream_end(struct stream *s);
/* Whether nothing is left that could be begun in the next MS. */
bool stream_rests(struct stream *s, uint64_t ms);

struct stream_result {
	const char *task;
	const char *name;	  /* of the subscription; NULL: see last */
	const char *replay;	  /* "": none */
	enum control_state state; /* and why: */
	const char *reason;
	uint64_t delivered; /* by this stream */
	uint64_t dead;
	uint64_t waiting;
	bool unrouted;	 /* there are events behind what waits */
	struct err last; /* why not all is delivered; ERR_NONE if it is */
};

/* It is valid as long as S. */
void stream_sum_up(struct stream *s, struct stream_result *out);

#endif
