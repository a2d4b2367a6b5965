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

static void
tell_abandoned(const struct outbox_abandon *how)
{
	static const char many[] = "more than may be kept";
	static const char gone[] = "somebody has not been here for two weeks";
	const char *why = how->letters_too ? many : gone;

	if (how->letters > 0)
		log_warn("events: %s: %llu that were not delivered are dead "
			 "letters now; see dray events dead, %s",
		    why, (unsigned long long)how->letters,
		    how->letters_too ? "--events-keep-rows, --events-keep-bytes"
				     : "dray subscriptions remove");
	if (how->not_archived > 0)
		log_warn("events: %s: up to %llu were not archived; see "
			 "--events-keep-rows, --events-keep-bytes, "
			 "--events-archive",
		    why, (unsigned long long)how->not_archived);
}

/* Those who were seen before GONE_MS aren't waited for with what comes before
 * *CUT. */
static int
abandon(struct sweep *s, int64_t gone_ms, uint64_t *cut, struct err *e)
{
	struct outbox_abandon how = {
	    .seen_ms = OUTBOX_KEEP_EVER,
	    .gone_ms = gone_ms,
	    .letters_too = gone_ms == INT64_MAX,
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
	tell_abandoned(&how);
	return 0;
}

/* *PASSED, *KEPT: nobody who was seen since SEEN_MS needs an event before. */
static int
look(struct sweep *s, int64_t seen_ms, uint64_t *passed, uint64_t *kept,
    struct err *e)
{
	if (outbox_keep_passed(s->box, seen_ms, passed, e) == -1)
		return -1;
	return outbox_keep_referred(s->box, seen_ms, 0, kept, e);
}

/* Who has long been away has dead letters of what goes before *TO. */
static int
abandon_gone(struct sweep *s, uint64_t *to, struct err *e)
{
	uint64_t passed, kept;
	int own;

	if (look(s, OUTBOX_KEEP_EVER, &passed, &kept, e) == -1)
		return -1;
	if (passed >= *to && kept >= *to)
		return 0;
	own = outbox_own(s->box, e);
	if (own != 0)
		return own == 1 ? abandon(s, s->seen_ms, to, e) : -1;
	/* Where another process sends, they have until the next run. */
	s->seen_ms = OUTBOX_KEEP_EVER;
	if (*to > passed)
		*to = passed;
	return 0;
}

/* All who are here, though they may be paused, or the dispatcher hasn't begun
 * yet. */
static int
see_all(struct sweep *s, struct err *e)
{
	const struct retain *r = s->r;
	const char *name;
	size_t i;

	for (i = 0; r->here != NULL && (name = r->here(r->arg, i)) != NULL; i++)
		if (outbox_keep_seen(s->box, name, s->now_ms, e) == -1)
			return -1;
	return r->archive != NULL
	    ? outbox_keep_archive_seen(s->box, r->archive, s->now_ms, e)
	    : 0;
}

/* Dead letters without an event, as old as events may be, go. */
static int
begin(struct sweep *s, int64_t before_ms, struct err *e)
{
	if (outbox_begin(s->box, e) == -1)
		return -1;
	if (see_all(s, e) == 0 &&
	    outbox_keep_prune(s->box, before_ms, e) == 0 &&
	    outbox_commit(s->box, e) == 0)
		return 0;
	outbox_rollback(s->box);
	return -1;
}

static int
sweep(struct sweep *s, struct err *e)
{
	uint64_t old, over, passed, kept, to;
	int own;
	/* None is older than 1970. */
	uint64_t age_ms = s->r->age_ms < (uint64_t)s->now_ms
	    ? s->r->age_ms
	    : (uint64_t)s->now_ms;
	int64_t age_ns = (int64_t)age_ms * 1000000;

	if (begin(s, s->now_ms - (int64_t)age_ms, e) == -1 ||
	    ledger_event_since(s->l, s->now_ms * 1000000 - age_ns, &old, e) ==
		-1 ||
	    ledger_event_over(s->l, s->r->rows, s->r->bytes, &over, e) == -1 ||
	    ledger_commit(s->l, e) == -1 ||
	    look(s, OUTBOX_KEEP_EVER, &passed, &kept, e) == -1)
		return -1;
	/* Where another process sends what waits, it has until the next run. */
	own = over > passed || over > kept ? outbox_own(s->box, e) : 0;
	if (own == -1 || (own == 1 && abandon(s, INT64_MAX, &over, e) == -1) ||
	    look(s, s->seen_ms, &passed, &kept, e) == -1)
		return -1;
	to = old > over ? old : over;
	if (to > passed)
		to = passed;
	return abandon_gone(s, &to, e) == 0 ? forget_free(s, to, e) : -1;
}

int
retain_events(const struct retain *r, struct ledger *l, struct err *e)
{
	AUTO(outbox) struct outbox *box = outbox_open_soon(r->dir, true, e);
	struct sweep s = {.r = r, .l = l, .box = box};

	if (box == NULL)
		return -1;
	s.now_ms = clock_wall_ns() / 1000000;
	s.seen_ms = s.now_ms - SEEN_MS;
	return sweep(&s, e);
}
