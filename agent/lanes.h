/* SPDX-License-Identifier: ISC */
/*
 * Lanes: the way of the jobs to the workers.  Two of them, so that big files
 * never starve small ones nor the reverse: while both wait, each gets half of
 * the requests in flight; a lane alone gets all.
 *
 * How many may be in flight follows the store: additive increase, and halved
 * (at most once a second) when it says that it is too much (AIMD).  Where there
 * may be more than there are at first, there are as many as make it faster
 * (ramp.h); so with how many of them may be parts.
 *
 * Thread-safe.  The coordinator bounds how many jobs there are.
 */
#ifndef AGENT_LANES_H
#define AGENT_LANES_H

#include "agent/job.h"
#include "base/auto.h"

struct lanes;

struct lanes_setup {
	unsigned workers; /* at most */
	unsigned first;	  /* of them at a time, to begin with */
	unsigned parts;	  /* of these, to begin with */
	/* No job needs another machine: a small one is less than waking up who
	 * waits for it, and several go together.  Fewer than first may do. */
	bool near;
};

struct lanes *lanes_new(const struct lanes_setup *setup, struct err *e);
/* Frees the jobs that were never taken, too. */
void lanes_free(struct lanes *l);
AUTO_DEFINE(lanes, struct lanes, lanes_free)

/* Parts (sent or read) go to the one lane, all else to the other.  False if one
 * worker more could take it now. */
bool lanes_push(struct lanes *l, struct job *j);
/* Waits for a job, and what goes with it (a list by next); NULL once the lanes
 * are closed. */
struct job *lanes_take(struct lanes *l);
/* To be called for what was taken, all of it, before it is handed back. */
void lanes_done(struct lanes *l, const struct job *first);

/* Takes back a job that no worker has taken; NULL if there is none. */
struct job *lanes_withdraw(struct lanes *l);
/* Jobs that wait. */
size_t lanes_waiting(struct lanes *l);
/* lanes_take returns NULL from now on; what waits stays. */
void lanes_close(struct lanes *l);
/* Requests that may be in flight now. */
unsigned lanes_limit(struct lanes *l);

#endif
