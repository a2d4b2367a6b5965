/* SPDX-License-Identifier: ISC */
/*
 * What all processes that send to one subscription share: how many requests are
 * under way, how many may be begun by its rate, and what the receiver's answers
 * led to.  STATE/.receivers/NAME is a file of numbers, changed under a lock
 * that is held no longer than that takes, and places behind them, locked by
 * whoever has a request under way: who dies gives them back.  It may be
 * removed, cut or overwritten at any time, and is nobody's truth: without it
 * each process has numbers of its own.
 */
#ifndef AGENT_EVENTS_SHARED_H
#define AGENT_EVENTS_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SHARED_PLACES 256

struct shared_numbers {
	uint64_t layout;
	uint64_t receiver;     /* that they are about, a digest */
	uint64_t spent_ns;     /* of a bucket, by clock_mono_ms() */
	int64_t hold_until_ms; /* by Retry-After or the breaker */
	uint64_t fails;	       /* in a row */
	uint64_t opens;	       /* of the breaker, in a row */
};

struct shared {
	struct shared_numbers own; /* as this process has changed them last */
	bool alone;		   /* others can't be told of that */
	int fd;			   /* -1: nothing is shared */
	uint64_t held[SHARED_PLACES / 64];
};

/* This process's alone. */
void shared_init(struct shared *s);
/* From here on with all others that send to the same RECEIVER, a digest, as
 * NAME. */
int shared_open(struct shared *s, const char *state_dir, const char *name,
    uint64_t receiver, struct err *e);
void shared_close(struct shared *s);

struct shared_numbers shared_read(const struct shared *s);
typedef void shared_change_fn(struct shared_numbers *n, void *arg);
/* FN changes them, and nobody else meanwhile. */
void shared_change(struct shared *s, shared_change_fn *fn, void *arg);

/* One of MOST places, SHARED_PLACES at most; false if others have them. */
bool shared_take(struct shared *s, uint64_t most);
void shared_give_back(struct shared *s);

/* Forgets what is known of NAME. */
void shared_forget(const char *state_dir, const char *name);

#endif
