/* SPDX-License-Identifier: ISC */
/*
 * How many parts to send at a time: enough for the line, no more, since each
 * one more costs memory and, on a fast network, CPU for nothing.  Climbs as
 * long as twice as many are clearly faster, descends as long as half as many
 * are as fast, and looks again from time to time.  Pure; one thread or a lock.
 */
#ifndef AGENT_RAMP_H
#define AGENT_RAMP_H

#include <stdbool.h>
#include <stdint.h>

enum ramp_move { RAMP_HOLD, RAMP_UP, RAMP_DOWN };

struct ramp {
	unsigned limit;	       /* parts at a time, now */
	unsigned min, max;     /* never fewer, never more */
	enum ramp_move trying; /* what the limit is being tried for */
	enum ramp_move next;   /* what is tried next */
	double rate_before;    /* bytes a ms, before the trial */
	uint64_t next_ms;      /* no trial before this time */
	bool moved; /* the limit was: connections are made, the window tells
		       nothing */
	uint64_t since_ms; /* the window of the measurement */
	uint64_t bytes;
	unsigned parts;
};

/* FIRST: to begin with, down to 1.  NEXT: whether fewer or more are tried
 * first. */
void ramp_init(struct ramp *r, unsigned first, unsigned max,
    enum ramp_move next, uint64_t now_ms);
/* A part of BYTES has arrived. */
void ramp_sent(struct ramp *r, uint64_t bytes, uint64_t now_ms);

#endif
