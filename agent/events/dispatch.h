/* SPDX-License-Identifier: ISC */
/*
 * The dispatcher: a thread that sends a task's events to a webhook while its
 * run goes on.  It reads what was committed to the ledger and writes what
 * became of it to deliveries.db: a transfer never waits for it, nor for
 * anybody whom it sends to.  Deliveries are at least once, in order for each
 * key, the end of a run last.
 */
#ifndef AGENT_EVENTS_DISPATCH_H
#define AGENT_EVENTS_DISPATCH_H

#include <stdatomic.h>

#include "agent/events/guard.h"
#include "agent/events/outbox.h"
#include "agent/events/pattern.h"
#include "agent/events/policy.h"
#include "agent/events/signature.h"

#define DISPATCH_CONCURRENCY_MAX 256

/* All of it must stay until dispatch_end(). */
struct dispatch_config {
	const char *dir;  /* of the task's ledger */
	const char *name; /* of the subscription */
	uint64_t start;	  /* where it begins, if it isn't known: after it */
	const char *url;
	const struct pattern *pattern; /* NULL: all events */
	const struct signature_keys *keys;
	const struct guard *guard;
	const char *ca_bundle; /* NULL: the system's */
	const struct policy *policy;
	unsigned concurrency; /* requests at a time */
	unsigned timeout_ms;  /* of a request */
};

struct dispatch;

/* Subscribes and starts the thread. */
struct dispatch *dispatch_start(
    const struct dispatch_config *config, struct err *e);

struct dispatch_result {
	struct outbox_sub sub; /* how far it came in all */
	uint64_t delivered;    /* by this dispatcher */
	uint64_t dead;
	uint64_t left;	 /* deliveries that wait for the next one */
	bool unrouted;	 /* and there are events behind them */
	struct err last; /* the last failure, ERR_NONE if there was none */
};

/*
 * Sends what is left, MS at most, or until *STOP; no longer, too, once nothing
 * could be sent in that time.  Ends the thread and frees D.
 */
void dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    struct dispatch_result *out);

#endif
