/* SPDX-License-Identifier: ISC */
/* Events, for whoever delivers them (agent/events/outbox.h). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
ledger_event_any(struct ledger *l, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_LAST, e);

	return s != NULL ? ledger_one_row(l, s, sqlite3_step(s), e) : -1;
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

static int
write_event(struct ledger *l, enum ledger_stmt how,
    const struct ledger_event *event, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, how, e);
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

int
ledger_event_put(
    struct ledger *l, const struct ledger_event *event, struct err *e)
{
	return write_event(l, STMT_EVENT_PUT, event, e);
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

/* How many events there are up to number LAST, and of how many bytes. */
struct counted {
	uint64_t last, rows, bytes;
};
/* In the ledger, so that no event is looked at for it in every run. */
#define COUNTED "events counted"

static int
read_counted(struct ledger *l, struct counted *c, struct err *e)
{
	char text[80] = "", *p = text;
	int rc = ledger_meta_get(l, COUNTED, text, sizeof(text), e);

	c->last = strtoull(p, &p, 10);
	c->rows = strtoull(p, &p, 10);
	c->bytes = strtoull(p, &p, 10);
	return rc == -1 ? -1 : 0;
}

static int
write_counted(struct ledger *l, const struct counted *c, struct err *e)
{
	char text[80];

	snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64,
	    c->last, c->rows, c->bytes);
	return ledger_meta_set(l, COUNTED, text, e);
}

/* Those from FROM on and before TO. */
static int
sum(struct ledger *l, uint64_t from, uint64_t to, struct counted *out,
    struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_SUM, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, from);
	bind_u64(s, 2, to);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = (struct counted){
		    .rows = column_u64(s, 0),
		    .bytes = column_u64(s, 1),
		    .last = column_u64(s, 2),
		};
	return ledger_one_row(l, s, rc, e) == 1 ? 0 : -1;
}

/* All of them; only new ones are looked at. */
static int
count_on(struct ledger *l, struct counted *c, struct err *e)
{
	struct counted more;

	if (read_counted(l, c, e) == -1 ||
	    sum(l, c->last + 1, INT64_MAX, &more, e) == -1)
		return -1;
	if (more.rows == 0)
		return 0;
	c->last = more.last;
	c->rows += more.rows;
	c->bytes += more.bytes;
	return write_counted(l, c, e);
}

/* Those from FROM on and before TO are forgotten. */
static int
count_off(struct ledger *l, uint64_t from, uint64_t to, struct err *e)
{
	struct counted c, less;

	if (read_counted(l, &c, e) == -1)
		return -1;
	if (sum(l, from, to <= c.last ? to : c.last + 1, &less, e) == -1)
		return -1;
	if (less.rows == 0)
		return 0;
	c.rows -= less.rows < c.rows ? less.rows : c.rows;
	c.bytes -= less.bytes < c.bytes ? less.bytes : c.bytes;
	return write_counted(l, &c, e);
}

int
ledger_event_over(struct ledger *l, uint64_t rows, uint64_t bytes,
    uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_SIZE, e);
	uint64_t by_rows = 0, by_bytes = 0, all = 0;
	struct counted c = {.rows = 0};

	*seq = 0;
	if (s == NULL || number(l, s, &all, e) != 1)
		return -1;
	/* Mostly the whole ledger is smaller. */
	if ((rows == 0 || all / EVENT_BYTES_MIN < rows) &&
	    (bytes == 0 || all <= bytes))
		return 0;
	if (count_on(l, &c, e) == -1 ||
	    (rows > 0 && c.rows > rows &&
		over_rows(l, rows, &by_rows, e) == -1) ||
	    (bytes > 0 && c.bytes > bytes &&
		over_bytes(l, bytes, &by_bytes, e) == -1))
		return -1;
	*seq = by_rows > by_bytes ? by_rows : by_bytes;
	return 0;
}

int
ledger_event_forget(
    struct ledger *l, uint64_t from, uint64_t to, bool *more, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_EVENT_AFTER, e);
	uint64_t next = to;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, from);
	bind_u64(s, 2, LEDGER_EVENT_FORGET_MAX);
	if (number(l, s, &next, e) == -1)
		return -1;
	*more = next < to;
	if (next > to)
		next = to;
	if (count_off(l, from, next, e) == -1)
		return -1;
	s = ledger_prepare_write(l, STMT_EVENT_FORGET, e);
	if (s == NULL)
		return -1;
	bind_u64(s, 1, from);
	bind_u64(s, 2, next);
	return ledger_done(l, s, e);
}

int
ledger_event_restore(
    struct ledger *l, const struct ledger_event *event, struct err *e)
{
	struct counted c;

	if (write_event(l, STMT_EVENT_RESTORE, event, e) == -1)
		return -1;
	if (sqlite3_changes(l->db) == 0)
		return 0;
	if (read_counted(l, &c, e) == -1)
		return -1;
	if (event->seq > c.last)
		return 1;
	c.rows++;
	c.bytes += strlen(event->body);
	return write_counted(l, &c, e) == 0 ? 1 : -1;
}
