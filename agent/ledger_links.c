/* SPDX-License-Identifier: ISC */
/* Files with several names. */
#include "config.h"

#include <stdlib.h>

#include "agent/ledger_db.h"

/* The row that S finds, if any. */
static int
take_leader(
    struct ledger *l, sqlite3_stmt *s, struct ledger_leader *out, struct err *e)
{
	struct ledger_leader found = {.path = NULL};
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) {
		found.path = ledger_join(sqlite3_column_blob(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0),
		    sqlite3_column_blob(s, 1),
		    (size_t)sqlite3_column_bytes(s, 1), &found.path_len);
		column_file(s, 2, &found.row);
	} else if (rc != SQLITE_DONE) {
		ledger_error(l, "read", e);
	}
	sqlite3_reset(s);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : -1;
	if (found.path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = found;
	return 1;
}

static int
leader_of(struct ledger *l, const struct ledger_name *name, int64_t ctime_ns,
    uint64_t run_id, struct ledger_leader *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_LEADER, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, name->link.dev);
	bind_u64(s, 2, name->link.ino);
	sqlite3_bind_int64(s, 3, ctime_ns);
	bind_u64(s, 4, name->st.size);
	sqlite3_bind_int64(s, 5, name->st.mtime_ns);
	bind_u64(s, 6, run_id);
	sqlite3_bind_int64(s, 7, name->dir_id);
	bind_bytes(s, 8, name->name, name->name_len);
	return take_leader(l, s, out, e);
}

int
ledger_leader(struct ledger *l, const struct ledger_name *name, uint64_t run_id,
    struct ledger_leader *out, struct err *e)
{
	int rc = leader_of(l, name, name->st.ctime_ns, 0, out, e);

	return rc == 0 ? leader_of(l, name, -1, run_id, out, e) : rc;
}

int
ledger_leader_any(struct ledger *l, const struct ledger_name *name, bool timed,
    struct ledger_leader *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_LEADER_ANY, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, name->link.dev);
	bind_u64(s, 2, name->link.ino);
	bind_u64(s, 3, name->st.size);
	if (timed)
		sqlite3_bind_int64(s, 4, name->st.mtime_ns);
	else
		sqlite3_bind_null(s, 4);
	sqlite3_bind_int64(s, 5, name->dir_id);
	bind_bytes(s, 6, name->name, name->name_len);
	return take_leader(l, s, out, e);
}

int
ledger_links_drop(struct ledger *l, const struct item_link *link,
    uint32_t nlink, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_LINKS_DROP, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, link->dev);
	bind_u64(s, 2, link->ino);
	bind_u64(s, 3, nlink);
	return ledger_done(l, s, e);
}

int
ledger_link_seen(struct ledger *l, const struct item_link *link, struct err *e)
{
	sqlite3_stmt *s;

	if (!l->has_seen &&
	    ledger_exec(l,
		"CREATE TEMP TABLE seen(dev, ino, PRIMARY KEY(dev, ino))"
		" WITHOUT ROWID",
		e) == -1)
		return -1;
	l->has_seen = true;
	s = ledger_prepare(l, STMT_LINK_SEEN, e);
	if (s == NULL)
		return -1;
	bind_u64(s, 1, link->dev);
	bind_u64(s, 2, link->ino);
	if (ledger_temp_done(l, s, e) == -1)
		return -1;
	return sqlite3_changes(l->db) == 0;
}

int
ledger_pairs_begin(struct ledger *l, struct err *e)
{
	const char *sql = l->has_pairs
	    ? "DELETE FROM temp.pair"
	    : "CREATE TEMP TABLE pair(side, dev, ino, nlink, other_dev,"
	      " other_ino, path BLOB, PRIMARY KEY(side, dev, ino))"
	      " WITHOUT ROWID";

	if (ledger_exec(l, sql, e) == -1)
		return -1;
	l->has_pairs = true;
	return 0;
}

/* The first that was said of P's file, compared. */
static int
compare_first(struct ledger *l, const struct ledger_pair *p, char **name,
    size_t *len, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_PAIR_GET, e);
	char *path;
	bool same;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, p->side);
	bind_u64(s, 2, p->file.dev);
	bind_u64(s, 3, p->file.ino);
	if (sqlite3_step(s) != SQLITE_ROW) {
		sqlite3_reset(s);
		return ledger_error(l, "read", e);
	}
	same = p->other.nlink > 1 && sqlite3_column_int64(s, 0) > 1 &&
	    column_u64(s, 1) == p->other.dev &&
	    column_u64(s, 2) == p->other.ino;
	if (same) {
		sqlite3_reset(s);
		return 1;
	}
	path = ledger_join("", 0, sqlite3_column_blob(s, 3),
	    (size_t)sqlite3_column_bytes(s, 3), len);
	sqlite3_reset(s);
	if (path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	free(*name);
	*name = path;
	return 0;
}

int
ledger_pair_take(struct ledger *l, const struct ledger_pair *p, char **name,
    size_t *len, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_PAIR_PUT, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, p->side);
	bind_u64(s, 2, p->file.dev);
	bind_u64(s, 3, p->file.ino);
	bind_u64(s, 4, p->other.nlink);
	bind_u64(s, 5, p->other.dev);
	bind_u64(s, 6, p->other.ino);
	bind_bytes(s, 7, p->path, p->path_len);
	if (ledger_temp_done(l, s, e) == -1)
		return -1;
	return sqlite3_changes(l->db) > 0 ? 1
					  : compare_first(l, p, name, len, e);
}
