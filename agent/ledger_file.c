/* SPDX-License-Identifier: ISC */
/* Directories, files, and what the target holds. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"

int
ledger_dir_id(struct ledger *l, const char *path, size_t len, bool make,
    int64_t *id, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_DIR_GET, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		ledger_error(l, "read", e);
		sqlite3_reset(s);
		return -1;
	}
	if (rc == SQLITE_ROW)
		*id = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (rc == SQLITE_ROW)
		return 0;
	*id = 0;
	if (!make)
		return 0;
	s = ledger_prepare_write(l, STMT_DIR_ADD, e);
	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	if (ledger_done(l, s, e) == -1)
		return -1;
	*id = sqlite3_last_insert_rowid(l->db);
	return 0;
}

int
ledger_diff_begin(struct ledger *l, int64_t dir_id, const char *after,
    const char *upto, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_DIFF, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, dir_id);
	bind_bytes(s, 2, after, after != NULL ? strlen(after) : 0);
	if (upto != NULL)
		bind_bytes(s, 3, upto, strlen(upto));
	else
		bind_bytes(s, 3, l->last_name, sizeof(l->last_name));
	return 0;
}

void
column_file(sqlite3_stmt *s, int at, struct ledger_file *out)
{
	out->state = (enum ledger_state)sqlite3_column_int(s, at);
	column_stat(s, at + 1, &out->st);
	at += 1 + STAT_COLUMN_COUNT;
	out->part_bytes = column_u64(s, at);
	out->digest_have =
	    (unsigned)sqlite3_column_int(s, at + 1) & DIGEST_CRC64NVME;
	if (column_bytes(s, at + 2, out->xxh3, sizeof(out->xxh3)))
		out->digest_have |= DIGEST_XXH3;
	if (column_bytes(s, at + 16, out->sha256, sizeof(out->sha256)))
		out->digest_have |= DIGEST_SHA256;
	out->crc64nvme = column_u64(s, at + 3);
	column_copy(s, at + 4, out->etag, sizeof(out->etag));
	out->run_id = column_u64(s, at + 5);
	out->link.nlink = (uint32_t)sqlite3_column_int64(s, at + 6);
	out->link.dev = column_u64(s, at + 7);
	out->link.ino = column_u64(s, at + 8);
	out->link.id = column_u64(s, at + 9);
	column_outcome(s, at + 10, &out->outcome);
	out->attrs = column_u64(s, at + 15); /* NULL is 0 */
	out->st.has_atime = sqlite3_column_type(s, at + 17) != SQLITE_NULL;
	out->st.atime_ns = sqlite3_column_int64(s, at + 17);
	column_copy(s, at + 18, out->version, sizeof(out->version));
}

int
ledger_diff_next(struct ledger *l, struct ledger_file *out, struct err *e)
{
	sqlite3_stmt *s = l->stmt[STMT_DIFF];
	int rc = sqlite3_step(s);

	if (rc != SQLITE_ROW) {
		if (rc != SQLITE_DONE)
			ledger_error(l, "read", e);
		sqlite3_reset(s);
		return rc == SQLITE_DONE ? 0 : -1;
	}
	out->name = sqlite3_column_blob(s, 0);
	out->name_len = (size_t)sqlite3_column_bytes(s, 0);
	column_file(s, 1, out);
	return 1;
}

int
ledger_file_put(struct ledger *l, int64_t dir_id, const char *name,
    size_t name_len, const struct ledger_file *row, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_FILE_PUT, e);
	int at = 4 + STAT_COLUMN_COUNT;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, dir_id);
	bind_bytes(s, 2, name, name_len);
	sqlite3_bind_int(s, 3, (int)row->state);
	bind_stat(s, 4, &row->st);
	bind_u64(s, at, row->part_bytes);
	sqlite3_bind_int(s, at + 1, (int)row->digest_have);
	if ((row->digest_have & DIGEST_XXH3) != 0)
		bind_bytes(s, at + 2, row->xxh3, sizeof(row->xxh3));
	else
		sqlite3_bind_null(s, at + 2);
	bind_u64(s, at + 3, row->crc64nvme);
	bind_text(s, at + 4, row->etag);
	bind_u64(s, at + 5, row->run_id);
	bind_u64(s, at + 6, row->link.nlink);
	bind_u64(s, at + 7, row->link.dev);
	bind_u64(s, at + 8, row->link.ino);
	bind_u64(s, at + 9, row->link.id);
	bind_outcome(s, at + 10, &row->outcome);
	bind_attrs(s, at + 15, row->attrs);
	if ((row->digest_have & DIGEST_SHA256) != 0)
		bind_bytes(s, at + 16, row->sha256, sizeof(row->sha256));
	else
		sqlite3_bind_null(s, at + 16);
	if (row->st.has_atime)
		sqlite3_bind_int64(s, at + 17, row->st.atime_ns);
	else
		sqlite3_bind_null(s, at + 17);
	if (row->version[0] != '\0')
		bind_text(s, at + 18, row->version);
	else
		sqlite3_bind_null(s, at + 18);
	return ledger_done(l, s, e);
}

