/* SPDX-License-Identifier: ISC */
/* What is kept for reports: outcomes, notices, what a run was asked. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "agent/ledger_db.h"

void
bind_outcome(sqlite3_stmt *s, int at, const struct outcome *o)
{
	sqlite3_bind_int(s, at, (int)o->how);
	sqlite3_bind_int(s, at + 1, (int)o->proof);
	bind_u64(s, at + 2, o->attempts);
	sqlite3_bind_int64(s, at + 3, o->done_ns);
	bind_u64(s, at + 4, o->did_run);
}

void
column_outcome(sqlite3_stmt *s, int at, struct outcome *out)
{
	out->how = (enum outcome_how)sqlite3_column_int(s, at);
	out->proof = (enum outcome_proof)sqlite3_column_int(s, at + 1);
	out->attempts = (unsigned)sqlite3_column_int(s, at + 2);
	out->done_ns = sqlite3_column_int64(s, at + 3);
	out->did_run = column_u64(s, at + 4);
}

/* The end of reading rows by S, whose last step said RC. */
static int
end_of_rows(struct ledger *l, sqlite3_stmt *s, int rc, struct err *e)
{
	if (rc != SQLITE_DONE)
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Runs statement WHICH, whose one parameter is V. */
static int
write_one(struct ledger *l, enum ledger_stmt which, uint64_t v, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, which, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, v);
	return ledger_done(l, s, e);
}

int
ledger_run_forget(struct ledger *l, uint64_t run_id, struct err *e)
{
	if (run_id > LEDGER_NOTICE_RUNS &&
	    write_one(l, STMT_NOTICE_DROP, run_id - LEDGER_NOTICE_RUNS, e) ==
		-1)
		return -1;
	if (run_id <= LEDGER_FAILURE_RUNS)
		return 0;
	run_id -= LEDGER_FAILURE_RUNS;
	return write_one(l, STMT_FAILURE_DROP, run_id, e) == -1 ||
		write_one(l, STMT_DELETION_DROP, run_id, e) == -1
	    ? -1
	    : write_one(l, STMT_SERIES_DROP, run_id, e);
}

int
ledger_run_ask(struct ledger *l, uint64_t run_id, const struct buf *words,
    uint64_t retry_of, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_RUN_ASK, e);

	if (s == NULL)
		return -1;
	bind_bytes(s, 1, buf_str(words), words->len);
	bind_u64(s, 2, retry_of);
	bind_u64(s, 3, run_id);
	return ledger_done(l, s, e);
}

int
ledger_run_progress(struct ledger *l, uint64_t run_id,
    const struct stats_snapshot *stats, const char *series, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_RUN_PROGRESS, e);
	AUTO(buf) struct buf text = BUF_INIT(4096);
	int rc;

	if (s == NULL)
		return -1;
	ledger_stats_text(stats, &text);
	bind_text(s, 1, buf_str(&text));
	bind_text(s, 2, series);
	bind_u64(s, 3, run_id);
	rc = ledger_done(l, s, e);
	sqlite3_clear_bindings(s);
	return rc;
}

int
ledger_run_texts(struct ledger *l, uint64_t run_id, struct buf *words,
    struct buf *series, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_RUN_TEXTS, e);
	bool kept = false;
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		kept = sqlite3_column_type(s, 0) != SQLITE_NULL;
		if (words != NULL)
			buf_add(words, sqlite3_column_blob(s, 0),
			    (size_t)sqlite3_column_bytes(s, 0));
		if (series != NULL)
			buf_add(series, sqlite3_column_text(s, 1),
			    (size_t)sqlite3_column_bytes(s, 1));
	}
	return end_of_rows(l, s, rc, e) == -1 ? -1 : kept;
}

int
ledger_notice_put(struct ledger *l, uint64_t run_id,
    const struct ledger_notice *n, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_NOTICE_PUT, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	sqlite3_bind_int(s, 2, (int)n->what);
	bind_bytes(s, 3, n->path, n->path_len);
	sqlite3_bind_int(s, 4, (int)n->type);
	bind_text(s, 5, n->reason);
	return ledger_done(l, s, e);
}

int
ledger_notices(struct ledger *l, uint64_t run_id, enum notice_kind what,
    ledger_notice_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_NOTICE_LIST, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	sqlite3_bind_int(s, 2, (int)what);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_notice n = {
		    .what = what,
		    .path = sqlite3_column_blob(s, 0),
		    .path_len = (size_t)sqlite3_column_bytes(s, 0),
		    .type = (enum item_type)sqlite3_column_int(s, 1),
		    .reason = (const char *)sqlite3_column_text(s, 2),
		};

		if (fn(arg, &n, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return end_of_rows(l, s, rc, e);
}

int
ledger_read_begin(struct ledger *l, struct err *e)
{
	return ledger_exec(l, "BEGIN", e);
}

bool
ledger_in_use(struct ledger *l)
{
	const char *slash = strrchr(l->path, '/');
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(close) int fd = -1;

	if (slash == NULL)
		return false;
	buf_add(&path, l->path, (size_t)(slash - l->path));
	buf_adds(&path, "/lock");
	fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
	return fd != -1 && flock(fd, LOCK_SH | LOCK_NB) == -1;
}

static unsigned
size_class(uint64_t size)
{
	unsigned n = 0;

	for (; size > 0; size >>= 1)
		n++;
	return n;
}

int
ledger_sums(
    struct ledger *l, uint64_t run_id, struct ledger_sums *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_ITEM_SUMS, e);
	int rc;

	if (s == NULL)
		return -1;
	memset(out, 0, sizeof(*out));
	bind_u64(s, 1, run_id);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		uint64_t size = column_u64(s, 1);
		unsigned how = (unsigned)sqlite3_column_int(s, 2);
		unsigned proof = (unsigned)sqlite3_column_int(s, 3);

		if (how >= HOW_COUNT)
			how = HOW_UNKNOWN;
		out->items[how]++;
		if (sqlite3_column_int(s, 0) != ITEM_FILE)
			continue;
		out->bytes[how] += size;
		out->sizes[size_class(size)]++;
		if (how != HOW_METADATA && how != HOW_UNKNOWN)
			out->proofs[proof < PROOF_COUNT ? proof : PROOF_NONE]++;
	}
	return end_of_rows(l, s, rc, e);
}

/* Each row of S, whose columns begin with path and name. */
static int
each_item(struct ledger *l, sqlite3_stmt *s, ledger_item_fn *fn, void *arg,
    struct err *e)
{
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_file row = {0};
		AUTO(free) char *path = NULL;
		size_t len = 0;

		path = ledger_join(sqlite3_column_blob(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0),
		    sqlite3_column_blob(s, 1),
		    (size_t)sqlite3_column_bytes(s, 1), &len);
		column_file(s, 2, &row);
		if (path == NULL)
			err_set(e, ERR_NOMEM, "out of memory");
		if (path == NULL || fn(arg, path, len, &row, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	return end_of_rows(l, s, rc, e);
}

int
ledger_items(struct ledger *l, uint64_t run_id, ledger_item_fn *fn, void *arg,
    struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_ITEM_LIST, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	return each_item(l, s, fn, arg, e);
}

int
ledger_all(struct ledger *l, ledger_item_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_ITEM_ALL, e);

	return s != NULL ? each_item(l, s, fn, arg, e) : -1;
}
