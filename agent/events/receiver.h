/* SPDX-License-Identifier: ISC */
/*
 * Who gets the requests of a subscription, and how it does: concurrency, rate,
 * breaker, Retry-After, and whether it is to get any at all.  All streams of a
 * dispatcher that belong to one subscription share it, and through shared.h
 * those of other processes.  It knows no database and no clock: it is told the
 * time.
 */
#ifndef AGENT_EVENTS_RECEIVER_H
#define AGENT_EVENTS_RECEIVER_H

#include "agent/events/control.h"
#include "agent/events/shared.h"
#include "agent/events/subscription.h"

/* RATE requests a second, BURST at once.  What was begun is spent, up to the
 * time SPENT_NS. */
struct bucket {
	uint64_t rate; /* 0: any */
	uint64_t burst;
};

struct bucket bucket_new(uint64_t rate, uint64_t burst);
/* How many may be begun at MONO_MS, MOST at most. */
unsigned bucket_room(
    const struct bucket *b, uint64_t spent_ns, uint64_t mono_ms, unsigned most);
/* False if there is none. */
bool bucket_take(const struct bucket *b, uint64_t *spent_ns, uint64_t mono_ms);

struct sender;

struct receiver {
	const struct subscription *subscription;
	struct sender *sender;	      /* borrowed */
	struct control_entry control; /* as decided last */
	struct bucket bucket;
	uint64_t concurrency;  /* at most as the subscription has it */
	unsigned up;	       /* requests without an answer, of ours */
	struct shared shared;  /* with other processes */
	uint64_t crowded_ms;   /* by clock_mono_ms(): these had all places */
	int64_t fail_since_ms; /* 0: the last request was taken */
	bool answered;	       /* a request of ours */
	bool undecided;	       /* control has a state that is not written yet */
};

void receiver_init(
    struct receiver *r, const struct subscription *s, struct sender *sender);

/* What its answers led to is forgotten, but for how long it wants nothing. */
void receiver_begin_anew(struct receiver *r);
/* Others decided so. */
void receiver_decided(struct receiver *r, const struct control_entry *entry);

static inline bool
receiver_is_active(const struct receiver *r)
{
	return r->control.state == CONTROL_ACTIVE;
}

/* Requests that may be begun now. */
unsigned receiver_room(struct receiver *r, int64_t now_ms, uint64_t mono_ms);
/* One is begun; false if other processes have begun too many meanwhile. */
bool receiver_take(struct receiver *r, uint64_t mono_ms);
/* It has its answer. */
void receiver_give_back(struct receiver *r);
/* It was never begun. */
void receiver_take_back(struct receiver *r);
/* Until when it gets nothing, by its answers; 0: it gets all. */
int64_t receiver_hold_until(const struct receiver *r, int64_t now_ms);

/*
 * What VERDICT about an answer says of the receiver.  True if it stops getting
 * anything: control then tells why, and is to be written.
 */
bool receiver_judge(struct receiver *r, const struct policy_verdict *verdict,
    int64_t now_ms, uint64_t random);
/* It is to get nothing more until somebody says so. */
void receiver_stop(struct receiver *r, enum control_state state,
    const char *reason, int64_t now_ms);

#endif
