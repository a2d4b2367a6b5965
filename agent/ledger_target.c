/* SPDX-License-Identifier: ISC */
/* What the target holds: a temporary table. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"
#include "base/buf.h"

int
ledger_target_begin(struct ledger *l, struct err *e)
{
	const char *sql = l->has_target
	    ? "DELETE FROM temp.target"
	    : "CREATE TEMP TABLE target(path BLOB PRIMARY KEY, type, size,"
	      " etag, mtime_ns, mode, uid, gid, seen) WITHOUT ROWID";

	if (ledger_exec(l, sql, e) == -1)
		return -1;
	l->has_target = true;
	return 0;
}

/* Steps S, which writes to no table of the ledger's own. */
static int
done(struct ledger *l, sqlite3_stmt *s, struct err *e)
{
	unsigned uncommitted = l->uncommitted;
	int rc = ledger_done(l, s, e);

	if (rc == 0)
		l->uncommitted = uncommitted;
	return rc;
}

int
ledger_target_put(struct ledger *l, const char *path, size_t len,
    const struct store_stat *st, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_TARGET_PUT, e);

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, (int)st->type);
	bind_u64(s, 3, st->size);
	bind_text(s, 4, st->etag);
	if (st->has_source_mtime)
		sqlite3_bind_int64(s, 5, st->mtime_ns);
	else
		sqlite3_bind_null(s, 5);
	if (st->has_owner)
		bind_u64(s, 6, st->mode);
	else
		sqlite3_bind_null(s, 6);
	bind_u64(s, 7, st->uid);
	bind_u64(s, 8, st->gid);
	return done(l, s, e);
}

static void
column_target(sqlite3_stmt *s, struct store_stat *out)
{
	memset(out, 0, sizeof(*out));
	out->type = (enum item_type)sqlite3_column_int(s, 0);
	out->size = column_u64(s, 1);
	column_copy(s, 2, out->etag, sizeof(out->etag));
	out->has_source_mtime = sqlite3_column_type(s, 3) != SQLITE_NULL;
	out->mtime_ns = sqlite3_column_int64(s, 3);
	out->has_owner = sqlite3_column_type(s, 4) != SQLITE_NULL;
	out->mode = (uint32_t)sqlite3_column_int64(s, 4);
	out->uid = (uint32_t)sqlite3_column_int64(s, 5);
	out->gid = (uint32_t)sqlite3_column_int64(s, 6);
}

/* 1 or 0 for RC, of a step; else -1. */
static int
answer(struct ledger *l, int rc, struct err *e)
{
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return ledger_error(l, "read", e);
	return rc == SQLITE_ROW;
}

int
ledger_target_get(struct ledger *l, const char *path, size_t len,
    struct store_stat *out, struct err *e)
{
	sqlite3_stmt *s;
	int rc;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_GET, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		column_target(s, out);
	rc = answer(l, rc, e);
	sqlite3_reset(s);
	return rc;
}

/* Binds the range of paths below PATH: "a/" < all of them < "a0". */
static int
bind_below(struct ledger *l, sqlite3_stmt *s, const char *path, size_t len,
    struct buf *low, struct buf *high, struct err *e)
{
	buf_add(low, path, len);
	buf_add(high, path, len);
	if (len > 0) {
		buf_addc(low, '/');
		buf_addc(high, '/' + 1);
	} else {
		buf_add(high, l->last_name, sizeof(l->last_name));
	}
	if (buf_failed(low) || buf_failed(high))
		return err_set(e, ERR_NOMEM, "out of memory");
	bind_bytes(s, 1, low->data, low->len);
	bind_bytes(s, 2, high->data, high->len);
	return 0;
}

int
ledger_target_seen(
    struct ledger *l, const char *path, size_t len, bool below, struct err *e)
{
	AUTO(buf) struct buf low = BUF_INIT(1 << 20);
	AUTO(buf) struct buf high = BUF_INIT(1 << 20);
	sqlite3_stmt *s;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_SEEN, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	if (done(l, s, e) == -1)
		return -1;
	if (!below)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_SEEN_BELOW, e);
	if (s == NULL || bind_below(l, s, path, len, &low, &high, e) == -1)
		return -1;
	return done(l, s, e);
}

int
ledger_target_below(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	AUTO(buf) struct buf low = BUF_INIT(1 << 20);
	AUTO(buf) struct buf high = BUF_INIT(1 << 20);
	sqlite3_stmt *s;
	int rc;

	if (!l->has_target)
		return 0;
	s = ledger_prepare(l, STMT_TARGET_BELOW, e);
	if (s == NULL || bind_below(l, s, path, len, &low, &high, e) == -1)
		return -1;
	rc = answer(l, sqlite3_step(s), e);
	sqlite3_reset(s);
	return rc;
}

int
ledger_target_next(struct ledger *l, const char **path, size_t *len,
    struct store_stat *out, struct err *e)
{
	sqlite3_stmt *s;
	int rc;

	if (!l->has_target)
		return 0;
	s = l->in_target ? l->stmt[STMT_TARGET_NEXT]
			 : ledger_prepare(l, STMT_TARGET_NEXT, e);
	if (s == NULL)
		return -1;
	l->in_target = true;
	rc = answer(l, sqlite3_step(s), e);
	if (rc == 1) {
		column_target(s, out);
		*path = sqlite3_column_blob(s, 7);
		*len = (size_t)sqlite3_column_bytes(s, 7);
		return 1;
	}
	sqlite3_reset(s);
	l->in_target = false;
	return rc;
}
