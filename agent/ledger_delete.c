/* SPDX-License-Identifier: ISC */
/*
 * The target's listing, and what is to be deleted there: temporary tables, in
 * a file of SQLite's own, gone with the run.  What is intended and what came
 * of it is in the ledger.
 */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"

static int
make_target(struct ledger *l, struct err *e)
{
	if (l->has_target)
		return 0;
	if (ledger_exec(l,
		"CREATE TEMP TABLE target(path BLOB, is_dir, type, size, etag,"
		" mtime_ns, PRIMARY KEY(path, is_dir)) WITHOUT ROWID",
		e) == -1)
		return -1;
	l->has_target = true;
	return 0;
}

static int
make_gone(struct ledger *l, struct err *e)
{
	if (l->has_gone)
		return 0;
	if (ledger_exec(l,
		"CREATE TEMP TABLE gone(path BLOB, is_dir, type, size, etag,"
		" mtime_ns, known, PRIMARY KEY(path, is_dir)) WITHOUT ROWID;"
		"CREATE TEMP TABLE held(path BLOB PRIMARY KEY) WITHOUT ROWID",
		e) == -1)
		return -1;
	l->has_gone = true;
	return 0;
}

static void
bind_target(sqlite3_stmt *s, const char *path, size_t len,
    const struct ledger_target *t)
{
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, t->type == ITEM_DIR);
	sqlite3_bind_int(s, 3, (int)t->type);
	bind_u64(s, 4, t->size);
	bind_text(s, 5, t->etag);
	sqlite3_bind_int64(s, 6, t->mtime_ns);
}

/* type, size, etag and mtime_ns from column AT on. */
static void
column_target(sqlite3_stmt *s, int at, struct ledger_target *out)
{
	out->type = (enum item_type)sqlite3_column_int(s, at);
	out->size = column_u64(s, at + 1);
	column_copy(s, at + 2, out->etag, sizeof(out->etag));
	out->mtime_ns = sqlite3_column_int64(s, at + 3);
}

int
ledger_target_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_target *t, struct err *e)
{
	sqlite3_stmt *s;

	if (make_target(l, e) == -1)
		return -1;
	s = ledger_prepare(l, STMT_TARGET_PUT, e);
	if (s == NULL)
		return -1;
	bind_target(s, path, len, t);
	return ledger_temp_done(l, s, e);
}

int
ledger_target_get(struct ledger *l, const char *path, size_t len, bool is_dir,
    struct ledger_target *out, struct err *e)
{
	sqlite3_stmt *s;
	int rc;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_GET, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, is_dir);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		column_target(s, 0, out);
	return ledger_one_row(l, s, rc, e);
}

int
ledger_target_seen(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e)
{
	sqlite3_stmt *s;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_SEEN, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, is_dir);
	return ledger_temp_done(l, s, e);
}

/* The paths that lie below PATH are between these two. */
struct below {
	char *from, *to;
	size_t len;
};

static int
below_make(struct below *b, const char *path, size_t len, struct err *e)
{
	b->from = ledger_join(path, len, "", 0, &b->len);
	b->to = ledger_join(path, len, "", 0, &b->len);
	if (b->from == NULL || b->to == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (len > 0)
		b->to[b->len - 1] = '/' + 1;
	return 0;
}

static void
below_free(struct below *b)
{
	free(b->from);
	free(b->to);
}

/* Below the root is all: names begin with no 0xff 0xff. */
static void
bind_below(sqlite3_stmt *s, int at, const struct below *b)
{
	bind_bytes(s, at, b->from, b->len);
	bind_bytes(s, at + 1, b->len > 0 ? b->to : "\xff\xff",
	    b->len > 0 ? b->len : 2);
}

int
ledger_target_seen_below(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	struct below b = {.len = 0};
	sqlite3_stmt *s;
	int rc = -1;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_SEEN_BELOW, e);
	if (s != NULL && below_make(&b, path, len, e) == 0) {
		bind_below(s, 1, &b);
		rc = ledger_temp_done(l, s, e);
	}
	below_free(&b);
	return rc;
}

int
ledger_gone_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_target *t, struct err *e)
{
	sqlite3_stmt *s;

	if (make_gone(l, e) == -1)
		return -1;
	s = ledger_prepare(l, STMT_GONE_PUT, e);
	if (s == NULL)
		return -1;
	bind_target(s, path, len, t);
	return ledger_temp_done(l, s, e);
}

int
ledger_below(struct ledger *l, const char *path, size_t len,
    ledger_below_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_BELOW, e);
	struct below b = {.len = 0};
	int rc = SQLITE_DONE;
	bool failed = s == NULL || below_make(&b, path, len, e) == -1;

	if (!failed) {
		bind_bytes(s, 1, path, len);
		bind_below(s, 2, &b);
	}
	while (!failed && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_target t;
		size_t n = 0;
		AUTO(free)
		char *p = ledger_join(sqlite3_column_blob(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0),
		    sqlite3_column_blob(s, 1),
		    (size_t)sqlite3_column_bytes(s, 1), &n);

		column_target(s, 2, &t);
		if (p == NULL)
			err_set(e, ERR_NOMEM, "out of memory");
		failed = p == NULL || fn(arg, p, n, &t, e) == -1;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		failed = ledger_error(l, "read", e) == -1;
	if (s != NULL)
		sqlite3_reset(s);
	below_free(&b);
	return failed ? -1 : 0;
}

