/* SPDX-License-Identifier: ISC */
/* Inside of a stream.  For agent/events/stream*.c only. */
#ifndef AGENT_EVENTS_STREAM_IN_H
#define AGENT_EVENTS_STREAM_IN_H

#include "agent/events/parcel.h"
#include "agent/events/stream.h"
#include "base/clock.h"

enum flight_state {
	FLIGHT_FREE,
	FLIGHT_CLAIMED,
	FLIGHT_CHECKED_IN, /* its data is on the way to the claim check */
	FLIGHT_KEPT,	   /* and is there: it may go */
	FLIGHT_UP,
	FLIGHT_LANDED,
};

/* A request, from its claim to the transaction that settles it. */
struct flight {
	enum flight_state state;
	struct stream *stream;
	struct parcel parcel;
	struct policy_answer answer;
	struct policy_verdict verdict;
	bool halves;  /* it was too much at once */
	bool stops;   /* the receiver gets nothing more from here on */
	bool put_off; /* it never left, and is not to for now */
	uint64_t took_ms;
	char error[400];
};

struct stream {
	const struct subscription *subscription;
	struct receiver *receiver;
	struct outbox *outbox;
	const char *task;
	/* Of a replay; its own pattern is NULL for all. */
	struct outbox_replay replay;
	struct pattern *pattern;
	struct bucket bucket; /* of a replay */
	uint64_t spent_ns;
	struct keeper *keeper;	/* NULL: no data goes to a claim check */
	size_t batch_most;	/* events; fewer once that was too much */
	int64_t batch_later_ms; /* an unfinished one is to go then; 0: none */
	/* Twice concurrency: where one landed is free only once that has been
	 * committed, and others are claimed in the same transaction. */
	struct flight *flights;
	uint64_t flights_n;
	unsigned claimed; /* of them: not FREE */
	unsigned kept;	  /* of these: KEPT */
	bool closing;
	bool hurries; /* no batch waits for more */
	uint64_t random;

	/* What a transaction changes, and as it was before. */
	struct outbox_sub sub, sub_before, sub_first;
};

static inline int64_t
now_ms(void)
{
	return clock_wall_ns() / 1000000;
}

/* stream_flight.c */
/* F was claimed, and that is committed: it goes, or its data does first. */
void stream_launch(struct stream *s, struct flight *f);
/* F, whose data may be at its claim check, doesn't go for now. */
void stream_put_off(struct flight *f);
/* Within a transaction: writes down what became of F. */
int stream_settle(
    struct stream *s, struct flight *f, int64_t now, struct err *e);

#endif
