/* SPDX-License-Identifier: ISC */
/*
 * Lanes: the way of the jobs to the workers.  Two of them, so that big files
 * never starve small ones nor the reverse: while both wait, each gets half of
 * the requests in flight; a lane alone gets all.
 *
 * How many may be in flight follows the store: additive increase, and halved
 * (at most once a second) when it says that it is too much (AIMD).  How many
 * of them may be parts follows what the line gains from them (ramp.h).  Between
 * stores of this machine its processors bound them, too (room.h).
 *
 * Thread-safe.  The coordinator bounds how many jobs there are.
 */
#ifndef AGENT_LANES_H
#define AGENT_LANES_H

#include "agent/job.h"
#include "base/auto.h"

struct lanes;

/* PARTS: as many of them at a time, to begin with.  CPUS: processors of this
 * machine, if no job needs another one; a small job is less than waking up who
 * waits for it then, and several go together.  Else 0. */
struct lanes *lanes_new(
    unsigned workers, unsigned parts, unsigned cpus, struct err *e);
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
