/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/events/outbox_archive.h"
#include "agent/events/outbox_keep.h"
#include "agent/retain.h"
#include "base/clock.h"
#include "base/log.h"

/* Whoever hasn't been here for so long isn't waited for. */
#define SEEN_MS (14 * INT64_C(86400000))

struct sweep {
	const struct retain *r;
	struct ledger *l;
	struct outbox *box;
	int64_t now_ms;
	int64_t seen_ms;
};

/* Forgets events from FROM on and before TO. */
static int
forget(struct sweep *s, uint64_t from, uint64_t to, struct err *e)
{
	bool more = true;

	while (more)
		if (ledger_event_forget(s->l, from, to, &more, e) == -1 ||
		    ledger_commit(s->l, e) == -1)
			return -1;
	return 0;
}

/* All before TO but what something refers to. */
static int
forget_free(struct sweep *s, uint64_t to, struct err *e)
{
	uint64_t from = 0, kept;

	while (from < to) {
		if (outbox_keep_referred(s->box, s->seen_ms, from, &kept, e) ==
		    -1)
			return -1;
		if (kept > from &&
		    forget(s, from, kept < to ? kept : to, e) == -1)
			return -1;
		from = kept + 1;
	}
	return 0;
}

/* Nobody is waited for with what comes before *CUT. */
static int
abandon(struct sweep *s, uint64_t *cut, struct err *e)
{
	struct outbox_abandon how = {
	    .seen_ms = s->seen_ms,
	    .now_ms = s->now_ms,
	    .wants = s->r->wants,
	    .arg = s->r->arg,
	};

	/* It must be on disk before any event goes. */
	if (outbox_be_durable(s->box, e) == -1 || outbox_begin(s->box, e) == -1)
		return -1;
	if (outbox_keep_abandon(s->box, &how, cut, e) == -1 ||
	    outbox_commit(s->box, e) == -1) {
		outbox_rollback(s->box);
		return -1;
	}
	if (how.letters > 0)
		log_warn("events: more than may be kept: %llu that were not "
			 "delivered are dead letters now; see dray events "
			 "dead, --events-keep-rows, --events-keep-bytes",
		    (unsigned long long)how.letters);
	if (how.not_archived > 0)
		log_warn("events: more than may be kept: up to %llu were not "
			 "archived; see --events-keep-rows, "
			 "--events-keep-bytes",
		    (unsigned long long)how.not_archived);
	return 0;
}

/* Dead letters without an event, as old as events may be. */
static int
prune(struct sweep *s, int64_t before_ms, struct err *e)
{
	if (outbox_begin(s->box, e) == -1)
		return -1;
	if (outbox_keep_prune(s->box, before_ms, e) == 0 &&
	    outbox_commit(s->box, e) == 0)
		return 0;
	outbox_rollback(s->box);
	return -1;
}

static int
sweep(struct sweep *s, struct err *e)
{
	uint64_t old, over, passed, kept;
	int own;
	/* None is older than 1970. */
	uint64_t age_ms = s->r->age_ms < (uint64_t)s->now_ms
	    ? s->r->age_ms
	    : (uint64_t)s->now_ms;
	int64_t age_ns = (int64_t)age_ms * 1000000;

	if (prune(s, s->now_ms - (int64_t)age_ms, e) == -1 ||
	    ledger_event_since(s->l, s->now_ms * 1000000 - age_ns, &old, e) ==
		-1 ||
	    ledger_event_over(s->l, s->r->rows, s->r->bytes, &over, e) == -1 ||
	    outbox_keep_passed(s->box, s->seen_ms, &passed, e) == -1 ||
	    outbox_keep_referred(s->box, s->seen_ms, 0, &kept, e) == -1)
		return -1;
	/* Where another process sends what waits, it has until the next run. */
	own = over > passed || over > kept ? outbox_own(s->box, e) : 0;
	if (own == -1 ||
	    (own == 1 &&
		(abandon(s, &over, e) == -1 ||
		    outbox_keep_passed(s->box, s->seen_ms, &passed, e) == -1)))
		return -1;
	if (old < over)
		old = over;
	return forget_free(s, old < passed ? old : passed, e);
}

int
retain_events(const struct retain *r, struct ledger *l, struct err *e)
{
	AUTO(outbox) struct outbox *box = outbox_open(r->dir, true, e);
	struct sweep s = {.r = r, .l = l, .box = box};

	if (box == NULL)
		return -1;
	s.now_ms = clock_wall_ns() / 1000000;
	s.seen_ms = s.now_ms - SEEN_MS;
	return sweep(&s, e);
}
