/* SPDX-License-Identifier: ISC */
/* What people ask of an outbox: attempts, dead letters, events. */
#include "config.h"

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
	};
}

static int
each_letter(struct outbox *o, sqlite3_stmt *s, outbox_letter_fn *fn, void *arg,
    struct err *e)
{
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct outbox_letter l = letter_of(s);

		if (fn(arg, &l, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	if (rc != SQLITE_DONE)
		outbox_error(o, o->db, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
outbox_dead_letters(
    struct outbox *o, outbox_letter_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_DEAD_LIST, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, 0);
	sqlite3_bind_int64(s, 2, 0);
	return each_letter(o, s, fn, arg, e);
}

int
outbox_attempts(
    struct outbox *o, outbox_letter_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ATTEMPT_LIST, e);

	return s == NULL ? -1 : each_letter(o, s, fn, arg, e);
}

int
outbox_events(struct outbox *o, uint64_t seq, outbox_event_fn *fn, void *arg,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENTS, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
	sqlite3_bind_int64(s, 2, -1);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct outbox_event event = {
		    .seq = (uint64_t)sqlite3_column_int64(s, 0),
		    .time_ms = sqlite3_column_int64(s, 1),
		    .body = column_str(s, 5),
		};

		event.len = (size_t)sqlite3_column_bytes(s, 5);
		if (fn(arg, &event, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	if (rc != SQLITE_DONE)
		outbox_error(o, o->ledger, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* The dead letter in row S is a delivery once more. */
static int
revive(struct outbox *o, sqlite3_stmt *s, int64_t now_ms, struct err *e)
{
	sqlite3_stmt *add = outbox_prepare(o, OB_DELIVERY_ADD, e);

	if (add == NULL)
		return -1;
	sqlite3_bind_int64(add, 1, sqlite3_column_int64(s, 8));
	sqlite3_bind_int64(add, 2, sqlite3_column_int64(s, 1));
	sqlite3_bind_text(add, 3, column_str(s, 9), -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 4, sqlite3_column_int64(s, 10));
	sqlite3_bind_int64(add, 5, 0);
	sqlite3_bind_int64(add, 6, now_ms);
	return outbox_step(o, add, e);
}

int
outbox_redrive(struct outbox *o, int64_t sub, uint64_t seq, int64_t now_ms,
    uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_DEAD_LIST, e);
	int rc;

	*n = 0;
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)seq);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (revive(o, s, now_ms, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
		++*n;
	}
	sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		return outbox_error(o, o->db, "read", e);
	s = outbox_prepare(o, OB_DEAD_DROP, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)seq);
	return outbox_step(o, s, e);
}
