/* SPDX-License-Identifier: ISC */
/* Files that are to be looked at in another order than the scan's: a temporary
 * table, sorted once. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"

int
ledger_later_put(struct ledger *l, const struct ledger_later *f, struct err *e)
{
	sqlite3_stmt *s;

	if (!l->has_later &&
	    ledger_exec(l,
		"CREATE TEMP TABLE later(place, dir BLOB, name BLOB, what,"
		" st BLOB)",
		e) == -1)
		return -1;
	l->has_later = true;
	s = ledger_prepare(l, STMT_LATER_PUT, e);
	if (s == NULL)
		return -1;
	bind_u64(s, 1, f->st.ino);
	bind_bytes(s, 2, f->dir, f->dir_len);
	bind_bytes(s, 3, f->name, f->name_len);
	sqlite3_bind_int(s, 4, f->what);
	bind_bytes(s, 5, &f->st, sizeof(f->st));
	return ledger_temp_done(l, s, e);
}

int
ledger_later_sort(struct ledger *l, struct err *e)
{
	return ledger_exec(
	    l, "CREATE INDEX temp.later_place ON later(place)", e);
}

int
ledger_later_next(struct ledger *l, struct ledger_later *f, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_LATER_NEXT, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, f->st.ino);
	sqlite3_bind_int64(s, 2, f->row);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return ledger_error(l, "read", e);
	if (rc == SQLITE_DONE)
		return 0;
	f->row = sqlite3_column_int64(s, 0);
	f->dir = sqlite3_column_blob(s, 1);
	f->dir_len = (size_t)sqlite3_column_bytes(s, 1);
	f->name = sqlite3_column_blob(s, 2);
	f->name_len = (size_t)sqlite3_column_bytes(s, 2);
	f->what = sqlite3_column_int(s, 3);
	memcpy(&f->st, sqlite3_column_blob(s, 4), sizeof(f->st));
	return 1;
}
