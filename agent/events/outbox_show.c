/* SPDX-License-Identifier: ISC */
/* What people ask of an outbox: attempts, dead letters, events. */
#include "config.h"

#include <string.h>

#include "agent/events/outbox_db.h"

static struct outbox_letter
letter_of(sqlite3_stmt *s)
{
	return (struct outbox_letter){
	    .sub = column_str(s, 0),
	    .seq = (uint64_t)sqlite3_column_int64(s, 1),
	    .at_ms = sqlite3_column_int64(s, 2),
	    .reason = column_str(s, 3),
	    .attempts = (unsigned)sqlite3_column_int(s, 4),
	    .status = sqlite3_column_int(s, 5),
	    .error = column_str(s, 6),
	    .took_ms = (uint64_t)sqlite3_column_int64(s, 7),
	    .replay = column_str(s, 8),
	};
}

static void
choose(sqlite3_stmt *s, const struct outbox_choice *which)
{
	int n = sqlite3_bind_parameter_count(s);

	/* What isn't bound is NULL. */
	if (which->sub != NULL)
		sqlite3_bind_text(s, 1, which->sub, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)which->seq);
	if (which->reason != NULL && n > 2)
		sqlite3_bind_text(s, 3, which->reason, -1, SQLITE_STATIC);
}

static int
each_letter(struct outbox *o, enum outbox_stmt stmt,
    const struct outbox_choice *which, outbox_letter_fn *fn, void *arg,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, stmt, e);
	int rc;

	if (s == NULL)
		return -1;
	choose(s, which);
	while ((rc = outbox_row(o, s, e)) == 1) {
		struct outbox_letter l = letter_of(s);

		if (fn(arg, &l, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return rc;
}

int
outbox_dead_letters(struct outbox *o, const struct outbox_choice *which,
    outbox_letter_fn *fn, void *arg, struct err *e)
{
	return each_letter(o, OB_DEAD_LIST, which, fn, arg, e);
}

int
outbox_attempts(struct outbox *o, const struct outbox_choice *which,
    outbox_letter_fn *fn, void *arg, struct err *e)
{
	return each_letter(o, OB_ATTEMPT_LIST, which, fn, arg, e);
}

static int
each_event(struct outbox *o, enum outbox_stmt which, uint64_t seq,
    outbox_event_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
	sqlite3_bind_int64(s, 2, -1);
	while ((rc = outbox_row(o, s, e)) == 1) {
		struct outbox_event event = outbox_event_of(s);

		if (fn(arg, &event, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return rc;
}

int
outbox_events(struct outbox *o, uint64_t seq, outbox_event_fn *fn, void *arg,
    struct err *e)
{
	return each_event(o, OB_EVENTS, seq, fn, arg, e);
}

int
outbox_notices(struct outbox *o, uint64_t seq, outbox_event_fn *fn, void *arg,
    struct err *e)
{
	return each_event(o, OB_NOTICES, seq, fn, arg, e);
}

/* Whether the event waits for all others of its run; one that is gone waits
 * for none. */
static int
is_barrier(struct outbox *o, sqlite3_int64 seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENT_BARRIER, e);
	int rc, barrier = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, seq);
	rc = outbox_row(o, s, e);
	if (rc == 1) {
		barrier = sqlite3_column_int(s, 0) != 0;
		sqlite3_reset(s);
	}
	return rc == -1 ? -1 : barrier;
}

/* What went with the event itself can't be sent once more. */
static bool
has_event(const char *reason)
{
	return strcmp(reason, "retention") != 0 && strcmp(reason, "lost") != 0;
}

/* The dead letter in row S is a delivery once more. */
static int
revive(struct outbox *o, sqlite3_stmt *s, int64_t now_ms, struct err *e)
{
	int barrier = is_barrier(o, sqlite3_column_int64(s, 1), e);
	sqlite3_stmt *add = outbox_prepare(o, OB_DELIVERY_ADD, e);

	if (barrier == -1 || add == NULL)
		return -1;
	sqlite3_bind_int64(add, 1, sqlite3_column_int64(s, 9));
	sqlite3_bind_int64(add, 2, sqlite3_column_int64(s, 1));
	sqlite3_bind_text(add, 3, column_str(s, 10), -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 4, sqlite3_column_int64(s, 11));
	sqlite3_bind_int64(add, 5, barrier);
	sqlite3_bind_int64(add, 6, now_ms);
	sqlite3_bind_int64(add, 7, now_ms);
	sqlite3_bind_int64(add, 8, sqlite3_column_int64(s, 12));
	return outbox_step(o, add, e);
}

static int
drop(struct outbox *o, enum outbox_stmt how, const struct outbox_choice *which,
    uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, how, e);

	if (s == NULL)
		return -1;
	choose(s, which);
	if (outbox_step(o, s, e) == -1)
		return -1;
	*n = (uint64_t)sqlite3_changes(o->db);
	return 0;
}

int
outbox_redrive(struct outbox *o, const struct outbox_choice *which,
    int64_t now_ms, uint64_t rate, uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_DEAD_LIST, e);
	int64_t revived = 0;
	int rc;

	if (s == NULL)
		return -1;
	choose(s, which);
	while ((rc = outbox_row(o, s, e)) == 1) {
		int64_t wait_ms = rate > 0 ? revived * 1000 / (int64_t)rate : 0;

		if (!has_event(column_str(s, 3)))
			continue;
		revived++;
		if (revive(o, s, now_ms + wait_ms, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return rc == 0 ? drop(o, OB_DEAD_REVIVED, which, n, e) : -1;
}

int
outbox_dead_drop(struct outbox *o, const struct outbox_choice *which,
    uint64_t *n, struct err *e)
{
	return drop(o, OB_DEAD_DROP, which, n, e);
}

/* How many events are behind SEQ, and when the first after OLDEST, or it
 * itself, happened. */
static int
look_behind(struct outbox *o, uint64_t seq, uint64_t oldest,
    struct outbox_status *out, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_LAG, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)oldest);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	out->lag = (uint64_t)sqlite3_column_int64(s, 0);
	out->oldest_ms = sqlite3_column_int64(s, 1);
	sqlite3_reset(s);
	return 0;
}

int
outbox_status(struct outbox *o, const struct outbox_sub *sub,
    struct outbox_status *out, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_WAITING, e);
	uint64_t oldest = sub->routed + 1;
	int rc;

	*out = (struct outbox_status){.waiting = 0};
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	out->waiting = (uint64_t)sqlite3_column_int64(s, 0);
	out->retrying = (uint64_t)sqlite3_column_int64(s, 1);
	out->dead = (uint64_t)sqlite3_column_int64(s, 3);
	if (out->waiting > 0)
		oldest = (uint64_t)sqlite3_column_int64(s, 2);
	sqlite3_reset(s);
	return look_behind(o, sub->routed, oldest, out, e);
}
