/* SPDX-License-Identifier: ISC */
/*
 * Events that no run delivers any more: a process of the daemon's sends what
 * waits in the outboxes of all tasks, after each run and every few minutes,
 * also what runs left that the daemon knows nothing of (dray events drain),
 * and what their archives have yet to get.  One at a time, and none where
 * nobody has subscribed and nothing is archived.  Errands, which make an event
 * of what the daemon alone knows, go first.
 */
#ifndef AGENT_DAEMON_COURIER_H
#define AGENT_DAEMON_COURIER_H

#include "agent/daemon/conf_words.h"
#include "agent/daemon/loop.h"
#include "agent/daemon/run.h"

struct courier_errand {
	const char *title; /* of its log lines */
	enum verb_id verb;
	struct conf_words words;
};

struct courier_config {
	const char *state_dir, *subscriptions_dir;
	run_main_fn *main;
	struct loop *loop;
	run_main_fn *errand_main;
	/* The errand that waits, which stays until it is done: 1 and *OUT,
	 * whose words are the caller's then; 0, -1. */
	int (*errand)(void *arg, struct courier_errand *out, struct err *e);
	/* The one that was given last has succeeded. */
	void (*errand_done)(void *arg);
	/* Whether there is an archive that runs have begun. */
	bool (*archives)(void *arg);
	void *arg;
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
