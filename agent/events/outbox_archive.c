/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/events/outbox_archive.h"
#include "agent/events/outbox_db.h"
#include "base/clock.h"

void
outbox_segment_clear(struct outbox_segment *s)
{
	free(s->object);
	free(s->pattern);
	*s = (struct outbox_segment){0};
}

int
outbox_be_durable(struct outbox *o, struct err *e)
{
	if (sqlite3_exec(o->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return outbox_error(o, o->db, "exec", e);
	return 0;
}

/* 1 and *A, 0, -1 */
static int
get(struct outbox *o, const char *name, struct outbox_archive *a, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ARCHIVE_GET, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*a = (struct outbox_archive){
		    .id = sqlite3_column_int64(s, 0),
		    .routed = (uint64_t)sqlite3_column_int64(s, 1),
		    .objects = (uint64_t)sqlite3_column_int64(s, 2),
		    .events = (uint64_t)sqlite3_column_int64(s, 3),
		    .dropped = (uint64_t)sqlite3_column_int64(s, 4),
		};
	else if (rc != SQLITE_DONE)
		outbox_error(o, o->db, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int
add(struct outbox *o, const char *name, uint64_t start, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ARCHIVE_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)start);
	return outbox_step(o, s, e);
}

int
outbox_archive_find(struct outbox *o, const char *name, uint64_t start,
    struct outbox_archive *a, struct err *e)
{
	int rc = get(o, name, a, e);

	if (rc == 0) {
		rc = add(o, name, start, e);
		if (rc == 0)
			rc = get(o, name, a, e);
	}
	return rc == 1 ? outbox_archive_save(o, a, e) : -1;
}

int
outbox_archive_save(
    struct outbox *o, const struct outbox_archive *a, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ARCHIVE_SAVE, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, a->id);
	sqlite3_bind_int64(s, 2, clock_wall_ns() / 1000000);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)a->routed);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)a->objects);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)a->events);
	return outbox_step(o, s, e);
}

int
outbox_segment_seal(struct outbox *o, const struct outbox_archive *a,
    const struct outbox_segment *seg, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SEGMENT_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, a->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)seg->first);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)seg->last);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)seg->events);
	sqlite3_bind_int64(s, 5, seg->time_ms);
	sqlite3_bind_text(s, 6, seg->object, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, seg->pattern, -1, SQLITE_STATIC);
	return outbox_step(o, s, e);
}

int
outbox_segment_next(struct outbox *o, const struct outbox_archive *a,
    struct outbox_segment *out, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SEGMENT_NEXT, e);
	AUTO(outbox_segment) struct outbox_segment seg = {0};
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, a->id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		seg.first = (uint64_t)sqlite3_column_int64(s, 0);
		seg.last = (uint64_t)sqlite3_column_int64(s, 1);
		seg.events = (uint64_t)sqlite3_column_int64(s, 2);
		seg.time_ms = sqlite3_column_int64(s, 3);
		seg.object = strdup(column_str(s, 4));
		seg.pattern = strdup(column_str(s, 5));
	} else if (rc != SQLITE_DONE) {
		outbox_error(o, o->db, "read", e);
	}
	sqlite3_reset(s);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : -1;
	if (seg.object == NULL || seg.pattern == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = seg;
	seg = (struct outbox_segment){0};
	return 1;
}

int
outbox_segment_drop(struct outbox *o, const struct outbox_archive *a,
    const struct outbox_segment *seg, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SEGMENT_DROP, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, a->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)seg->first);
	return outbox_step(o, s, e);
}

int
outbox_events_between(struct outbox *o, uint64_t after, uint64_t last,
    unsigned max, outbox_event_fn *fn, void *arg, unsigned *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENTS_BETWEEN, e);
	int rc, enough = 0;

	*n = 0;
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)after);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)last);
	sqlite3_bind_int64(s, 3, max);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct outbox_event event = {
		    .seq = (uint64_t)sqlite3_column_int64(s, 0),
		    .time_ms = sqlite3_column_int64(s, 1),
		    .body = column_str(s, 2),
		};

		event.len = (size_t)sqlite3_column_bytes(s, 2);
		enough = fn(arg, &event, e);
		if (enough != 0)
			break;
		++*n;
	}
	if (rc != SQLITE_DONE && enough == 0)
		enough = outbox_error(o, o->ledger, "read", e);
	sqlite3_reset(s);
	return enough == -1 ? -1 : 0;
}
