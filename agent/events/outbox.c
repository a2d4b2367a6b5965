/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/events/outbox_db.h"
#include "base/buf.h"
#include "base/lockfile.h"
#include "base/owner.h"

#define SCHEMA_VERSION 1
/* For another's lock: of who has nothing else to do, of who sends, and of who
 * keeps others waiting. */
#define PATIENT_WAIT_MS 60000
#define SENDER_WAIT_MS 10000
#define SOON_WAIT_MS 1000

int
outbox_error(struct outbox *o, sqlite3 *db, const char *what, struct err *e)
{
	int code = db != NULL ? sqlite3_errcode(db) : SQLITE_NOMEM;
	enum err_kind kind = ERR_SYS;

	if (code == SQLITE_FULL)
		kind = ERR_NOSPACE;
	else if (code == SQLITE_BUSY)
		kind = ERR_BUSY;
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

	if (write &&
	    exec(o,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA journal_size_limit=67108864;"
		"PRAGMA wal_autocheckpoint=8000;",
		e) == -1)
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
	AUTO(free) char *direct = NULL;

	buf_addf(&path, "%s/%s", o->path, name);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((flags & SQLITE_OPEN_CREATE) == 0 &&
	    access(buf_str(&path), F_OK) == -1)
		return err_sys(e, "%s", buf_str(&path));
	direct = owner_direct(buf_str(&path));
	if (direct == NULL)
		return err_sys(e, "%s", buf_str(&path));
	if (sqlite3_open_v2(direct, db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return outbox_error(o, *db, "open", e);
	owner_inherit(buf_str(&path));
	return 0;
}

static struct outbox *
open_within(const char *dir, bool write, int wait_ms, struct err *e)
{
	AUTO(outbox) struct outbox *o = calloc(1, sizeof(*o));
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
			  : SQLITE_OPEN_READONLY;

	if (o != NULL)
		o->lock = -1;
	if (o == NULL || (o->path = strdup(dir)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (open_db(o, "ledger.db", SQLITE_OPEN_READONLY, &o->ledger, e) ==
		-1 ||
	    open_db(o, "deliveries.db", flags, &o->db, e) == -1)
		return NULL;
	sqlite3_busy_timeout(o->ledger, SENDER_WAIT_MS);
	sqlite3_busy_timeout(o->db, wait_ms);
	return set_up(o, write, e) == 0 ? TAKE(o) : NULL;
}

struct outbox *
outbox_open(const char *dir, bool write, struct err *e)
{
	return open_within(dir, write, PATIENT_WAIT_MS, e);
}

struct outbox *
outbox_open_soon(const char *dir, bool write, struct err *e)
{
	return open_within(dir, write, SOON_WAIT_MS, e);
}

void
outbox_wait_more(struct outbox *o)
{
	sqlite3_busy_timeout(o->db, SENDER_WAIT_MS);
}

void
outbox_keep_log(struct outbox *o)
{
	sqlite3_db_config(o->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
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
	if (o->lock != -1)
		close(o->lock);
	free(o->path);
	free(o);
}

int
outbox_run(struct outbox *o, enum outbox_stmt which, int64_t a, int64_t b,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, which, e);
	int n = s != NULL ? sqlite3_bind_parameter_count(s) : 0;

	if (s == NULL)
		return -1;
	if (n > 0)
		sqlite3_bind_int64(s, 1, a);
	if (n > 1)
		sqlite3_bind_int64(s, 2, b);
	return outbox_step(o, s, e);
}

int
outbox_row(struct outbox *o, sqlite3_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		outbox_error(o, sqlite3_db_handle(s), "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
outbox_number(
    struct outbox *o, sqlite3_stmt *s, int64_t *out, bool *found, struct err *e)
{
	int rc = s != NULL ? outbox_row(o, s, e) : -1;

	if (rc == -1)
		return -1;
	*found = rc == 1 && sqlite3_column_type(s, 0) != SQLITE_NULL;
	if (*found)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return 0;
}

int
outbox_begin(struct outbox *o, struct err *e)
{
	return outbox_run(o, OB_BEGIN, 0, 0, e);
}

int
outbox_commit(struct outbox *o, struct err *e)
{
	return outbox_run(o, OB_COMMIT, 0, 0, e);
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

const char *
outbox_task(const struct outbox *o)
{
	const char *slash = strrchr(o->path, '/');

	return slash != NULL ? slash + 1 : o->path;
}

int
outbox_own(struct outbox *o, struct err *e)
{
	if (o->lock != -1)
		return 1;
	return lockfile_take(o->path, "deliveries.lock", &o->lock, e);
}

int
outbox_changed(struct outbox *o, struct err *e)
{
	int64_t before = o->changes;
	bool found;

	if (outbox_number(o, outbox_prepare(o, OB_CHANGED, e), &o->changes,
		&found, e) == -1)
		return -1;
	return o->changes != before;
}
