/* SPDX-License-Identifier: ISC */
/* Jobs that wait for their time: a heap by due_ms.  One thread. */
#ifndef AGENT_DELAY_H
#define AGENT_DELAY_H

#include "agent/job.h"

struct delay {
	struct job **heap;
	size_t n, room;
};

/* -1 without memory: the job is still the caller's. */
int delay_push(struct delay *d, struct job *j);
/* The job that is due first, if it is due at NOW_MS; else NULL. */
struct job *delay_pop(struct delay *d, uint64_t now_ms);
/* Milliseconds until the first is due, at most MOST. */
uint64_t delay_wait_ms(const struct delay *d, uint64_t now_ms, uint64_t most);
/* The heap must be empty. */
void delay_free(struct delay *d);

#endif
