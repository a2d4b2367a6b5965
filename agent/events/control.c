/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/events/control.h"
#include "base/buf.h"
#include "base/owner.h"

#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS subscription(name TEXT PRIMARY KEY,"
    " state INTEGER NOT NULL, reason TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    " fail_since_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS idle(name TEXT NOT NULL,"
    " from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    " PRIMARY KEY(name, from_ms)) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

struct control {
	sqlite3 *db; /* NULL: nothing was ever decided */
	char *path;
	int64_t changes; /* of others, as of the last look */
};

const char *
control_state_name(enum control_state state)
{
	static const char *const names[] = {
	    [CONTROL_ACTIVE] = "active",
	    [CONTROL_PAUSED] = "paused",
	    [CONTROL_DISABLED] = "disabled",
	};

	return names[state];
}

uint64_t
control_age_ms(
    const struct control_entry *entry, int64_t since_ms, int64_t now_ms)
{
	int64_t age = now_ms - since_ms;
	unsigned i;

	for (i = 0; i < entry->idle_n; i++) {
		int64_t from = entry->idle[i].from_ms;
		int64_t to = entry->idle[i].to_ms;

		if (to == 0 || to > now_ms)
			to = now_ms;
		if (from < since_ms)
			from = since_ms;
		if (from < to)
			age -= to - from;
	}
	return age > 0 ? (uint64_t)age : 0;
}

static int
fail(struct control *c, struct err *e)
{
	int code = sqlite3_errcode(c->db);

	return err_set(e, code == SQLITE_FULL ? ERR_NOSPACE : ERR_SYS, "%s: %s",
	    c->path, sqlite3_errmsg(c->db));
}

static int
exec(struct control *c, const char *sql, struct err *e)
{
	return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK
	    ? 0
	    : fail(c, e);
}

