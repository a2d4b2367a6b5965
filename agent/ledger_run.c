/* SPDX-License-Identifier: ISC */
/* Runs and their failures. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/ledger_db.h"
#include "base/buf.h"
#include "base/clock.h"

int
ledger_run_begin(struct ledger *l, uint64_t *id, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_RUN_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, clock_wall_ns());
	if (ledger_done(l, s, e) == -1)
		return -1;
	*id = (uint64_t)sqlite3_last_insert_rowid(l->db);
	return 0;
}

/* Counters are kept by name ("done_items=12 ..."): new ones need no new
 * schema, unknown ones are passed over. */
void
ledger_stats_text(const struct stats_snapshot *st, struct buf *out)
{
#define STATS_TEXT(name)  \
	if (st->name > 0) \
		buf_addf(out, #name "=%" PRIu64 " ", st->name);
	STATS_COUNTERS(STATS_TEXT)
#undef STATS_TEXT
}

static void
stats_set(struct stats_snapshot *st, const char *name, size_t n, uint64_t v)
{
#define STATS_SET(field)                                         \
	if (strlen(#field) == n && memcmp(#field, name, n) == 0) \
		st->field = v;
	STATS_COUNTERS(STATS_SET)
#undef STATS_SET
}

static void
stats_from_text(const char *text, struct stats_snapshot *st)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "=");
		uint64_t v;
		char *end;

		if (text[n] != '=')
			return;
		v = strtoull(text + n + 1, &end, 10);
		stats_set(st, text, n, v);
		text = end + strspn(end, " ");
		if (end == text)
			return;
	}
}

int
ledger_run_end(struct ledger *l, const struct ledger_run *run, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_RUN_END, e);
	AUTO(buf) struct buf text = BUF_INIT(4096);
	int rc;

	if (s == NULL)
		return -1;
	ledger_stats_text(&run->stats, &text);
	sqlite3_bind_int64(s, 1, run->ended_ns);
	bind_text(s, 2, run->outcome);
	bind_text(s, 3, run->why);
	bind_text(s, 4, buf_str(&text));
	bind_u64(s, 5, run->id);
	rc = ledger_done(l, s, e);
	sqlite3_clear_bindings(s);
	return rc;
}

int
ledger_run_get(
    struct ledger *l, uint64_t id, struct ledger_run *out, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_RUN_GET, e);
	const char *stats;
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		memset(out, 0, sizeof(*out));
		out->id = column_u64(s, 0);
		out->started_ns = sqlite3_column_int64(s, 1);
		out->ended_ns = sqlite3_column_int64(s, 2);
		column_copy(s, 3, out->outcome, sizeof(out->outcome));
		column_copy(s, 4, out->why, sizeof(out->why));
		stats = (const char *)sqlite3_column_text(s, 5);
		if (stats != NULL)
			stats_from_text(stats, &out->stats);
		out->retry_of = column_u64(s, 6);
	}
	return ledger_one_row(l, s, rc, e);
}

int
ledger_failure_put(struct ledger *l, uint64_t run_id,
    const struct ledger_failure *f, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_FAILURE_PUT, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	bind_bytes(s, 2, f->path, f->path_len);
	bind_text(s, 3, f->kind);
	bind_text(s, 4, f->message);
	bind_u64(s, 5, f->attempts);
	sqlite3_bind_int64(s, 6, f->at_ns);
	return ledger_done(l, s, e);
}

int
ledger_failure_has(struct ledger *l, uint64_t run_id, const char *path,
    size_t len, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_FAILURE_HAS, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	bind_bytes(s, 2, path, len);
	return ledger_one_row(l, s, sqlite3_step(s), e);
}

int
ledger_failures(struct ledger *l, uint64_t run_id, ledger_failure_fn *fn,
    void *arg, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_FAILURE_LIST, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, run_id);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_failure f = {
		    .path = sqlite3_column_blob(s, 0),
		    .path_len = (size_t)sqlite3_column_bytes(s, 0),
		    .kind = (const char *)sqlite3_column_text(s, 1),
		    .message = (const char *)sqlite3_column_text(s, 2),
		    .attempts = (unsigned)sqlite3_column_int(s, 3),
		    .at_ns = sqlite3_column_int64(s, 4),
		};

		if (fn(arg, &f, e) == -1) {
			sqlite3_reset(s);
			return -1;
		}
	}
	if (rc != SQLITE_DONE)
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : -1;
}
