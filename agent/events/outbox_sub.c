/* SPDX-License-Identifier: ISC */
/* Subscriptions and replays: where each is. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/outbox_db.h"
#include "agent/events/outbox_replay.h"
#include "base/clock.h"

static void
read_sub(sqlite3_stmt *s, struct outbox_sub *sub)
{
	memset(sub, 0, sizeof(*sub));
	sub->id = sqlite3_column_int64(s, 0);
	snprintf(sub->name, sizeof(sub->name), "%s", column_str(s, 1));
	snprintf(sub->replay, sizeof(sub->replay), "%s", column_str(s, 2));
	sub->ordering = (enum outbox_ordering)sqlite3_column_int(s, 3);
	sub->routed = (uint64_t)sqlite3_column_int64(s, 4);
	sub->noticed = (uint64_t)sqlite3_column_int64(s, 5);
	sub->delivered = (uint64_t)sqlite3_column_int64(s, 6);
	sub->filtered = (uint64_t)sqlite3_column_int64(s, 7);
	sub->dead = (uint64_t)sqlite3_column_int64(s, 8);
	sub->removed = sqlite3_column_int(s, 9) != 0;
	sub->live = (uint64_t)sqlite3_column_int64(s, 10);
}

/* 1 and *SUB, 0, -1 */
static int
one_sub(
    struct outbox *o, sqlite3_stmt *s, struct outbox_sub *sub, struct err *e)
{
	int rc = outbox_row(o, s, e);

	if (rc != 1)
		return rc;
	read_sub(s, sub);
	sqlite3_reset(s);
	return 1;
}

static int
get_sub(
    struct outbox *o, const char *name, struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_GET, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	return one_sub(o, s, sub, e);
}

static int
get_by_id(struct outbox *o, int64_t id, struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_BY_ID, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	return one_sub(o, s, sub, e);
}

/* The event after which NAME began, if the ledger knows: 1, 0, -1. */
static int
began(struct outbox *o, const char *name, int64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_BEGAN, e);
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	return outbox_number(o, s, seq, &found, e) == -1 ? -1 : found;
}

/* Number of the last event there is. */
static int
last_event(struct outbox *o, int64_t *seq, struct err *e)
{
	bool found;

	*seq = 0;
	return outbox_number(
	    o, outbox_prepare(o, OB_EVENT_LAST, e), seq, &found, e);
}

/* START, or the last event if that is behind it: numbers would go on from
 * there.
 */
static int
find_start(struct outbox *o, uint64_t start, int64_t *after, struct err *e)
{
	if (last_event(o, after, e) == -1)
		return -1;
	if (start < (uint64_t)*after)
		*after = (int64_t)start;
	return 0;
}

static int
add_sub(struct outbox *o, const char *name, enum outbox_ordering ordering,
    uint64_t start, struct err *e)
{
	int64_t seq = 0;
	int known = start > 0 ? began(o, name, &seq, e) : 0;
	sqlite3_stmt *s;

	if (known == -1 || (known == 0 && find_start(o, start, &seq, e) == -1))
		return -1;
	s = outbox_prepare(o, OB_SUB_ADD, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 2, (int)ordering);
	sqlite3_bind_int64(s, 3, seq);
	return outbox_step(o, s, e);
}

/* What waits does so as ORDERING has it, from now on; batches of before may
 * have what must not go together. */
static int
reorder(struct outbox *o, struct outbox_sub *sub, enum outbox_ordering ordering,
    struct err *e)
{
	int64_t now_ms = clock_wall_ns() / 1000000;

	if (sub->ordering == ordering)
		return 0;
	sub->ordering = ordering;
	if (outbox_batch_open(o, sub, 0, now_ms, e) == -1)
		return -1;
	return outbox_run(o, OB_REORDER, sub->id, ordering, e);
}

/* SUB goes on from where an earlier process left it. */
static int
go_on(struct outbox *o, struct outbox_sub *sub, enum outbox_ordering ordering,
    struct err *e)
{
	if (outbox_run(o, OB_READY_AGAIN, sub->id, 0, e) == -1 ||
	    reorder(o, sub, ordering, e) == -1 ||
	    outbox_run(o, OB_SUB_ORDER, sub->id, ordering, e) == -1)
		return -1;
	sub->removed = false;
	return outbox_sub_save(o, sub, e);
}

int
outbox_subscribe(struct outbox *o, const char *name,
    enum outbox_ordering ordering, uint64_t start, struct outbox_sub *sub,
    struct err *e)
{
	int rc = get_sub(o, name, sub, e);
	int64_t after;

	if (rc == 0) {
		rc = add_sub(o, name, ordering, start, e);
		if (rc == 0)
			rc = get_sub(o, name, sub, e);
	}
	if (rc == 1 && sub->removed) {
		if (find_start(o, start, &after, e) == -1)
			return -1;
		sub->routed = (uint64_t)after;
	}
	return rc == 1 ? go_on(o, sub, ordering, e) : -1;
}

int
outbox_resume(struct outbox *o, int64_t id, enum outbox_ordering ordering,
    struct outbox_sub *sub, struct err *e)
{
	int rc = get_by_id(o, id, sub, e);

	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "no such replay");
	return rc == 1 ? go_on(o, sub, ordering, e) : -1;
}

int
outbox_before(struct outbox *o, int64_t time_ms, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENT_SINCE, e);
	int64_t first = 0;
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, time_ms);
	if (outbox_number(o, s, &first, &found, e) == -1)
		return -1;
	*seq = found ? (uint64_t)first - 1 : OUTBOX_START_NOW;
	return 0;
}

int
outbox_is_subscribed(struct outbox *o, const char *name, struct err *e)
{
	struct outbox_sub sub;
	int rc = get_sub(o, name, &sub, e);

	return rc == 1 ? !sub.removed : rc;
}

int
outbox_knows(struct outbox *o, const char *name, struct err *e)
{
	struct outbox_sub sub;
	int64_t seq;
	int rc = get_sub(o, name, &sub, e);

	return rc == 0 ? began(o, name, &seq, e) : rc;
}

int
outbox_unsubscribe(struct outbox *o, const char *name, struct err *e)
{
	struct outbox_sub sub = {.id = 0};
	int rc;

	while ((rc = outbox_sub_next(o, sub.id, &sub, e)) == 1) {
		if (strcmp(sub.name, name) != 0)
			continue;
		if (outbox_run(o, OB_DROP_DELIVERIES, sub.id, 0, e) == -1 ||
		    outbox_run(o, OB_DROP_LETTERS, sub.id, 0, e) == -1 ||
		    outbox_run(o, OB_UNSUBSCRIBE, sub.id, 0, e) == -1 ||
		    outbox_replay_end(o, sub.id, "cancelled", e) == -1)
			return -1;
	}
	return rc;
}

int
outbox_sub_save(struct outbox *o, const struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_SAVE, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, clock_wall_ns() / 1000000);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)sub->routed);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)sub->noticed);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)sub->delivered);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)sub->filtered);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)sub->dead);
	return outbox_step(o, s, e);
}

int
outbox_sub_refresh(struct outbox *o, struct outbox_sub *sub, struct err *e)
{
	struct outbox_sub now = *sub;
	int rc = get_by_id(o, sub->id, &now, e);

	if (rc == 1)
		sub->live = now.live;
	return rc == -1 ? -1 : 0;
}

int
outbox_sub_next(
    struct outbox *o, int64_t id, struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_NEXT, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	return one_sub(o, s, sub, e);
}