static void
auto_stmt(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

/* SQL whose first parameters are NAME and A, if it has them. */
static sqlite3_stmt *
prepare(struct control *c, const char *sql, const char *name, int64_t a,
    struct err *e)
{
	sqlite3_stmt *s = NULL;
	int n;

	if (sqlite3_prepare_v2(c->db, sql, -1, &s, NULL) != SQLITE_OK) {
		fail(c, e);
		return NULL;
	}
	n = sqlite3_bind_parameter_count(s);
	if (n > 0)
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (n > 1)
		sqlite3_bind_int64(s, 2, a);
	return s;
}

static int
run(struct control *c, const char *sql, const char *name, int64_t a,
    struct err *e)
{
	AUTO(stmt) sqlite3_stmt *s = prepare(c, sql, name, a, e);

	if (s == NULL)
		return -1;
	return sqlite3_step(s) == SQLITE_DONE ? 0 : fail(c, e);
}

/* The number in its first column; 0 without a row. */
static int
number(struct control *c, const char *sql, int64_t *out, struct err *e)
{
	AUTO(stmt) sqlite3_stmt *s = prepare(c, sql, "", 0, e);
	int rc = s != NULL ? sqlite3_step(s) : SQLITE_ERROR;

	if (s != NULL && rc != SQLITE_ROW && rc != SQLITE_DONE)
		fail(c, e);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int
set_up(struct control *c, bool write, struct err *e)
{
	int64_t version;

	sqlite3_busy_timeout(c->db, 10000);
	if (number(c, "PRAGMA user_version", &version, e) == -1)
		return -1;
	if (version > SCHEMA_VERSION)
		return err_set(e, ERR_CONFIG,
		    "%s was made by a newer dray: use that one", c->path);
	if (version == SCHEMA_VERSION)
		return 0;
	if (!write) {
		/* Somebody is about to make it. */
		sqlite3_close(TAKE(c->db));
		return 0;
	}
	if (exec(c, "BEGIN IMMEDIATE", e) == -1 || exec(c, schema, e) == -1)
		return -1;
	return exec(c, "COMMIT", e);
}

struct control *
control_open(const char *dir, bool write, struct err *e)
{
	AUTO(control) struct control *c = calloc(1, sizeof(*c));
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(free) char *direct = NULL;
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
			  : SQLITE_OPEN_READONLY;

	buf_addf(&path, "%s/.subscriptions.db", dir);
	if (c == NULL || (c->path = buf_take(&path)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (!write && access(c->path, F_OK) == -1)
		return TAKE(c);
	direct = owner_direct(c->path);
	if (direct == NULL) {
		err_sys(e, "%s", c->path);
		return NULL;
	}
	if (sqlite3_open_v2(direct, &c->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK) {
		fail(c, e);
		return NULL;
	}
	owner_inherit(c->path);
	return set_up(c, write, e) == 0 ? TAKE(c) : NULL;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	sqlite3_close(c->db);
	free(c->path);
	free(c);
}

int
control_changed(struct control *c, struct err *e)
{
	int64_t before = c->changes;

	if (c->db == NULL)
		return 0;
	if (number(c, "PRAGMA data_version", &c->changes, e) == -1)
		return -1;
	return c->changes != before;
}

static int
read_idle(struct control *c, const char *name, struct control_entry *out,
    struct err *e)
{
	AUTO(stmt)
	sqlite3_stmt *s = prepare(c,
	    "SELECT from_ms,to_ms FROM idle WHERE name=?"
	    " ORDER BY from_ms DESC LIMIT ?",
	    name, CONTROL_IDLE_MAX, e);
	int rc = SQLITE_ERROR;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		unsigned i = out->idle_n++;

		out->idle[i].from_ms = sqlite3_column_int64(s, 0);
		out->idle[i].to_ms = sqlite3_column_int64(s, 1);
	}
	return rc == SQLITE_DONE ? 0 : fail(c, e);
}

int
control_get(struct control *c, const char *name, struct control_entry *out,
    struct err *e)
{
	AUTO(stmt) sqlite3_stmt *s = NULL;
	int rc;

	*out = (struct control_entry){.state = CONTROL_ACTIVE};
	if (c->db == NULL)
		return 0;
	s = prepare(c,
	    "SELECT state,reason,since_ms,fail_since_ms FROM subscription"
	    " WHERE name=?",
	    name, 0, e);
	if (s == NULL)
		return -1;
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : fail(c, e);
	out->state = (enum control_state)sqlite3_column_int(s, 0);
	snprintf(out->reason, sizeof(out->reason), "%s",
	    (const char *)sqlite3_column_text(s, 1));
	out->since_ms = sqlite3_column_int64(s, 2);
	out->fail_since_ms = sqlite3_column_int64(s, 3);
	return read_idle(c, name, out, e);
}

static int
add_row(struct control *c, const char *name, struct err *e)
{
	return run(c, "INSERT OR IGNORE INTO subscription VALUES(?1,0,'',0,0)",
	    name, 0, e);
}

/* Its rest begins or ends. */
static int
note_idle(struct control *c, const char *name, bool idle, int64_t now_ms,
    struct err *e)
{
	if (!idle)
		return run(c,
		    "UPDATE idle SET to_ms=?2 WHERE name=?1 AND to_ms=0", name,
		    now_ms, e);
	if (run(c, "INSERT OR REPLACE INTO idle VALUES(?1,?2,0)", name, now_ms,
		e) == -1)
		return -1;
	return run(c,
	    "DELETE FROM idle WHERE name=?1 AND from_ms NOT IN (SELECT from_ms"
	    " FROM idle WHERE name=?1 ORDER BY from_ms DESC LIMIT ?2)",
	    name, CONTROL_IDLE_MAX, e);
}

/* A new state begins a new series of failures. */
static int
write_state(struct control *c, const char *name, enum control_state state,
    const char *reason, int64_t now_ms, struct err *e)
{
	AUTO(stmt)
	sqlite3_stmt *s = prepare(c,
	    "UPDATE subscription SET state=?3,reason=?4,since_ms=?2,"
	    "fail_since_ms=0 WHERE name=?1",
	    name, now_ms, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int(s, 3, (int)state);
	sqlite3_bind_text(s, 4, reason, -1, SQLITE_STATIC);
	return sqlite3_step(s) == SQLITE_DONE ? 0 : fail(c, e);
}

/* Within a transaction: 1, 0, -1. */
static int
set(struct control *c, const char *name, enum control_state state,
    const char *reason, int64_t now_ms, struct err *e)
{
	struct control_entry was;
	bool idle = state != CONTROL_ACTIVE;

	if (add_row(c, name, e) == -1 || control_get(c, name, &was, e) == -1)
		return -1;
	if (was.state == CONTROL_DISABLED && state == CONTROL_PAUSED)
		return 0;
	if ((was.state != CONTROL_ACTIVE) != idle &&
	    note_idle(c, name, idle, now_ms, e) == -1)
		return -1;
	if (was.state == state)
		return 1;
	return write_state(c, name, state, reason, now_ms, e) == 0 ? 1 : -1;
}

int
control_set(struct control *c, const char *name, enum control_state state,
    const char *reason, int64_t now_ms, struct err *e)
{
	int rc;

	if (exec(c, "BEGIN IMMEDIATE", e) == -1)
		return -1;
	rc = set(c, name, state, reason, now_ms, e);
	if (rc != -1 && exec(c, "COMMIT", e) == -1)
		rc = -1;
	/* What fails here is made good by closing. */
	if (rc == -1)
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int
control_failing(
    struct control *c, const char *name, int64_t since_ms, struct err *e)
{
	if (add_row(c, name, e) == -1)
		return -1;
	return run(c, "UPDATE subscription SET fail_since_ms=?2 WHERE name=?1",
	    name, since_ms, e);
}

int
control_forget(struct control *c, const char *name, struct err *e)
{
	if (run(c, "DELETE FROM subscription WHERE name=?", name, 0, e) == -1)
		return -1;
	return run(c, "DELETE FROM idle WHERE name=?", name, 0, e);
}
