/* SPDX-License-Identifier: ISC */
/*
 * The dispatcher: a thread that sends events of one task or more to whoever
 * subscribed.  It reads what was committed to the ledgers and writes what
 * became of it to deliveries.db: a transfer never waits for it, nor for
 * anybody whom it sends to, and no receiver for another.  Deliveries are at
 * least once, in the order that a subscription asks for, the end of a run last.
 * Order is kept in each task; rate, concurrency and breaker of a subscription
 * hold for all tasks together.
 *
 * A task's outbox has one owner at a time.  Where another process has it, that
 * one sends what happens in this one, too; and if it ends, this one takes over.
 */
#ifndef AGENT_EVENTS_DISPATCH_H
#define AGENT_EVENTS_DISPATCH_H

#include <stdatomic.h>

#include "agent/events/stream.h"

/* Connections that all requests together may use, so that there are files left
 * for others. */
unsigned dispatch_connections(void);

struct dispatch_setup {
	const char *state_dir;
	const char *const *tasks; /* their names */
	size_t tasks_n;
	struct subscription *const *subscriptions;
	size_t subscriptions_n;
	const struct keeper_store *claims; /* where claim checks are */
	/* Not a run's: nobody is subscribed who wasn't, or wants events of the
	 * past, and what another process has is left to it.  Of many
	 * tasks only some have their turn at a time.  Nothing is sent before
	 * dispatch_end(). */
	bool drains;
	/* This subscription gets what it asks for once more, whatever its
	 * receiver said; NULL: none. */
	const char *revived;
};

struct dispatch;

/* Starts the thread; what SETUP points to must stay, but for itself. */
struct dispatch *dispatch_start(
    const struct dispatch_setup *setup, struct err *e);

/* RESULT is of one subscription and task, or replay, or tells by its ->last
 * what is wrong with a task; valid during the call. */
typedef void dispatch_result_fn(void *arg, const struct stream_result *result);

/*
 * Sends what is left, MS at most, or until *STOP; no longer, too, once nothing
 * could be sent in that time.  Ends the thread and frees D.  FN may be NULL.
 */
void dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    dispatch_result_fn *fn, void *arg);

#endif
