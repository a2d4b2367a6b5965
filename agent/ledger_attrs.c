/* SPDX-License-Identifier: ISC */
/* Attributes by their marks, and what a manifest gives. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"
#include "base/buf.h"

/* As data: a byte, the kinds that are known; then attrs_format(). */
static void
bind_set(sqlite3_stmt *s, int at, const struct attrs *a, struct buf *bytes)
{
	if (a == NULL) {
		sqlite3_bind_null(s, at);
		return;
	}
	buf_addc(bytes, (char)a->kinds);
	attrs_format(a, bytes);
	bind_bytes(s, at, bytes->data, bytes->len);
}

static int
column_set(sqlite3_stmt *s, int at, struct attrs **out, struct err *e)
{
	const char *p = sqlite3_column_blob(s, at);
	int n = sqlite3_column_bytes(s, at);

	*out = NULL;
	if (n == 0)
		return 0;
	*out = attrs_parse(p + 1, (size_t)n - 1, (unsigned)*p, e);
	return *out != NULL ? 0 : err_context(e, "ledger: attributes");
}

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

int
ledger_attrs_put(
    struct ledger *l, uint64_t mark, const struct attrs *a, struct err *e)
{
	AUTO(buf) struct buf bytes = BUF_INIT(2 * ATTRS_BYTES_MAX);
	sqlite3_stmt *s;

	if (mark == l->last_set)
		return 0;
	s = ledger_prepare_write(l, STMT_ATTRSET_PUT, e);
	if (s == NULL)
		return -1;
	bind_u64(s, 1, mark);
	bind_set(s, 2, a, &bytes);
	if (buf_failed(&bytes))
		return no_memory(e);
	if (ledger_done(l, s, e) == -1)
		return -1;
	l->last_set = mark;
	return 0;
}

int
ledger_attrs_get(
    struct ledger *l, uint64_t mark, struct attrs **out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_ATTRSET_GET, e);
	struct attrs *a = NULL;
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, mark);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		rc = column_set(s, 0, &a, e);
	else
		rc = rc == SQLITE_DONE ? 0 : ledger_error(l, "read", e);
	sqlite3_reset(s);
	if (rc == 0)
		*out = a;
	return rc;
}

int
ledger_given_begin(struct ledger *l, struct err *e)
{
	return ledger_exec(l,
	    "SAVEPOINT given;"
	    "CREATE TEMP TABLE given(path BLOB, is_dir, type, size, mtime_ns,"
	    " mode, uid, gid, atime_ns, link, attrs BLOB,"
	    " PRIMARY KEY(path, is_dir)) WITHOUT ROWID",
	    e);
}

int
ledger_given_end(struct ledger *l, struct err *e)
{
	return ledger_exec(l, "RELEASE given", e);
}

int
ledger_given_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_given *g, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_GIVEN_PUT, e);
	AUTO(buf) struct buf bytes = BUF_INIT(2 * ATTRS_BYTES_MAX);
	unsigned uncommitted = l->uncommitted;
	int rc;

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, g->st.type == ITEM_DIR);
	sqlite3_bind_int(s, 3, (int)g->st.type);
	bind_u64(s, 4, g->st.size);
	sqlite3_bind_int64(s, 5, g->st.mtime_ns);
	bind_u64(s, 6, g->st.mode);
	bind_u64(s, 7, g->st.uid);
	bind_u64(s, 8, g->st.gid);
	if (g->st.has_atime)
		sqlite3_bind_int64(s, 9, g->st.atime_ns);
	else
		sqlite3_bind_null(s, 9);
	if (g->link.nlink > 1)
		bind_u64(s, 10, g->link.ino);
	else
		sqlite3_bind_null(s, 10);
	bind_set(s, 11, g->attrs, &bytes);
	if (buf_failed(&bytes))
		return no_memory(e);
	rc = ledger_done(l, s, e);
	/* It is none of the ledger's own rows. */
	l->uncommitted = uncommitted;
	return rc;
}

static int
column_given(sqlite3_stmt *s, struct ledger_given *out, struct err *e)
{
	*out = (struct ledger_given){
	    .st.type = (enum item_type)sqlite3_column_int(s, 0),
	    .st.size = column_u64(s, 1),
	    .st.mtime_ns = sqlite3_column_int64(s, 2),
	    .st.mode = (uint32_t)sqlite3_column_int64(s, 3),
	    .st.uid = (uint32_t)sqlite3_column_int64(s, 4),
	    .st.gid = (uint32_t)sqlite3_column_int64(s, 5),
	    .st.has_atime = sqlite3_column_type(s, 6) != SQLITE_NULL,
	    .st.atime_ns = sqlite3_column_int64(s, 6),
	    .link.nlink = 1,
	};
	if (sqlite3_column_type(s, 7) != SQLITE_NULL)
		out->link = (struct item_link){.nlink = 2,
		    .dev = LEDGER_GIVEN_DEV,
		    .ino = column_u64(s, 7)};
	return column_set(s, 8, &out->attrs, e) == -1 ? -1 : 1;
}

int
ledger_given_get(struct ledger *l, const char *path, size_t len, bool is_dir,
    struct ledger_given *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_GIVEN_GET, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, path, len);
	sqlite3_bind_int(s, 2, is_dir);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		rc = column_given(s, out, e);
	else
		rc = rc == SQLITE_DONE ? 0 : ledger_error(l, "read", e);
	sqlite3_reset(s);
	return rc;
}
