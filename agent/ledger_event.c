/* SPDX-License-Identifier: ISC */
/* Events, for whoever delivers them (agent/events/outbox.h). */
#include "config.h"

#include "agent/ledger_db.h"
#include "base/clock.h"

#define EVENT_BYTES_MIN 100 /* no event takes less of a ledger */

/* Numbers go on from the last event, or from the time in microseconds. */
static int
find_last(struct ledger *l, struct err *e)
{
	uint64_t now_us = (uint64_t)(clock_wall_ns() / 1000);
	sqlite3_stmt *s;
	int rc;

	if (l->event_seq != 0)
		return 0;
	s = ledger_prepare(l, STMT_EVENT_LAST, e);
	if (s == NULL)
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		l->event_seq = column_u64(s, 0);
	if (ledger_one_row(l, s, rc, e) == -1)
		return -1;
	if (l->event_seq < now_us)
		l->event_seq = now_us;
	return 0;
}

int
ledger_event_next(struct ledger *l, uint64_t *seq, struct err *e)
{
	if (find_last(l, e) == -1)
		return -1;
	*seq = ++l->event_seq;
	return 0;
}

int
ledger_event_after(struct ledger *l, uint64_t seq, struct err *e)
{
	if (find_last(l, e) == -1)
		return -1;
	if (l->event_seq < seq)
		l->event_seq = seq;
	return 0;
}

int
ledger_event_put(
    struct ledger *l, const struct ledger_event *event, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_EVENT_PUT, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, event->seq);
	sqlite3_bind_int64(s, 2, event->time_ns / 1000000);
	bind_text(s, 3, event->type);
	bind_text(s, 4, event->key);
	bind_u64(s, 5, event->run_id);
	sqlite3_bind_int(s, 6, event->ends_run);
	bind_text(s, 7, event->body);
	rc = ledger_done(l, s, e);
	sqlite3_clear_bindings(s);
	return rc;
}

/* The one number that S says; 1, 0 if it says nothing, -1. */
static int
number(struct ledger *l, sqlite3_stmt *s, uint64_t *out, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		*out = column_u64(s, 0);
	return ledger_one_row(l, s, rc, e);
}

int
ledger_event_since(
    struct ledger *l, int64_t time_ns, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_SINCE, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, time_ns / 1000000);
	rc = number(l, s, seq, e);
	if (rc == 0)
		*seq = INT64_MAX;
	return rc == -1 ? -1 : 0;
}

/* The newest ROWS events begin with *SEQ; 1, 0 if there are no more. */
static int
over_rows(struct ledger *l, uint64_t rows, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_NTH, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, rows - 1);
	return number(l, s, seq, e);
}

/* The same for those of BYTES together. */
static int
over_bytes(struct ledger *l, uint64_t bytes, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_SIZES, e);
	uint64_t sum = 0;
	int rc;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		sum += column_u64(s, 1);
		if (sum > bytes)
			break;
		*seq = column_u64(s, 0);
	}
	if (rc == SQLITE_ROW && *seq == 0)
		*seq = column_u64(s, 0) + 1;
	return ledger_one_row(l, s, rc, e);
}

int
ledger_event_over(struct ledger *l, uint64_t rows, uint64_t bytes,
    uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_SIZE, e);
	uint64_t by_rows = 0, by_bytes = 0, all = 0;

	if (s == NULL || number(l, s, &all, e) != 1)
		return -1;
	/* Mostly the whole ledger is smaller. */
	if ((rows > 0 && all / EVENT_BYTES_MIN >= rows &&
		over_rows(l, rows, &by_rows, e) == -1) ||
	    (bytes > 0 && all > bytes &&
		over_bytes(l, bytes, &by_bytes, e) == -1))
		return -1;
	*seq = by_rows > by_bytes ? by_rows : by_bytes;
	return 0;
}

int
ledger_event_forget(
    struct ledger *l, uint64_t from, uint64_t to, bool *more, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_EVENT_FORGET, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, from);
	bind_u64(s, 2, to);
	bind_u64(s, 3, LEDGER_EVENT_FORGET_MAX);
	if (ledger_done(l, s, e) == -1)
		return -1;
	*more = sqlite3_changes(l->db) == LEDGER_EVENT_FORGET_MAX;
	return 0;
}
