/* SPDX-License-Identifier: ISC */
/* Deliveries: made of events, taken, settled. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/outbox_db.h"
#include "agent/events/outbox_notice.h"

#define ATTEMPTS_KEPT 10000

static int
add_delivery(struct outbox *o, struct outbox_sub *sub, sqlite3_stmt *event,
    const struct outbox_routing *how, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_DELIVERY_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, sqlite3_column_int64(event, 0));
	sqlite3_bind_text(s, 3, column_str(event, 2), -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, sqlite3_column_int64(event, 3));
	sqlite3_bind_int64(s, 5, sqlite3_column_int64(event, 4));
	sqlite3_bind_int64(s, 6, how->now_ms);
	sqlite3_bind_int64(
	    s, 7, how->fresh ? how->now_ms : sqlite3_column_int64(event, 1));
	sqlite3_bind_int(s, 8, (int)sub->ordering);
	if (outbox_step(o, s, e) == -1)
		return -1;
	sub->live++;
	return 0;
}

struct outbox_event
outbox_event_of(sqlite3_stmt *s)
{
	struct outbox_event event = {
	    .seq = (uint64_t)sqlite3_column_int64(s, 0),
	    .time_ms = sqlite3_column_int64(s, 1),
	    .body = column_str(s, 5),
	};

	event.len = (size_t)sqlite3_column_bytes(s, 5);
	return event;
}

/* Rows of S after *CURSOR; what is about SUB itself is not for it. */
static int
route_from(struct outbox *o, struct outbox_sub *sub, enum outbox_stmt which,
    uint64_t *cursor, const struct outbox_routing *how, unsigned *seen,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);
	int rc, wanted;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)*cursor);
	sqlite3_bind_int64(s, 2, how->max);
	while ((rc = outbox_row(o, s, e)) == 1) {
		struct outbox_event event = outbox_event_of(s);

		if (how->until > 0 && event.seq > how->until) {
			sqlite3_reset(s);
			return 0;
		}
		wanted = which == OB_NOTICES &&
			strcmp(column_str(s, 6), sub->name) == 0
		    ? 0
		    : how->filter(how->arg, &event, e);
		if (wanted == -1 ||
		    (wanted == 1 && add_delivery(o, sub, s, how, e) == -1)) {
			sqlite3_reset(s);
			return -1;
		}
		sub->filtered += wanted == 0;
		*cursor = event.seq;
		++*seen;
	}
	return rc;
}

int
outbox_route(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_routing *how, unsigned *seen, struct err *e)
{
	unsigned notices = 0;

	*seen = 0;
	if (how->until == 0 &&
	    route_from(o, sub, OB_NOTICES, &sub->noticed, how, &notices, e) ==
		-1)
		return -1;
	return route_from(o, sub, OB_EVENTS, &sub->routed, how, seen, e);
}

/* Whether there is a row after number SEQ: 1, 0, -1. */
static int
is_behind(struct outbox *o, enum outbox_stmt which, uint64_t seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);
	int64_t next;
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
	sqlite3_bind_int64(s, 2, 1);
	return outbox_number(o, s, &next, &found, e) == -1 ? -1 : found;
}

int
outbox_has_news(struct outbox *o, const struct outbox_sub *sub, struct err *e)
{
	int rc = is_behind(o, OB_EVENTS, sub->routed, e);

	return rc == 0 ? is_behind(o, OB_NOTICES, sub->noticed, e) : rc;
}

void
outbox_delivery_clear(struct outbox_delivery *d)
{
	free(d->key);
	free(d->body);
	*d = (struct outbox_delivery){0};
}

/* The event of *D: 1, 0 if it isn't there any more, -1. */
static int
read_body(struct outbox *o, struct outbox_delivery *d, struct err *e)
{
	bool notice = d->seq >= OUTBOX_NOTICE_FIRST;
	sqlite3_stmt *s = outbox_prepare(o, notice ? OB_NOTICE : OB_EVENT, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)d->seq);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	d->body = strdup(column_str(s, 0));
	sqlite3_reset(s);
	if (d->body == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->len = strlen(d->body);
	return 1;
}

static int
claim_row(struct outbox *o, const struct outbox_sub *sub, int64_t now_ms,
    struct outbox_delivery *d, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_CLAIM, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, now_ms);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		d->seq = (uint64_t)sqlite3_column_int64(s, 0);
		d->run = (uint64_t)sqlite3_column_int64(s, 1);
		d->attempts = (unsigned)sqlite3_column_int(s, 2) + 1;
		d->key = strdup(column_str(s, 3));
		d->since_ms = sqlite3_column_int64(s, 4);
		if (d->key == NULL)
			rc = SQLITE_NOMEM;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		outbox_error(o, o->db, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

int64_t
outbox_due(struct outbox *o, const struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_DUE, e);
	int64_t due = 0;
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	return outbox_number(o, s, &due, &found, e) == -1 ? -1 : due;
}

int
outbox_failure(struct outbox *o, const struct outbox_sub *sub, int *status,
    char *text, size_t size, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_FAILURE, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	*status = sqlite3_column_int(s, 0);
	snprintf(text, size, "%s", column_str(s, 1));
	sqlite3_reset(s);
	return 1;
}

