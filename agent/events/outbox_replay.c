/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/outbox_db.h"
#include "agent/events/outbox_replay.h"

void
outbox_replay_clear(struct outbox_replay *r)
{
	free(r->pattern);
	r->pattern = NULL;
}

/* A row of its own among the subscriptions, before event FIRST: its id. */
static int
add_sub(struct outbox *o, const struct outbox_replay *r, int64_t first,
    int64_t *id, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_REPLAY_SUB_ADD, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, r->sub, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)(r->made_us / 1000));
	sqlite3_bind_int64(s, 4, first - 1);
	rc = sqlite3_step(s);
	sqlite3_reset(s);
	if (rc == SQLITE_CONSTRAINT)
		return err_set(e, ERR_EXISTS,
		    "%s has a replay %s already: take another --name", r->sub,
		    r->name);
	if (rc != SQLITE_DONE)
		return outbox_error(o, o->db, "write", e);
	*id = sqlite3_last_insert_rowid(o->db);
	return 0;
}

static int
add_replay(struct outbox *o, const struct outbox_replay *r, int64_t id,
    uint64_t until, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_REPLAY_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_text(s, 2, "active", -1, SQLITE_STATIC);
	sqlite3_bind_text(
	    s, 3, r->pattern != NULL ? r->pattern : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, r->from_ms);
	sqlite3_bind_int64(s, 5, r->to_ms);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)until);
	sqlite3_bind_int(s, 7, r->new_ids);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)r->rate);
	sqlite3_bind_int64(s, 9, (sqlite3_int64)r->made_us);
	return outbox_step(o, s, e);
}

int
outbox_replay_add(
    struct outbox *o, const struct outbox_replay *r, uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_EVENT_RANGE, e);
	int64_t first, id = 0;
	uint64_t until;
	int rc;

	*n = 0;
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, r->from_ms);
	sqlite3_bind_int64(s, 2, r->to_ms);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	first = sqlite3_column_int64(s, 0);
	until = (uint64_t)sqlite3_column_int64(s, 1);
	*n = (uint64_t)sqlite3_column_int64(s, 2);
	sqlite3_reset(s);
	if (*n == 0)
		return 0;
	if (add_sub(o, r, first, &id, e) == -1)
		return -1;
	return add_replay(o, r, id, until, e);
}

int
outbox_replay_next(
    struct outbox *o, int64_t id, struct outbox_replay *out, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_REPLAY_NEXT, e);
	int rc;

	outbox_replay_clear(out);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	rc = outbox_row(o, s, e);
	if (rc != 1)
		return rc;
	out->id = sqlite3_column_int64(s, 0);
	snprintf(out->sub, sizeof(out->sub), "%s", column_str(s, 1));
	snprintf(out->name, sizeof(out->name), "%s", column_str(s, 2));
	snprintf(out->state, sizeof(out->state), "%s", column_str(s, 3));
	out->pattern = strdup(column_str(s, 4));
	out->from_ms = sqlite3_column_int64(s, 5);
	out->to_ms = sqlite3_column_int64(s, 6);
	out->until = (uint64_t)sqlite3_column_int64(s, 7);
	out->new_ids = sqlite3_column_int(s, 8) != 0;
	out->rate = (uint64_t)sqlite3_column_int64(s, 9);
	out->made_us = (uint64_t)sqlite3_column_int64(s, 10);
	out->waiting = (uint64_t)sqlite3_column_int64(s, 11);
	sqlite3_reset(s);
	if (out->pattern == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 1;
}

int
outbox_replay_end(
    struct outbox *o, int64_t id, const char *state, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_REPLAY_STATE, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_text(s, 2, state, -1, SQLITE_STATIC);
	if (outbox_step(o, s, e) == -1)
		return -1;
	return outbox_run(o, OB_DROP_DELIVERIES, id, 0, e);
}
