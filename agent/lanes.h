/* SPDX-License-Identifier: ISC */
/*
 * Lanes: the way of the jobs to the workers.  Two of them, so that big files
 * never starve small ones nor the reverse: while both wait, each gets half of
 * the requests in flight; a lane alone gets all.
 *
 * How many may be in flight follows the store: additive increase, and halved
 * (at most once a second) when it says that it is too much (AIMD).  How many
 * of them may be parts follows what the line gains from them (ramp.h).
 *
 * Thread-safe.  The coordinator bounds how many jobs there are.
 */
#ifndef AGENT_LANES_H
#define AGENT_LANES_H

#include "agent/job.h"
#include "base/auto.h"

struct lanes;

/* PARTS: as many of them at a time, to begin with. */
struct lanes *lanes_new(unsigned workers, unsigned parts, struct err *e);
/* Frees the jobs that were never taken, too. */
void lanes_free(struct lanes *l);
AUTO_DEFINE(lanes, struct lanes, lanes_free)

/* Parts (sent or read) go to the one lane, all else to the other.  False if no
 * worker waits that could take it. */
bool lanes_push(struct lanes *l, struct job *j);
/* Waits for a job; NULL once the lanes are closed. */
struct job *lanes_take(struct lanes *l);
/* To be called for each job taken, before it is handed back. */
void lanes_done(struct lanes *l, const struct job *j);

/* Takes back a job that no worker has taken; NULL if there is none. */
struct job *lanes_withdraw(struct lanes *l);
/* Jobs that wait. */
size_t lanes_waiting(struct lanes *l);
/* lanes_take returns NULL from now on; what waits stays. */
void lanes_close(struct lanes *l);
/* Requests that may be in flight now. */
unsigned lanes_limit(struct lanes *l);

#endif