int
outbox_newest(struct outbox *o, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_NEWEST, e);
	int64_t newest = 0;
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, OUTBOX_NOTICE_FIRST);
	if (outbox_number(o, s, &newest, &found, e) == -1)
		return -1;
	*seq = (uint64_t)newest;
	return 0;
}

static int
log_attempt(struct outbox *o, const struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ATTEMPT_ADD, e);
	sqlite3_int64 id;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)d->seq);
	sqlite3_bind_int64(s, 3, d->attempts);
	sqlite3_bind_int64(s, 4, how->at_ms);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)how->took_ms);
	sqlite3_bind_int(s, 6, how->status);
	sqlite3_bind_text(s, 7, how->error, -1, SQLITE_STATIC);
	if (outbox_step(o, s, e) == -1)
		return -1;
	id = sqlite3_last_insert_rowid(o->db);
	if (id % (ATTEMPTS_KEPT / 10) != 0)
		return 0;
	s = outbox_prepare(o, OB_ATTEMPT_PRUNE, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id - ATTEMPTS_KEPT);
	return outbox_step(o, s, e);
}

/* The delivery is over: those that wait for it. */
static int
finish(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_delivery *d, struct err *e)
{
	sqlite3_stmt *s;

	if (outbox_run(o, OB_DELIVERY_DROP, sub->id, (int64_t)d->seq, e) ==
		-1 ||
	    outbox_run(o, OB_UNBLOCK_RUN, sub->id, (int64_t)d->run, e) == -1)
		return -1;
	sub->live -= sub->live > 0;
	if (sub->ordering == OUTBOX_NONE)
		return 0;
	if (sub->ordering == OUTBOX_STRICT)
		return outbox_run(o, OB_UNBLOCK_NEXT, sub->id, 0, e);
	s = outbox_prepare(o, OB_UNBLOCK_KEY, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_text(s, 2, d->key, -1, SQLITE_STATIC);
	return outbox_step(o, s, e);
}

int
outbox_take_back(struct outbox *o, const struct outbox_sub *sub,
    const struct outbox_delivery *d, struct err *e)
{
	return outbox_run(o, OB_TAKEN_BACK, sub->id, (int64_t)d->seq, e);
}

int
outbox_done(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    struct err *e)
{
	if (log_attempt(o, sub, d, how, e) == -1 || finish(o, sub, d, e) == -1)
		return -1;
	sub->delivered++;
	return 0;
}

int
outbox_retry(struct outbox *o, const struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    int64_t next_ms, struct err *e)
{
	sqlite3_stmt *s;

	if (log_attempt(o, sub, d, how, e) == -1)
		return -1;
	s = outbox_prepare(o, OB_RETRY, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)d->seq);
	sqlite3_bind_int64(s, 3, next_ms);
	sqlite3_bind_int(s, 4, how->status);
	sqlite3_bind_text(s, 5, how->error, -1, SQLITE_STATIC);
	return outbox_step(o, s, e);
}

int
outbox_dead(struct outbox *o, struct outbox_sub *sub,
    const struct outbox_delivery *d, const struct outbox_outcome *how,
    const char *reason, struct err *e)
{
	sqlite3_stmt *s;

	if (log_attempt(o, sub, d, how, e) == -1)
		return -1;
	s = outbox_prepare(o, OB_DEAD_ADD, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)d->seq);
	sqlite3_bind_text(s, 3, d->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)d->run);
	sqlite3_bind_int64(s, 5, how->at_ms);
	sqlite3_bind_text(s, 6, reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 7, d->attempts);
	sqlite3_bind_int(s, 8, how->status);
	sqlite3_bind_text(s, 9, how->error, -1, SQLITE_STATIC);
	if (outbox_step(o, s, e) == -1 || finish(o, sub, d, e) == -1)
		return -1;
	sub->dead++;
	return 0;
}

int
outbox_read_event(struct outbox *o, struct outbox_sub *sub,
    struct outbox_delivery *d, int64_t now_ms, struct err *e)
{
	static const char gone[] = "its event went with a lost ledger";
	struct outbox_outcome lost = {.at_ms = now_ms, .error = gone};
	struct outbox_notice notice = {
	    .task = outbox_task(o),
	    .about = sub,
	    .now_ms = now_ms,
	    .reason = "lost",
	};
	int rc = read_body(o, d, e);

	if (rc == 0)
		rc = outbox_notice_dead(o, &notice, d, 0, e);
	return rc == 0 ? outbox_dead(o, sub, d, &lost, "lost", e) : rc;
}

int
outbox_claim(struct outbox *o, struct outbox_sub *sub, int64_t now_ms,
    struct outbox_delivery *out, struct err *e)
{
	struct outbox_delivery d = {0};
	int rc;

	while ((rc = claim_row(o, sub, now_ms, &d, e)) == 1) {
		rc = outbox_read_event(o, sub, &d, now_ms, e);
		if (rc != 0)
			break;
		outbox_delivery_clear(&d);
	}
	if (rc == 1)
		rc = outbox_run(o, OB_CLAIMED, sub->id, (int64_t)d.seq, e) == 0
		    ? 1
		    : -1;
	if (rc == 1)
		*out = d;
	else
		outbox_delivery_clear(&d);
	return rc;
}
