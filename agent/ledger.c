/* SPDX-License-Identifier: ISC */
/* Statements, transactions, columns. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"

int
ledger_error(struct ledger *l, const char *what, struct err *e)
{
	int code =
	    l->db != NULL ? sqlite3_extended_errcode(l->db) : SQLITE_NOMEM;
	enum err_kind kind = ERR_SYS;

	if ((code & 0xff) == SQLITE_FULL)
		kind = ERR_NOSPACE;
	else if ((code & 0xff) == SQLITE_NOMEM)
		kind = ERR_NOMEM;
	else if ((code & 0xff) == SQLITE_CORRUPT ||
	    (code & 0xff) == SQLITE_NOTADB)
		kind = ERR_MISMATCH;
	if (kind == ERR_MISMATCH && l->lock_fd >= 0)
		l->damaged = true;
	return err_set(e, kind, "ledger %s: %s: %s%s", l->path, what,
	    l->db != NULL ? sqlite3_errmsg(l->db) : "out of memory",
	    l->damaged ? "; it is set aside now, the same command again "
			 "makes a new one from what the target holds"
		       : "");
}

int
ledger_exec(struct ledger *l, const char *sql, struct err *e)
{
	if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ledger_error(l, "exec", e);
	return 0;
}

sqlite3_stmt *
ledger_prepare(struct ledger *l, enum ledger_stmt which, struct err *e)
{
	sqlite3_stmt *s = l->stmt[which];

	if (s != NULL) {
		sqlite3_reset(s);
		return s;
	}
	if (sqlite3_prepare_v3(l->db, ledger_sql(which), -1,
		SQLITE_PREPARE_PERSISTENT, &l->stmt[which],
		NULL) != SQLITE_OK) {
		ledger_error(l, "prepare", e);
		return NULL;
	}
	return l->stmt[which];
}

sqlite3_stmt *
ledger_prepare_write(struct ledger *l, enum ledger_stmt which, struct err *e)
{
	sqlite3_stmt *begin;

	if (l->refusing) {
		err_set(e, ERR_STOPPED,
		    "ledger %s: nothing is recorded since it was rolled back",
		    l->path);
		return NULL;
	}
	if (!l->in_transaction) {
		begin = ledger_prepare(l, STMT_BEGIN, e);
		if (begin == NULL)
			return NULL;
		if (sqlite3_step(begin) != SQLITE_DONE) {
			ledger_error(l, "begin", e);
			sqlite3_reset(begin);
			return NULL;
		}
		sqlite3_reset(begin);
		l->in_transaction = true;
	}
	return ledger_prepare(l, which, e);
}

int
ledger_done(struct ledger *l, sqlite3_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc != SQLITE_DONE) {
		ledger_error(l, "write", e);
		ledger_rollback(l);
		return -1;
	}
	sqlite3_reset(s);
	l->uncommitted++;
	return 0;
}

int
ledger_temp_done(struct ledger *l, sqlite3_stmt *s, struct err *e)
{
	unsigned uncommitted = l->uncommitted;
	int rc = ledger_done(l, s, e);

	if (rc == 0)
		l->uncommitted = uncommitted;
	return rc;
}

unsigned
ledger_uncommitted(const struct ledger *l)
{
	return l->uncommitted;
}

int
ledger_commit(struct ledger *l, struct err *e)
{
	sqlite3_stmt *s;

	if (!l->in_transaction)
		return 0;
	s = ledger_prepare(l, STMT_COMMIT, e);
	if (s == NULL)
		return -1;
	if (sqlite3_step(s) != SQLITE_DONE) {
		ledger_error(l, "commit", e);
		ledger_rollback(l);
		return -1;
	}
	sqlite3_reset(s);
	l->in_transaction = false;
	l->uncommitted = 0;
	return 0;
}

void
ledger_rollback(struct ledger *l)
{
	size_t i;

	for (i = 0; i < STMT_COUNT; i++)
		sqlite3_reset(l->stmt[i]);
	/* Closing rolls back as well: what fails here is made good there. */
	sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	l->in_transaction = false;
	l->uncommitted = 0;
	l->last_set = 0;
	l->refusing = true;
}

