/* SPDX-License-Identifier: ISC */
/*
 * What all processes that send to one subscription share: how many requests are
 * under way, how many may be begun by its rate, and what the receiver's answers
 * led to.  STATE/.receivers/NAME is a page of numbers that are changed in
 * place, and places behind it, locked by whoever has a request under way: who
 * dies gives them back.  It may be removed at any time, and is nobody's truth:
 * without it each process has numbers of its own.
 */
#ifndef AGENT_EVENTS_SHARED_H
#define AGENT_EVENTS_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SHARED_PLACES 256

struct shared_numbers {
	_Atomic uint64_t layout;
	_Atomic uint64_t settings;     /* that they are about, a digest */
	_Atomic uint64_t spent_ns;     /* of a bucket, by clock_mono_ms() */
	_Atomic int64_t hold_until_ms; /* by Retry-After or the breaker */
	_Atomic unsigned fails;	       /* in a row */
	_Atomic unsigned opens;	       /* of the breaker, in a row */
};

struct shared {
	struct shared_numbers *now; /* OWN, or all processes' */
	struct shared_numbers own;
	int fd; /* -1: this process's alone */
	uint64_t held[SHARED_PLACES / 64];
};

/* This process's alone; S must stay where it is. */
void shared_init(struct shared *s);
/* From here on with all others that have the same SETTINGS for NAME. */
int shared_open(struct shared *s, const char *state_dir, const char *name,
    uint64_t settings, struct err *e);
void shared_close(struct shared *s);

/* One of MOST places, SHARED_PLACES at most; false if others have them. */
bool shared_take(struct shared *s, uint64_t most);
void shared_give_back(struct shared *s);

/* Forgets what is known of NAME. */
void shared_forget(const char *state_dir, const char *name);

#endif
