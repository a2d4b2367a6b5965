/* SPDX-License-Identifier: ISC */
/*
 * The archive: a task's events as objects of JSON lines at any store,
 * YYYY/MM/DD/HH/SOURCE-FIRST-LAST.jsonl by the time of the first event, each
 * event in one of them.  A thread writes them while the run goes on, beside
 * whatever is delivered; nothing waits for it.
 */
#ifndef AGENT_ARCHIVE_H
#define AGENT_ARCHIVE_H

#include <stdatomic.h>

#include "agent/events/outbox.h"
#include "agent/options.h"
#include "base/auto.h"
#include "base/err.h"

#define ARCHIVE_BYTES (5 << 20) /* of an object, about */
#define ARCHIVE_WAIT_MS 300000	/* an event waits no longer for others */

struct archive;

struct archive_order {
	const struct options *o;
	const char *dir;    /* of the task */
	const char *where;  /* a path or URL */
	const char *owner;  /* as in struct store_config */
	const char *name;   /* in deliveries.db */
	const char *source; /* of the events: urn:uuid:... */
	uint64_t start;	    /* where it begins, if that isn't known: after it */
	bool beside;	    /* what another process archives is left to it */
};

/* Starts the thread.  What ORDER points to is borrowed.  One process at a time
 * archives events of a task: others wait, or fail with ERR_BUSY if BESIDE. */
struct archive *archive_start(const struct archive_order *order, struct err *e);

/* Nothing more happens: the rest is to be written, too. */
void archive_finish(struct archive *a);

struct archive_result {
	uint64_t objects, events; /* stored by this run */
	bool left;		  /* there is more */
	struct err last; /* the last failure, ERR_NONE if there was none */
};

/* After archive_finish(): waits MS at most, or until *STOP, and frees A. */
void archive_end(struct archive *a, uint64_t ms, const atomic_bool *stop,
    struct archive_result *out);

#endif