void
ledger_accept(struct ledger *l)
{
	l->refusing = false;
}

void
bind_stat(sqlite3_stmt *s, int at, const struct item_stat *st)
{
	sqlite3_bind_int(s, at, (int)st->type);
	bind_u64(s, at + 1, st->mode);
	bind_u64(s, at + 2, st->uid);
	bind_u64(s, at + 3, st->gid);
	bind_u64(s, at + 4, st->size);
	sqlite3_bind_int64(s, at + 5, st->mtime_ns);
	sqlite3_bind_int64(s, at + 6, st->ctime_ns);
	bind_u64(s, at + 7, st->ino);
	bind_u64(s, at + 8, st->dev);
}

void
column_stat(sqlite3_stmt *s, int at, struct item_stat *st)
{
	st->type = (enum item_type)sqlite3_column_int(s, at);
	st->mode = (uint32_t)sqlite3_column_int64(s, at + 1);
	st->uid = (uint32_t)sqlite3_column_int64(s, at + 2);
	st->gid = (uint32_t)sqlite3_column_int64(s, at + 3);
	st->size = column_u64(s, at + 4);
	st->mtime_ns = sqlite3_column_int64(s, at + 5);
	st->ctime_ns = sqlite3_column_int64(s, at + 6);
	st->ino = column_u64(s, at + 7);
	st->dev = column_u64(s, at + 8);
}

void
bind_path(sqlite3_stmt *s, int at, const char *path, size_t len)
{
	const char *slash = len > 0 ? memrchr(path, '/', len) : NULL;
	size_t dir_len = slash != NULL ? (size_t)(slash - path) : 0;
	size_t name_at = slash != NULL ? dir_len + 1 : 0;

	bind_bytes(s, at, path, dir_len);
	bind_bytes(s, at + 1, path + name_at, len - name_at);
}

bool
column_bytes(sqlite3_stmt *s, int at, void *out, size_t size)
{
	const void *p = sqlite3_column_blob(s, at);

	if (p == NULL || (size_t)sqlite3_column_bytes(s, at) != size)
		return false;
	memcpy(out, p, size);
	return true;
}

void
column_copy(sqlite3_stmt *s, int at, char *out, size_t size)
{
	const void *p = sqlite3_column_blob(s, at);
	size_t n = (size_t)sqlite3_column_bytes(s, at);

	if (p == NULL)
		n = 0;
	if (n > size - 1)
		n = size - 1;
	if (n > 0)
		memcpy(out, p, n);
	out[n] = '\0';
}

char *
ledger_join(const void *dir, size_t dir_len, const void *name, size_t name_len,
    size_t *len)
{
	size_t sep = dir_len > 0 ? 1 : 0;
	char *path = malloc(dir_len + sep + name_len + 1);

	if (path == NULL)
		return NULL;
	if (dir_len > 0)
		memcpy(path, dir, dir_len);
	if (sep > 0)
		path[dir_len] = '/';
	memcpy(path + dir_len + sep, name, name_len);
	*len = dir_len + sep + name_len;
	path[*len] = '\0';
	return path;
}

int
ledger_one_row(struct ledger *l, sqlite3_stmt *s, int rc, struct err *e)
{
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

int
ledger_meta_get(
    struct ledger *l, const char *key, char *out, size_t size, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_META_GET, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_text(s, 1, key);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		column_copy(s, 0, out, size);
	return ledger_one_row(l, s, rc, e);
}

int
ledger_meta_set(
    struct ledger *l, const char *key, const char *value, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_META_SET, e);

	if (s == NULL)
		return -1;
	bind_text(s, 1, key);
	bind_text(s, 2, value);
	return ledger_done(l, s, e);
}

int
ledger_forget_items(struct ledger *l, struct err *e)
{
	return ledger_exec(
	    l, "DELETE FROM file; DELETE FROM upload; DELETE FROM part;", e);
}

const char *
ledger_library_version(void)
{
	return sqlite3_libversion();
}
