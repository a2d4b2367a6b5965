/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/events/outbox_db.h"
#include "base/buf.h"
#include "base/clock.h"

#define SCHEMA_VERSION 1

int
outbox_error(struct outbox *o, sqlite3 *db, const char *what, struct err *e)
{
	int code = db != NULL ? sqlite3_errcode(db) : SQLITE_NOMEM;
	enum err_kind kind = ERR_SYS;

	if (code == SQLITE_FULL)
		kind = ERR_NOSPACE;
	else if (code == SQLITE_NOMEM)
		kind = ERR_NOMEM;
	else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		kind = ERR_MISMATCH;
	return err_set(e, kind, "%s/%s: %s: %s", o->path,
	    db == o->ledger && db != NULL ? "ledger.db" : "deliveries.db", what,
	    db != NULL ? sqlite3_errmsg(db) : "out of memory");
}

sqlite3_stmt *
outbox_prepare(struct outbox *o, enum outbox_stmt which, struct err *e)
{
	sqlite3 *db = which >= OB_EVENTS ? o->ledger : o->db;
	sqlite3_stmt *s = o->stmt[which];

	if (s != NULL) {
		sqlite3_reset(s);
		sqlite3_clear_bindings(s);
		return s;
	}
	if (sqlite3_prepare_v3(db, outbox_sql(which), -1,
		SQLITE_PREPARE_PERSISTENT, &o->stmt[which],
		NULL) != SQLITE_OK) {
		outbox_error(o, db, "prepare", e);
		return NULL;
	}
	return o->stmt[which];
}

int
outbox_step(struct outbox *o, sqlite3_stmt *s, struct err *e)
{
	if (sqlite3_step(s) != SQLITE_DONE) {
		outbox_error(o, sqlite3_db_handle(s), "write", e);
		sqlite3_reset(s);
		return -1;
	}
	sqlite3_reset(s);
	return 0;
}

