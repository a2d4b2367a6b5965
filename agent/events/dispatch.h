/* SPDX-License-Identifier: ISC */
/*
 * The dispatcher: a thread that sends a task's events to whoever subscribed
 * while its run goes on.  It reads what was committed to the ledger and writes
 * what became of it to deliveries.db: a transfer never waits for it, nor for
 * anybody whom it sends to, and no receiver for another.  Deliveries are at
 * least once, in order for each key, the end of a run last.
 */
#ifndef AGENT_EVENTS_DISPATCH_H
#define AGENT_EVENTS_DISPATCH_H

#include <stdatomic.h>

#include "agent/events/stream.h"

/* Connections that all requests together may use, so that there are files left
 * for others. */
unsigned dispatch_connections(void);

struct dispatch_order {
	const struct subscription *subscription; /* borrowed */
	uint64_t start; /* where it begins, if it isn't known: after it */
};

struct dispatch;

/* Subscribes all N and starts the thread.  DIR is that of the task's ledger. */
struct dispatch *dispatch_start(const char *dir,
    const struct dispatch_order *orders, size_t n, struct err *e);

/*
 * Sends what is left, MS at most, or until *STOP; no longer, too, once nothing
 * could be sent in that time.  Ends the thread and frees D.  OUT has as many
 * results as there were orders; NULL: they don't matter.
 */
void dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    struct stream_result *out);

#endif
