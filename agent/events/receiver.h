/* SPDX-License-Identifier: ISC */
/*
 * Who gets the requests of a subscription, and how it does: concurrency, rate,
 * breaker, Retry-After, and whether it is to get any at all.  All streams of a
 * dispatcher that belong to one subscription share it.  It knows no database
 * and no clock: it is told the time.
 */
#ifndef AGENT_EVENTS_RECEIVER_H
#define AGENT_EVENTS_RECEIVER_H

#include "agent/events/control.h"
#include "agent/events/subscription.h"

/* Requests that may be begun, in thousandths; holds BURST of them. */
struct bucket {
	uint64_t rate; /* a second; 0: any */
	uint64_t burst;
	uint64_t tokens;
	uint64_t filled_ms;
};

struct bucket bucket_new(uint64_t rate, uint64_t burst);
/* How many may be begun at MONO_MS, MOST at most. */
unsigned bucket_room(struct bucket *b, uint64_t mono_ms, unsigned most);
void bucket_take(struct bucket *b);

struct sender;

struct receiver {
	const struct subscription *subscription;
	struct sender *sender;	      /* borrowed */
	struct control_entry control; /* as decided last */
	struct bucket bucket;
	uint64_t concurrency;  /* at most as the subscription has it */
	unsigned up;	       /* requests without an answer */
	int64_t hold_until_ms; /* by Retry-After or the breaker */
	unsigned fails;	       /* in a row */
	unsigned opens;	       /* of the breaker, in a row */
	int64_t fail_since_ms; /* 0: the last request was taken */
	bool undecided;	       /* control has a state that is not written yet */
};

void receiver_init(
    struct receiver *r, const struct subscription *s, struct sender *sender);

/* Others decided so. */
void receiver_decided(struct receiver *r, const struct control_entry *entry);

static inline bool
receiver_is_active(const struct receiver *r)
{
	return r->control.state == CONTROL_ACTIVE;
}

/* Requests that may be begun now. */
unsigned receiver_room(struct receiver *r, int64_t now_ms, uint64_t mono_ms);
void receiver_take(struct receiver *r);
/* It has its answer, or was never begun. */
void receiver_give_back(struct receiver *r);

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