static int
exec(struct outbox *o, const char *sql, struct err *e)
{
	if (sqlite3_exec(o->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return outbox_error(o, o->db, "exec", e);
	return 0;
}

/* The user_version of deliveries.db; -1. */
static int
version_of(struct outbox *o, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(o->db, "PRAGMA user_version", -1, &s, NULL) ==
		SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		version = sqlite3_column_int(s, 0);
	else
		outbox_error(o, o->db, "schema", e);
	sqlite3_finalize(s);
	return version;
}

static int
set_up(struct outbox *o, bool write, struct err *e)
{
	int version;

	if (exec(o, "PRAGMA busy_timeout=10000;", e) == -1 ||
	    (write &&
		exec(o,
		    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		    "PRAGMA journal_size_limit=67108864;"
		    "PRAGMA wal_autocheckpoint=8000;",
		    e) == -1))
		return -1;
	version = version_of(o, e);
	if (version == -1)
		return -1;
	if (version > SCHEMA_VERSION)
		return err_set(e, ERR_CONFIG,
		    "%s/deliveries.db was made by a newer dray: use that one",
		    o->path);
	if (version == SCHEMA_VERSION)
		return 0;
	if (!write)
		return err_set(
		    e, ERR_NOTFOUND, "no deliveries yet in %s", o->path);
	if (exec(o, "BEGIN IMMEDIATE;", e) == -1 ||
	    exec(o, outbox_schema, e) == -1)
		return -1;
	return exec(o, "PRAGMA user_version=1; COMMIT;", e);
}

static int
open_db(
    struct outbox *o, const char *name, int flags, sqlite3 **db, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s", o->path, name);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((flags & SQLITE_OPEN_CREATE) == 0 &&
	    access(buf_str(&path), F_OK) == -1)
		return err_sys(e, "%s", buf_str(&path));
	if (sqlite3_open_v2(buf_str(&path), db, flags | SQLITE_OPEN_NOMUTEX,
		NULL) != SQLITE_OK)
		return outbox_error(o, *db, "open", e);
	return 0;
}

struct outbox *
outbox_open(const char *dir, bool write, struct err *e)
{
	AUTO(outbox) struct outbox *o = calloc(1, sizeof(*o));
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
			  : SQLITE_OPEN_READONLY;

	if (o == NULL || (o->path = strdup(dir)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (open_db(o, "ledger.db", SQLITE_OPEN_READONLY, &o->ledger, e) ==
		-1 ||
	    open_db(o, "deliveries.db", flags, &o->db, e) == -1 ||
	    set_up(o, write, e) == -1)
		return NULL;
	sqlite3_busy_timeout(o->ledger, 10000);
	return TAKE(o);
}

void
outbox_close(struct outbox *o)
{
	size_t i;

	if (o == NULL)
		return;
	for (i = 0; i < OB_COUNT; i++)
		sqlite3_finalize(o->stmt[i]);
	sqlite3_close(o->db);
	sqlite3_close(o->ledger);
	free(o->path);
	free(o);
}

static int
run(struct outbox *o, enum outbox_stmt which, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);

	return s != NULL ? outbox_step(o, s, e) : -1;
}

int
outbox_begin(struct outbox *o, struct err *e)
{
	return run(o, OB_BEGIN, e);
}

int
outbox_commit(struct outbox *o, struct err *e)
{
	return run(o, OB_COMMIT, e);
}

void
outbox_rollback(struct outbox *o)
{
	size_t i;

	for (i = 0; i < OB_COUNT; i++)
		sqlite3_reset(o->stmt[i]);
	/* Closing rolls back as well: what fails here is made good there. */
	sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
}

static void
read_sub(sqlite3_stmt *s, struct outbox_sub *sub)
{
	memset(sub, 0, sizeof(*sub));
	sub->id = sqlite3_column_int64(s, 0);
	snprintf(sub->name, sizeof(sub->name), "%s", column_str(s, 1));
	snprintf(sub->state, sizeof(sub->state), "%s", column_str(s, 2));
	snprintf(sub->reason, sizeof(sub->reason), "%s", column_str(s, 3));
	sub->routed = (uint64_t)sqlite3_column_int64(s, 4);
	sub->fail_since_ms = sqlite3_column_int64(s, 5);
	sub->delivered = (uint64_t)sqlite3_column_int64(s, 6);
	sub->filtered = (uint64_t)sqlite3_column_int64(s, 7);
	sub->dead = (uint64_t)sqlite3_column_int64(s, 8);
	sub->live = (uint64_t)sqlite3_column_int64(s, 9);
}

/* 1 and *SUB, 0, -1 */
static int
one_sub(
    struct outbox *o, sqlite3_stmt *s, struct outbox_sub *sub, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		read_sub(s, sub);
	else if (rc != SQLITE_DONE)
		outbox_error(o, o->db, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
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
add_sub(struct outbox *o, const char *name, uint64_t start, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)start);
	return outbox_step(o, s, e);
}

int
outbox_subscribe(struct outbox *o, const char *name, uint64_t start,
    struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s;
	int rc = get_sub(o, name, sub, e);

	if (rc == 0) {
		rc = add_sub(o, name, start, e);
		if (rc == 0)
			rc = get_sub(o, name, sub, e);
	}
	s = rc == 1 ? outbox_prepare(o, OB_READY_AGAIN, e) : NULL;
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	snprintf(sub->state, sizeof(sub->state), "active");
	sub->reason[0] = '\0';
	return outbox_step(o, s, e) == -1 ? -1 : outbox_sub_save(o, sub, e);
}

int
outbox_sub_save(struct outbox *o, const struct outbox_sub *sub, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_SUB_SAVE, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_text(s, 2, sub->state, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, sub->reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, clock_wall_ns() / 1000000);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)sub->routed);
	sqlite3_bind_int64(s, 6, sub->fail_since_ms);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)sub->delivered);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)sub->filtered);
	sqlite3_bind_int64(s, 9, (sqlite3_int64)sub->dead);
	return outbox_step(o, s, e);
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
