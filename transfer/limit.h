/* SPDX-License-Identifier: ISC */
/*
 * How many bytes of contents may go over the network in a second, all
 * connections together.  Whoever moves bytes asks first and is told how many
 * may go now: so few at a time that the stream is even.  Those who wait get
 * their turns in the order in which they asked.  What was not used is lost but
 * for a tenth of a second's worth.  Any thread; a limit of NULL is none.
 */
#ifndef TRANSFER_LIMIT_H
#define TRANSFER_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

struct limit;

/* Off at first.  Once *STOP (borrowed, or NULL) is true nobody waits. */
struct limit *limit_new(const atomic_bool *stop, struct err *e);
void limit_free(struct limit *l);
AUTO_DEFINE(limit, struct limit, limit_free)

/* RATE bytes a second from now on; 0: off.  Who waits learns of it at once. */
void limit_set(struct limit *l, uint64_t rate);
uint64_t limit_rate(const struct limit *l);
bool limit_is_on(const struct limit *l);
/* What a single request should have at most, so that it is no burst. */
size_t limit_piece(const struct limit *l);

/*
 * Waits until some of WANT (not 0) bytes may go: how many, all if it is off.
 * The caller moves these, and asks again for the rest.
 */
size_t limit_take(struct limit *l, size_t want);
/* The same until N bytes, which have gone already, are made up for. */
void limit_pay(struct limit *l, size_t n);

/* A place in the queue of one that has other things to do; all 0 at first. */
struct limit_turn {
	bool held;
	uint64_t epoch; /* of the rate that it was taken at */
	uint64_t at;
	uint64_t bytes;
};

/* Milliseconds until N bytes may go; 0: they may, and are counted.  Until then
 * the turn is kept. */
unsigned limit_ask(struct limit *l, struct limit_turn *t, size_t n);

#endif
