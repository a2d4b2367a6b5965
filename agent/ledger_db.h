/* SPDX-License-Identifier: ISC */
/* Inside of the ledger: statements and bindings.  For agent/ledger*.c only. */
#ifndef AGENT_LEDGER_DB_H
#define AGENT_LEDGER_DB_H

#include <sqlite3.h>

#include "agent/ledger.h"
#include "base/buf.h"

enum ledger_stmt {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_META_GET,
	STMT_META_SET,
	STMT_DIR_GET,
	STMT_DIR_ADD,
	STMT_DIFF,
	STMT_FILE_PUT,
	STMT_LEADER,
	STMT_LEADER_ANY,
	STMT_LINKS_DROP,
	STMT_LINK_SEEN,
	STMT_DIR_AGAIN,
	STMT_PENDING,
	STMT_UPLOAD_ADD,
	STMT_UPLOAD_BEGUN,
	STMT_UPLOAD_DROP,
	STMT_UPLOAD_LIST,
	STMT_PART_PUT,
	STMT_PART_DROP,
	STMT_PART_LIST,
	STMT_TARGET_PUT,
	STMT_TARGET_GET,
	STMT_TARGET_SEEN,
	STMT_TARGET_SEEN_BELOW,
	STMT_GONE_PUT,
	STMT_HOLD,
	STMT_BELOW,
	STMT_VICTIM_NEXT,
	STMT_VICTIM_HAS,
	STMT_VICTIM_SPARE,
	STMT_DELETION_PUT,
	STMT_DELETION_LIST,
	STMT_FILE_FORGET,
	STMT_RUN_ADD,
	STMT_RUN_END,
	STMT_RUN_GET,
	STMT_FAILURE_PUT,
	STMT_FAILURE_HAS,
	STMT_FAILURE_LIST,
	STMT_LISTED_PUT,
	STMT_LISTED_GET,
	STMT_LISTED_SEEN,
	STMT_LISTED_PASS,
	STMT_LISTED_BELOW,
	STMT_LISTED_NEXT,
	STMT_PAIR_PUT,
	STMT_PAIR_GET,
	STMT_ITEM_LIST,
	STMT_ITEM_ALL,
	STMT_ITEM_SUMS,
	STMT_NOTICE_PUT,
	STMT_NOTICE_LIST,
	STMT_NOTICE_DROP,
	STMT_FAILURE_DROP,
	STMT_DELETION_DROP,
	STMT_RUN_ASK,
	STMT_RUN_PROGRESS,
	STMT_RUN_TEXTS,
	STMT_SERIES_DROP,
	STMT_ATTRSET_PUT,
	STMT_ATTRSET_GET,
	STMT_GIVEN_PUT,
	STMT_GIVEN_GET,
	STMT_LATER_PUT,
	STMT_LATER_NEXT,
	STMT_TOTALS,
	STMT_DIRS,
	STMT_EVENT_LAST,
	STMT_EVENT_PUT,
	STMT_EVENT_RESTORE,
	STMT_EVENT_SINCE,
	STMT_EVENT_NTH,
	STMT_EVENT_SIZES,
	STMT_EVENT_SUM,
	STMT_EVENT_AFTER,
	STMT_EVENT_FORGET,
	STMT_SIZE,
	STMT_COUNT
};

struct ledger {
	sqlite3 *db;
	sqlite3_stmt *stmt[STMT_COUNT]; /* prepared when first used */
	char *path;
	int lock_fd;
	bool in_transaction;
	bool refusing;	   /* since a rollback */
	bool damaged;	   /* to be set aside when it is closed */
	bool outdated;	   /* its schema is older, and it can't be written */
	bool has_target;   /* the temporary table is there */
	bool has_listed;   /* likewise */
	bool has_pairs;	   /* likewise */
	bool has_later;	   /* likewise */
	bool in_listed;	   /* ledger_listed_next() is under way */
	bool has_gone;	   /* and those of what is to be deleted */
	bool has_seen;	   /* so is this */
	uint64_t last_set; /* of attributes, that was written; 0: none */
	unsigned uncommitted;
	uint64_t event_seq;  /* of the last event; 0: not looked up yet */
	char last_name[256]; /* sorts behind every name: 255 bytes at most */
};

