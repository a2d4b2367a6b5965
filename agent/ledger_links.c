/* SPDX-License-Identifier: ISC */
/* Files with several names. */
#include "config.h"

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
	unsigned uncommitted = l->uncommitted;
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
	if (ledger_done(l, s, e) == -1)
		return -1;
	l->uncommitted = uncommitted; /* it isn't part of the ledger */
	return sqlite3_changes(l->db) == 0;
}
