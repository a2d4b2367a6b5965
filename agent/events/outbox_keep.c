/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/outbox_db.h"
#include "agent/events/outbox_keep.h"
#include "agent/events/outbox_notice.h"

/* The one number that S says, INT64_MAX if that is NULL; ends S. */
static int
number(struct outbox *o, sqlite3_stmt *s, uint64_t *out, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		*out = sqlite3_column_type(s, 0) == SQLITE_NULL
		    ? INT64_MAX
		    : (uint64_t)sqlite3_column_int64(s, 0);
	else
		outbox_error(o, sqlite3_db_handle(s), "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 0 : -1;
}

int
outbox_keep_passed(
    struct outbox *o, int64_t seen_ms, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_KEEP_PASSED, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, seen_ms);
	return number(o, s, seq, e);
}

int
outbox_keep_referred(struct outbox *o, int64_t seen_ms, uint64_t from,
    uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_KEEP_REFERRED, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, seen_ms);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)from);
	return number(o, s, seq, e);
}

static int
see(struct outbox *o, enum outbox_stmt which, const char *name, int64_t now_ms,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, now_ms);
	return outbox_step(o, s, e);
}

int
outbox_keep_seen(
    struct outbox *o, const char *name, int64_t now_ms, struct err *e)
{
	return see(o, OB_KEEP_SEEN, name, now_ms, e);
}

int
outbox_keep_archive_seen(
    struct outbox *o, const char *name, int64_t now_ms, struct err *e)
{
	return see(o, OB_KEEP_ARCHIVE_SEEN, name, now_ms, e);
}

/* Binds up to three numbers and steps. */
static int
run(struct outbox *o, enum outbox_stmt which, int64_t a, int64_t b, int64_t c,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);
	const int64_t values[] = {a, b, c};
	int i;

	if (s == NULL)
		return -1;
	for (i = 0; i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, values[i]);
	return outbox_step(o, s, e);
}

/* A subscription whose events before CUT are given up. */
struct left {
	struct outbox *o;
	struct outbox_abandon *how;
	struct outbox_sub sub;
	struct outbox_delivery first; /* of them; without text */
	uint64_t letters, filtered;
	int64_t written; /* letters of events up to this are counted only */
};

static int
bury(struct left *l, sqlite3_stmt *event, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(l->o, OB_KEEP_LETTER, e);

	if (s == NULL)
		return -1;
	l->letters++;
	if (l->first.seq == 0)
		l->first.seq = (uint64_t)sqlite3_column_int64(event, 0);
	if (sqlite3_column_int64(event, 0) <= l->written)
		return 0;
	sqlite3_bind_int64(s, 1, l->sub.id);
	sqlite3_bind_int64(s, 2, sqlite3_column_int64(event, 0));
	sqlite3_bind_text(s, 3, column_str(event, 3), -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, sqlite3_column_int64(event, 4));
	sqlite3_bind_int64(s, 5, l->how->now_ms);
	return outbox_step(l->o, s, e);
}

/* What it hadn't come to yet, and would have wanted. */
static int
bury_unrouted(struct left *l, uint64_t cut, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(l->o, OB_EVENTS_BETWEEN, e);
	int rc = SQLITE_OK, wants = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)l->sub.routed);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)cut - 1);
	sqlite3_bind_int64(s, 3, -1);
	while (wants != -1 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct outbox_event event = {
		    .seq = (uint64_t)sqlite3_column_int64(s, 0),
		    .time_ms = sqlite3_column_int64(s, 1),
		    .body = column_str(s, 2),
		};

		event.len = (size_t)sqlite3_column_bytes(s, 2);
		wants = l->how->wants(l->how->arg, l->sub.name, &event, e);
		if (wants == 1 && bury(l, s, e) == -1)
			wants = -1;
		l->filtered += wants == 0;
	}
	if (wants != -1 && rc != SQLITE_DONE)
		wants = outbox_error(l->o, l->o->ledger, "read", e);
	sqlite3_reset(s);
	return wants == -1 ? -1 : 0;
}

/* The first of its deliveries that are given up. */
static int
find_first(struct left *l, uint64_t cut, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(l->o, OB_KEEP_FIRST, e);
	int rc;

	l->first = (struct outbox_delivery){.seq = 0};
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, l->sub.id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)cut);
	rc = outbox_row(l->o, s, e);
	if (rc != 1)
		return rc;
	l->first.seq = (uint64_t)sqlite3_column_int64(s, 0);
	l->first.attempts = (unsigned)sqlite3_column_int(s, 1);
	sqlite3_reset(s);
	return 0;
}

/* Others learn of it. */
static int
tell(struct left *l, struct err *e)
{
	struct outbox_notice notice = {
	    .task = outbox_task(l->o),
	    .about = &l->sub,
	    .now_ms = l->how->now_ms,
	    .reason = "retention",
	};

	return l->letters > 0
	    ? outbox_notice_dead(l->o, &notice, &l->first, 0, e)
	    : 0;
}