int
ledger_hold_parents(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	const char *slash = len > 0 ? memrchr(path, '/', len) : NULL;
	sqlite3_stmt *s;

	if (make_gone(l, e) == -1)
		return -1;
	while (slash != NULL) {
		len = (size_t)(slash - path);
		s = ledger_prepare(l, STMT_HOLD, e);
		if (s == NULL)
			return -1;
		bind_bytes(s, 1, path, len);
		if (ledger_temp_done(l, s, e) == -1)
			return -1;
		slash = memrchr(path, '/', len);
	}
	return 0;
}

int
ledger_victims(struct ledger *l, bool listed, uint64_t *count, struct err *e)
{
	static const char listed_too[] =
	    "INSERT OR IGNORE INTO temp.gone"
	    " SELECT path,is_dir,type,size,etag,mtime_ns,0 FROM temp.target";
	sqlite3_stmt *s = NULL;
	int rc;

	listed = listed && l->has_target;
	if (make_gone(l, e) == -1 || make_target(l, e) == -1 ||
	    ledger_depth(l, e) == -1 ||
	    ledger_exec(l,
		"CREATE TEMP TABLE victim(at INTEGER PRIMARY KEY, depth,"
		" path BLOB, type, size, etag, mtime_ns, known, there);"
		"CREATE INDEX temp.victim_path ON victim(path)",
		e) == -1 ||
	    (listed && ledger_exec(l, listed_too, e) == -1) ||
	    ledger_exec(l,
		"DELETE FROM temp.gone WHERE is_dir"
		" AND path IN (SELECT path FROM temp.held)",
		e) == -1 ||
	    ledger_exec(l,
		listed ? "INSERT INTO temp.victim(depth,path,type,size,etag,"
			 "mtime_ns,known,there)"
			 " SELECT g.is_dir*depth(g.path),g.path,g.type,g.size,"
			 "g.etag,g.mtime_ns,g.known,t.path IS NOT NULL"
			 " FROM temp.gone g LEFT JOIN temp.target t"
			 " ON t.path=g.path AND t.is_dir=g.is_dir"
			 " ORDER BY g.is_dir,1 DESC,2"
		       : "INSERT INTO temp.victim(depth,path,type,size,etag,"
			 "mtime_ns,known,there)"
			 " SELECT is_dir*depth(path),path,type,size,etag,"
			 "mtime_ns,known,1 FROM temp.gone"
			 " ORDER BY is_dir,1 DESC,2",
		e) == -1)
		return -1;
	if (sqlite3_prepare_v2(l->db,
		"SELECT COUNT(*) FROM temp.victim WHERE there", -1, &s,
		NULL) != SQLITE_OK)
		return ledger_error(l, "prepare", e);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*count = column_u64(s, 0);
	rc = ledger_one_row(l, s, rc, e);
	sqlite3_finalize(s);
	return rc == 1 ? 0 : -1;
}

int
ledger_victim_next(struct ledger *l, struct ledger_victim *v, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_VICTIM_NEXT, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, v->at);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		free(v->path);
		v->at = sqlite3_column_int64(s, 0);
		v->depth = (unsigned)sqlite3_column_int(s, 1);
		v->path = ledger_join(NULL, 0, sqlite3_column_blob(s, 2),
		    (size_t)sqlite3_column_bytes(s, 2), &v->path_len);
		column_target(s, 3, &v->is);
		v->known = sqlite3_column_int(s, 7) != 0;
		v->there = sqlite3_column_int(s, 8) != 0;
	}
	rc = ledger_one_row(l, s, rc, e);
	if (rc == 1 && v->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return rc;
}

int
ledger_victim_has(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_VICTIM_HAS, e);

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, is_dir);
	return ledger_one_row(l, s, sqlite3_step(s), e);
}

int
ledger_victim_spare(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_VICTIM_SPARE, e);

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	if (ledger_temp_done(l, s, e) == -1)
		return -1;
	return sqlite3_changes(l->db) > 0;
}

const char *
ledger_fate_name(enum ledger_fate fate)
{
	static const char *const names[] = {
	    [FATE_OPEN] = "intended",
	    [FATE_DELETED] = "deleted",
	    [FATE_ABSENT] = "absent",
	    [FATE_RETURNED] = "kept-at-the-source",
	    [FATE_CHANGED] = "kept-changed",
	    [FATE_NOT_EMPTY] = "kept-not-empty",
	    [FATE_FAILED] = "failed",
	};
	size_t i = (size_t)fate;

	return i < sizeof(names) / sizeof(names[0]) && names[i] != NULL
	    ? names[i]
	    : "unknown";
}

int
ledger_deletion_put(struct ledger *l, uint64_t run_id, const char *path,
    size_t len, enum item_type type, uint64_t size, enum ledger_fate fate,
    struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_DELETION_PUT, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	bind_bytes(s, 2, path, len);
	sqlite3_bind_int(s, 3, (int)type);
	bind_u64(s, 4, size);
	sqlite3_bind_int(s, 5, (int)fate);
	return ledger_done(l, s, e);
}

int
ledger_deletions(struct ledger *l, uint64_t run_id, ledger_deletion_fn *fn,
    void *arg, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_DELETION_LIST, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_deletion d = {
		    .path = sqlite3_column_blob(s, 0),
		    .path_len = (size_t)sqlite3_column_bytes(s, 0),
		    .type = (enum item_type)sqlite3_column_int(s, 1),
		    .size = column_u64(s, 2),
		    .fate = (enum ledger_fate)sqlite3_column_int(s, 3),
		};

		if (fn(arg, &d, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return ledger_one_row(l, s, rc, e);
}

int
ledger_forget(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_FILE_FORGET, e);

	if (s == NULL)
		return -1;
	bind_path(s, 1, path, len);
	sqlite3_bind_int(s, 3, is_dir);
	return ledger_done(l, s, e);
}
