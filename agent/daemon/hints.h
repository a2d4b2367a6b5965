/* SPDX-License-Identifier: ISC */
/*
 * What a watch has seen to change in a task's source, until a run has looked
 * at it.  Each waits until nothing more was heard of it for a while (the
 * settle time), ten times as long at most.  There is a bound: what
 * is beyond it is collapsed into the directories above, the deepest first, so
 * that more is looked at than has changed, but never less.  Times are
 * milliseconds of the monotonic clock.
 */
#ifndef AGENT_DAEMON_HINTS_H
#define AGENT_DAEMON_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define HINTS_NEVER UINT64_MAX
#define HINTS_MAX 32768
#define HINTS_MAX_BYTES ((size_t)4 << 20) /* of paths */

struct hints;

enum hint_kind {
	HINT_TREE,    /* a path, and all that is below it */
	HINT_ALONE,   /* a directory, and not what is below it */
	HINT_CREATED, /* a file that is written now, most likely: it waits for
		       another word of it ten times the settle time */
};

struct hints *hints_new(size_t max, size_t max_bytes, struct err *e);
void hints_free(struct hints *h);
AUTO_DEFINE(hints, struct hints, hints_free)

void hints_set_settle(struct hints *h, uint64_t settle_ms);

/*
 * PATH is relative, without a slash at either end; "" is all of the source.
 * Without memory it is that, too.
 */
void hints_add(struct hints *h, const char *path, size_t len,
    enum hint_kind kind, uint64_t now_ms);

/* How many there are. */
size_t hints_count(const struct hints *h);
/* When the first one has settled; HINTS_NEVER: there is none. */
uint64_t hints_due(struct hints *h, uint64_t now_ms);

/*
 * Takes those that have settled: OUT gets their paths as --changed-from
 * --from0 reads them.  Returns false, with nothing in OUT, if all of the
 * source is to be looked at; then all are taken.
 */
bool hints_take(struct hints *h, uint64_t now_ms, struct buf *out);
/* The same, whatever they are: a run looks at all. */
void hints_take_all(struct hints *h);

/* What was taken has been seen to. */
void hints_done(struct hints *h);
/* It has not: it is as if it had not been taken.  IDLE: it waits for the next
 * change to be heard of. */
void hints_return(struct hints *h, bool idle);
/* Nobody wants them now: they wait for the next change to be heard of. */
void hints_rest(struct hints *h);

#endif