static int
abandon_sub(struct left *l, uint64_t cut, struct err *e)
{
	int64_t to = (int64_t)cut;
	sqlite3_stmt *s;

	if (find_first(l, cut, e) == -1 ||
	    run(l->o, OB_KEEP_DELIVERIES, l->sub.id, to, l->how->now_ms, e) ==
		-1)
		return -1;
	l->letters = (uint64_t)sqlite3_changes(l->o->db);
	if (run(l->o, OB_KEEP_NO_DELIVERIES, l->sub.id, to, 0, e) == -1 ||
	    run(l->o, OB_KEEP_UNBLOCK, l->sub.id, l->sub.ordering, 0, e) ==
		-1 ||
	    (l->how->letters_too &&
		run(l->o, OB_KEEP_LETTERS, l->sub.id, to, l->how->now_ms, e) ==
		    -1) ||
	    (l->sub.replay[0] == '\0' && bury_unrouted(l, cut, e) == -1) ||
	    tell(l, e) == -1)
		return -1;
	s = outbox_prepare(l->o, OB_KEEP_ROUTED, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, l->sub.id);
	sqlite3_bind_int64(s, 2, to);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)l->letters);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)l->filtered);
	l->how->letters += l->letters;
	return outbox_step(l->o, s, e);
}

/* The subscription after ID: 1, 0, -1. */
static int
next_sub(struct left *l, int64_t id, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(l->o, OB_KEEP_SUB, e);
	struct outbox_sub *sub = &l->sub;
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, l->how->seen_ms);
	sqlite3_bind_int64(s, 3, l->how->gone_ms);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		sub->id = sqlite3_column_int64(s, 0);
		snprintf(sub->name, sizeof(sub->name), "%s", column_str(s, 1));
		sub->routed = (uint64_t)sqlite3_column_int64(s, 2);
		snprintf(
		    sub->replay, sizeof(sub->replay), "%s", column_str(s, 3));
		sub->ordering = (enum outbox_ordering)sqlite3_column_int(s, 4);
	} else if (rc != SQLITE_DONE) {
		outbox_error(l->o, l->o->db, "read", e);
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* Events of the ledger after AFTER and before CUT. */
static int
count(
    struct outbox *o, uint64_t after, uint64_t cut, uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENTS_COUNT, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)after);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)cut);
	return number(o, s, n, e);
}

/* What the archive ID, of which LOST events never got there, goes on behind TO.
 */
static int
abandon_archive(struct outbox *o, const struct outbox_abandon *how, int64_t id,
    int64_t to, uint64_t lost, struct err *e)
{
	if (run(o, OB_KEEP_NO_SEGMENTS, id, to, 0, e) == -1 ||
	    run(o, OB_KEEP_ARCHIVED, id, to, (int64_t)lost, e) == -1)
		return -1;
	/* Where archives go may have changed: it is said once. */
	return how->letters_too ? 0 : run(o, OB_KEEP_ARCHIVE_GONE, id, 0, 0, e);
}

/* An archive has no dead letters: what it lacks is counted. */
static int
abandon_archives(
    struct outbox *o, struct outbox_abandon *how, uint64_t cut, struct err *e)
{
	int64_t id = 0, to = (int64_t)cut;
	sqlite3_stmt *s;
	int rc;

	for (;;) {
		uint64_t routed, lost, more;

		s = outbox_prepare(o, OB_KEEP_ARCHIVE, e);
		if (s == NULL)
			return -1;
		sqlite3_bind_int64(s, 1, id);
		sqlite3_bind_int64(s, 2, how->seen_ms);
		sqlite3_bind_int64(s, 3, to);
		sqlite3_bind_int64(s, 4, how->gone_ms);
		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		id = sqlite3_column_int64(s, 0);
		routed = (uint64_t)sqlite3_column_int64(s, 1);
		lost = (uint64_t)sqlite3_column_int64(s, 2);
		sqlite3_reset(s);
		if (count(o, routed, cut, &more, e) == -1)
			return -1;
		lost += more;
		if (abandon_archive(o, how, id, to, lost, e) == -1)
			return -1;
		how->not_archived += lost;
	}
	if (rc != SQLITE_DONE)
		outbox_error(o, o->db, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Of more letters than are kept only the last are written. */
static int
last_written(struct outbox *o, uint64_t cut, int64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENTS_LAST, e);
	bool found;

	*seq = 0;
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)cut);
	sqlite3_bind_int64(s, 2, OUTBOX_KEEP_LETTERS);
	return outbox_number(o, s, seq, &found, e);
}

int
outbox_keep_prune(struct outbox *o, int64_t before_ms, struct err *e)
{
	return outbox_run(o, OB_KEEP_PRUNE, before_ms, OUTBOX_KEEP_LETTERS, e);
}

int
outbox_keep_abandon(
    struct outbox *o, struct outbox_abandon *how, uint64_t *cut, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_KEEP_CUT, e);
	struct left l = {.o = o, .how = how};
	uint64_t whole;
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)*cut);
	if (number(o, s, &whole, e) == -1)
		return -1;
	if (whole < *cut)
		*cut = whole;
	if (last_written(o, *cut, &l.written, e) == -1)
		return -1;
	while ((rc = next_sub(&l, l.sub.id, e)) == 1) {
		l.letters = l.filtered = 0;
		if (abandon_sub(&l, *cut, e) == -1)
			return -1;
	}
	return rc == -1 ? -1 : abandon_archives(o, how, *cut, e);
}
