/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/ramp.h"

#define WINDOW_MS 40 /* shorter ones tell nothing */
#define TRY_AGAIN_MS 10000
#define FASTER 1.15  /* twice as many must gain this much */
#define AS_FAST 0.95 /* half as many may lose this much */

static void
open_window(struct ramp *r, uint64_t now_ms)
{
	r->since_ms = now_ms;
	r->bytes = 0;
	r->parts = 0;
}

void
ramp_init(struct ramp *r, unsigned first, unsigned max, enum ramp_move next,
    uint64_t now_ms)
{
	*r = (struct ramp){
	    .limit = max < first ? max : first,
	    .min = 1,
	    .max = max,
	    .trying = RAMP_HOLD,
	    .next = next,
	};
	open_window(r, now_ms);
}

static unsigned
doubled(const struct ramp *r)
{
	return r->limit > r->max / 2 ? r->max : r->limit * 2;
}

static unsigned
halved(const struct ramp *r)
{
	return r->limit / 2 < r->min ? r->min : r->limit / 2;
}

static void
move_to(struct ramp *r, unsigned limit)
{
	r->moved = true;
	r->limit = limit;
}

/* Begins the next trial, or waits if there is nothing to try. */
static void
try_next(struct ramp *r, double rate, uint64_t now_ms)
{
	r->rate_before = rate;
	r->trying = r->next;
	if (r->next == RAMP_UP && r->limit < r->max) {
		move_to(r, doubled(r));
		return;
	}
	r->next = RAMP_DOWN;
	r->trying = RAMP_DOWN;
	if (r->limit > r->min) {
		move_to(r, halved(r));
		return;
	}
	r->trying = RAMP_HOLD;
	r->next = RAMP_UP;
	r->next_ms = now_ms + TRY_AGAIN_MS;
}

/* The trial is over: RATE says whether it was worth it. */
static void
judge(struct ramp *r, double rate, uint64_t now_ms)
{
	enum ramp_move tried = r->trying;

	r->trying = RAMP_HOLD;
	if (tried == RAMP_UP && rate >= FASTER * r->rate_before) {
		r->next_ms = now_ms;
	} else if (tried == RAMP_UP) {
		move_to(r, (r->limit + 1) / 2);
		r->next = RAMP_DOWN;
	} else if (rate < AS_FAST * r->rate_before) {
		move_to(r, doubled(r));
		r->next = RAMP_UP;
		r->next_ms = now_ms + TRY_AGAIN_MS;
	}
}

void
ramp_sent(struct ramp *r, uint64_t bytes, uint64_t now_ms)
{
	double rate;

	r->bytes += bytes;
	r->parts++;
	if (r->parts < 2 * r->limit || now_ms - r->since_ms < WINDOW_MS)
		return;
	rate = (double)r->bytes / (double)(now_ms - r->since_ms);
	if (r->moved)
		r->moved = false;
	else if (r->trying != RAMP_HOLD)
		judge(r, rate, now_ms);
	else if (now_ms >= r->next_ms)
		try_next(r, rate, now_ms);
	open_window(r, now_ms);
}