/* The statement, reset and ready to bind; NULL and *e on failure. */
sqlite3_stmt *ledger_prepare(
    struct ledger *l, enum ledger_stmt which, struct err *e);
/* As above, for a statement that writes: begins a transaction if none is. */
sqlite3_stmt *ledger_prepare_write(
    struct ledger *l, enum ledger_stmt which, struct err *e);
/* RC is what the step of S said, which gives one row at most and has been read:
 * ends S; 1, 0 if there was none, -1. */
int ledger_one_row(struct ledger *l, sqlite3_stmt *s, int rc, struct err *e);
/* Steps a statement that returns no row; counts the row written. */
int ledger_done(struct ledger *l, sqlite3_stmt *s, struct err *e);
/* The same where it writes to a temporary table: that isn't part of the
 * ledger. */
int ledger_temp_done(struct ledger *l, sqlite3_stmt *s, struct err *e);
/* Sets *e from the database's last error; returns -1. */
int ledger_error(struct ledger *l, const char *what, struct err *e);
int ledger_exec(struct ledger *l, const char *sql, struct err *e);

/* SQL gets depth(PATH): the directories that what is in PATH is in. */
int ledger_depth(struct ledger *l, struct err *e);
int ledger_schema(struct ledger *l, struct err *e);
const char *ledger_sql(enum ledger_stmt which);

static inline void
bind_u64(sqlite3_stmt *s, int at, uint64_t v)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)v);
}

/* A mark of attributes: NULL if there is none. */
static inline void
bind_attrs(sqlite3_stmt *s, int at, uint64_t mark)
{
	if (mark != 0)
		bind_u64(s, at, mark);
	else
		sqlite3_bind_null(s, at);
}

/* The bytes must stay until the statement is reset. */
static inline void
bind_bytes(sqlite3_stmt *s, int at, const void *p, size_t n)
{
	sqlite3_bind_blob64(s, at, n > 0 ? p : "", n, SQLITE_STATIC);
}

static inline void
bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static inline uint64_t
column_u64(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

/* STAT_COLUMN_COUNT columns from AT on: type mode uid gid size mtime ctime ino
 * dev. */
#define STAT_COLUMNS "type,mode,uid,gid,size,mtime_ns,ctime_ns,ino,dev"
#define STAT_COLUMN_COUNT 9
void bind_stat(sqlite3_stmt *s, int at, const struct item_stat *st);
void column_stat(sqlite3_stmt *s, int at, struct item_stat *st);
/* Two parameters from AT on: PATH's directory, and its last name.  The bytes
 * must stay until the statement is reset. */
void bind_path(sqlite3_stmt *s, int at, const char *path, size_t len);
/* What is kept of a listing. */
#define LISTED_COLUMNS "type,size,etag,mtime_ns,mode,uid,gid,nlink,dev,ino"
#define LISTED_COLUMN_COUNT 10
/* OUTCOME_COLUMN_COUNT columns from AT on: how proof attempts done_ns
 * did_run. */
#define OUTCOME_COLUMN_COUNT 5
void bind_outcome(sqlite3_stmt *s, int at, const struct outcome *o);
void column_outcome(sqlite3_stmt *s, int at, struct outcome *out);
/* A row of file, without its name, from column AT on. */
void column_file(sqlite3_stmt *s, int at, struct ledger_file *out);
/* Counters as text; 4096 bytes are enough. */
void ledger_stats_text(const struct stats_snapshot *st, struct buf *out);
/* A column of exactly SIZE bytes into OUT; false if it isn't one. */
bool column_bytes(sqlite3_stmt *s, int at, void *out, size_t size);
/* Text or blob of a column into OUT, cut to SIZE - 1, NUL-terminated. */
void column_copy(sqlite3_stmt *s, int at, char *out, size_t size);
/* DIR (path of its directory) and NAME put together; malloc'd or NULL. */
char *ledger_join(const void *dir, size_t dir_len, const void *name,
    size_t name_len, size_t *len);

#endif
