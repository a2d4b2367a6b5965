/* SPDX-License-Identifier: ISC */
/* The target's listing, for a verification: a temporary table. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"
#include "base/buf.h"

int
ledger_listed_begin(struct ledger *l, struct err *e)
{
	const char *sql = l->has_listed
	    ? "DELETE FROM temp.listed"
	    : "CREATE TEMP TABLE listed(path BLOB, is_dir, type, size, etag,"
	      " mtime_ns, mode, uid, gid, nlink, dev, ino, seen,"
	      " PRIMARY KEY(path, is_dir))"
	      " WITHOUT ROWID";

	if (ledger_exec(l, sql, e) == -1)
		return -1;
	l->has_listed = true;
	return 0;
}

int
ledger_listed_put(struct ledger *l, const char *path, size_t len,
    const struct store_stat *st, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_LISTED_PUT, e);

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, st->type == ITEM_DIR);
	sqlite3_bind_int(s, 3, (int)st->type);
	bind_u64(s, 4, st->size);
	bind_text(s, 5, st->etag);
	if (st->has_source_mtime)
		sqlite3_bind_int64(s, 6, st->mtime_ns);
	else
		sqlite3_bind_null(s, 6);
	if (st->has_owner)
		bind_u64(s, 7, st->mode);
	else
		sqlite3_bind_null(s, 7);
	bind_u64(s, 8, st->uid);
	bind_u64(s, 9, st->gid);
	bind_u64(s, 10, st->nlink);
	bind_u64(s, 11, st->dev);
	bind_u64(s, 12, st->ino);
	return ledger_temp_done(l, s, e);
}

static void
column_listed(sqlite3_stmt *s, struct store_stat *out)
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
	out->nlink = (uint32_t)sqlite3_column_int64(s, 7);
	out->dev = column_u64(s, 8);
	out->ino = column_u64(s, 9);
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
ledger_listed_take(struct ledger *l, const char *path, size_t len, bool is_dir,
    struct store_stat *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_LISTED_GET, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, is_dir);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		column_listed(s, out);
	rc = ledger_one_row(l, s, rc, e);
	if (rc != 1)
		return rc;
	s = ledger_prepare(l, STMT_LISTED_SEEN, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, out->type == ITEM_DIR);
	return ledger_temp_done(l, s, e) == -1 ? -1 : 1;
}

/* Binds the range of paths below PATH: "a/" <= all of them < "a0". */
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
ledger_listed_pass(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	AUTO(buf) struct buf low = BUF_INIT(1 << 20);
	AUTO(buf) struct buf high = BUF_INIT(1 << 20);
	sqlite3_stmt *s;
	int is_dir;

	for (is_dir = 0; is_dir < 2; is_dir++) {
		s = ledger_prepare(l, STMT_LISTED_SEEN, e);
		if (s == NULL)
			return -1;
		bind_bytes(s, 1, path, len);
		sqlite3_bind_int(s, 2, is_dir);
		if (ledger_temp_done(l, s, e) == -1)
			return -1;
	}
	s = ledger_prepare(l, STMT_LISTED_PASS, e);
	if (s == NULL || bind_below(l, s, path, len, &low, &high, e) == -1)
		return -1;
	return ledger_temp_done(l, s, e);
}

int
ledger_listed_below(
    struct ledger *l, const char *path, size_t len, struct err *e)
{
	AUTO(buf) struct buf low = BUF_INIT(1 << 20);
	AUTO(buf) struct buf high = BUF_INIT(1 << 20);
	sqlite3_stmt *s;

	s = ledger_prepare(l, STMT_LISTED_BELOW, e);
	if (s == NULL || bind_below(l, s, path, len, &low, &high, e) == -1)
		return -1;
	return ledger_one_row(l, s, sqlite3_step(s), e);
}

int
ledger_listed_next(struct ledger *l, const char **path, size_t *len,
    struct store_stat *out, struct err *e)
{
	sqlite3_stmt *s;
	int rc;

	s = l->in_listed ? l->stmt[STMT_LISTED_NEXT]
			 : ledger_prepare(l, STMT_LISTED_NEXT, e);
	if (s == NULL)
		return -1;
	l->in_listed = true;
	rc = answer(l, sqlite3_step(s), e);
	if (rc == 1) {
		column_listed(s, out);
		*path = sqlite3_column_blob(s, LISTED_COLUMN_COUNT);
		*len = (size_t)sqlite3_column_bytes(s, LISTED_COLUMN_COUNT);
		return 1;
	}
	sqlite3_reset(s);
	l->in_listed = false;
	return rc;
}
