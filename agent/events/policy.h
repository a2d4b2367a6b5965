/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a delivery after an answer: the one policy.  Pure.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
#ifndef AGENT_EVENTS_POLICY_H
#define AGENT_EVENTS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_HOLD_MAX_MS 3600000 /* no receiver may ask for a longer rest */
#define POLICY_SCHEDULE_MAX 32
#define POLICY_PERMANENT_MAX 16

struct policy {
	uint64_t base_ms; /* the first wait is up to this */
	uint64_t cap_ms;  /* no wait is longer */
	/* Instead of these: the waits themselves, give or take a fifth; the
	 * last one again and again. */
	uint64_t schedule_ms[POLICY_SCHEDULE_MAX];
	unsigned schedule_n;
	uint64_t max_age_ms;
	unsigned max_attempts; /* 0: any */
	/* What says that the message is wrong, not the receiver. */
	uint16_t permanent[POLICY_PERMANENT_MAX];
	unsigned permanent_n;
	uint64_t disable_after_ms; /* of failure without a break; 0: never */
	unsigned
	    breaker_after; /* failures of the receiver in a row; 0: never */
	uint64_t breaker_base_ms, breaker_cap_ms;
};

extern const struct policy policy_default;

/* What came back. */
struct policy_answer {
	int status;		 /* 0: no answer */
	bool unsent;		 /* nobody was asked */
	unsigned retry_after_ms; /* 0: not said */
	bool abort;		 /* "webhook-delivery: abort-message" */
	bool disable;		 /* "webhook-delivery: disable" */
};

enum policy_action {
	POLICY_DONE,
	POLICY_RETRY,	/* this delivery, after a wait */
	POLICY_DEAD,	/* never again; ->reason */
	POLICY_DISABLE, /* the whole subscription; the delivery stays */
};

struct policy_verdict {
	enum policy_action action;
	bool exhausted;	      /* DEAD: by limits, not as the receiver wishes */
	const char *reason;   /* DEAD, DISABLE: a word that is kept */
	uint64_t wait_ms;     /* RETRY */
	uint64_t hold_ms;     /* nobody else is sent to the receiver so long */
	bool receiver_failed; /* not the message's fault: counts for breaker */
};

/*
 * After attempt number ATTEMPT (from 1) of an event that is AGE_MS old.
 * RANDOM is any 64 random bits.
 */
struct policy_verdict policy_judge(const struct policy *p,
    const struct policy_answer *a, unsigned attempt, uint64_t age_ms,
    uint64_t random);

/* How long the breaker stays open when it opens for the OPENS-th time in a
 * row (from 1). */
uint64_t policy_breaker_ms(
    const struct policy *p, unsigned opens, uint64_t random);

#endif