int
ledger_dir_again(struct ledger *l, const char *path, size_t len, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_DIR_AGAIN, e);

	if (s == NULL)
		return -1;
	bind_path(s, 1, path, len);
	return ledger_done(l, s, e);
}

/* SQL: how many directories below the root what is in directory PATH is in. */
static void
sql_depth(sqlite3_context *c, int n, sqlite3_value **path)
{
	const char *p = sqlite3_value_blob(path[0]);
	int len = sqlite3_value_bytes(path[0]), i;
	int depth = len > 0;

	(void)n;
	for (i = 0; i < len; i++)
		depth += p[i] == '/';
	sqlite3_result_int(c, depth);
}

int
ledger_depth(struct ledger *l, struct err *e)
{
	if (sqlite3_create_function(l->db, "depth", 1,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_depth, NULL,
		NULL) != SQLITE_OK)
		return ledger_error(l, "list directories", e);
	return 0;
}

/* Sorts what is pending now, in a temporary file. */
static int
list_pending(struct ledger *l, struct err *e)
{
	if (ledger_depth(l, e) == -1)
		return -1;
	return ledger_exec(l,
	    "DROP TABLE IF EXISTS temp.pending;"
	    "CREATE TEMP TABLE pending(at INTEGER PRIMARY KEY,"
	    " depth INTEGER, dir_id INTEGER, name BLOB);"
	    "INSERT INTO temp.pending(depth,dir_id,name)"
	    " SELECT depth(d.path),f.dir_id,f.name"
	    " FROM file f JOIN dir d ON d.id=f.dir_id WHERE f.state=1"
	    " ORDER BY 1 DESC,2,3",
	    e);
}

int
ledger_pending_next(struct ledger *l, struct ledger_pending *p, struct err *e)
{
	sqlite3_stmt *s;
	const void *name;
	int rc;

	if (p->at == 0 && list_pending(l, e) == -1)
		return -1;
	s = ledger_prepare(l, STMT_PENDING, e);
	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, p->at);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		if (rc != SQLITE_DONE)
			ledger_error(l, "read", e);
		sqlite3_reset(s);
		return rc == SQLITE_DONE ? 0 : -1;
	}
	ledger_pending_free(p);
	p->at = sqlite3_column_int64(s, 0);
	p->depth = (unsigned)sqlite3_column_int(s, 1);
	p->dir_id = sqlite3_column_int64(s, 2);
	name = sqlite3_column_blob(s, 3);
	p->name = ledger_join(
	    NULL, 0, name, (size_t)sqlite3_column_bytes(s, 3), &p->name_len);
	p->path = ledger_join(sqlite3_column_blob(s, 4),
	    (size_t)sqlite3_column_bytes(s, 4), name,
	    (size_t)sqlite3_column_bytes(s, 3), &p->path_len);
	p->run_id = column_u64(s, 5);
	column_outcome(s, 6, &p->outcome);
	column_stat(s, 6 + OUTCOME_COLUMN_COUNT, &p->st);
	sqlite3_reset(s);
	if (p->name == NULL || p->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 1;
}

void
ledger_pending_free(struct ledger_pending *p)
{
	free(p->name);
	free(p->path);
	p->name = NULL;
	p->path = NULL;
}

int
ledger_totals(struct ledger *l, uint64_t *items, uint64_t *bytes, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_TOTALS, e);
	int rc;

	if (s == NULL)
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*items = column_u64(s, 0);
		*bytes = column_u64(s, 1);
	} else {
		ledger_error(l, "read", e);
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 0 : -1;
}

int
ledger_count_dirs(struct ledger *l, uint64_t *n, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_DIRS, e);
	int rc;

	if (s == NULL)
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*n = column_u64(s, 0);
	else
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? 0 : -1;
}
