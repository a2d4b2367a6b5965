/* SPDX-License-Identifier: ISC */
/*
 * Events that no run delivers any more: a process of the daemon's sends what
 * waits in the outboxes of all tasks, after each run and every few minutes,
 * also what runs left that the daemon knows nothing of (dray events drain).
 * One at a time, and none where nobody has subscribed.
 */
#ifndef AGENT_DAEMON_COURIER_H
#define AGENT_DAEMON_COURIER_H

#include "agent/daemon/loop.h"
#include "agent/daemon/run.h"

struct courier_config {
	const char *state_dir, *subscriptions_dir;
	run_main_fn *main;
	struct loop *loop;
};

struct courier;

/* CONFIG's strings are borrowed. */
struct courier *courier_new(const struct courier_config *config, struct err *e);
/* Kills what it has under way: it is sent again another time. */
void courier_free(struct courier *c);
AUTO_DEFINE(courier, struct courier, courier_free)

/* There may be events that wait. */
void courier_call(struct courier *c);
/* Who is told of them may have changed: what is under way begins anew. */
void courier_recall(struct courier *c);
/* Goes if it is time; returns in how many ms to call again. */
uint64_t courier_tick(struct courier *c, uint64_t now_ms);
/* Some child has ended. */
void courier_reap(struct courier *c, uint64_t now_ms);
/* Ends, and does not go again. */
void courier_stop(struct courier *c);
bool courier_is_up(const struct courier *c);

#endif
