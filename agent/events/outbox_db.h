/* SPDX-License-Identifier: ISC */
/* Inside of the outbox: statements.  For agent/events/outbox*.c only. */
#ifndef AGENT_EVENTS_OUTBOX_DB_H
#define AGENT_EVENTS_OUTBOX_DB_H

#include <sqlite3.h>

#include "agent/events/outbox.h"

enum outbox_stmt {
	OB_BEGIN,
	OB_COMMIT,
	OB_SUB_GET,
	OB_SUB_ADD,
	OB_SUB_SAVE,
	OB_SUB_NEXT,
	OB_SUB_BY_ID,
	OB_SUB_ORDER,
	OB_REORDER,
	OB_READY_AGAIN,
	OB_UNSUBSCRIBE,
	OB_DROP_DELIVERIES,
	OB_DROP_LETTERS,
	OB_DELIVERY_ADD,
	OB_CLAIM,
	OB_CLAIMED,
	OB_TAKEN_BACK,
	OB_DUE,
	OB_FAILURE,
	OB_NEWEST,
	OB_BATCH_FIRST,
	OB_BATCH_READY,
	OB_BATCH_FOLLOWER,
	OB_BATCH_NEXT,
	OB_BATCH_MEMBERS,
	OB_BATCH_SEAL,
	OB_BATCH_OPEN,
	OB_DELIVERY_DROP,
	OB_UNBLOCK_KEY,
	OB_UNBLOCK_NEXT,
	OB_UNBLOCK_RUN,
	OB_RETRY,
	OB_DEAD_ADD,
	OB_DEAD_LIST,
	OB_DEAD_DROP,
	OB_DEAD_REVIVED,
	OB_ATTEMPT_ADD,
	OB_ATTEMPT_PRUNE,
	OB_ATTEMPT_LIST,
	OB_ARCHIVE_GET,
	OB_ARCHIVE_ADD,
	OB_ARCHIVE_SAVE,
	OB_SEGMENT_ADD,
	OB_SEGMENT_NEXT,
	OB_SEGMENT_DROP,
	OB_KEEP_SEEN,
	OB_KEEP_ARCHIVE_SEEN,
	OB_KEEP_PASSED,
	OB_KEEP_REFERRED,
	OB_KEEP_SUB,
	OB_KEEP_CUT,
	OB_KEEP_FIRST,
	OB_KEEP_DELIVERIES,
	OB_KEEP_NO_DELIVERIES,
	OB_KEEP_UNBLOCK,
	OB_KEEP_LETTER,
	OB_KEEP_LETTERS,
	OB_KEEP_PRUNE,
	OB_KEEP_ROUTED,
	OB_KEEP_ARCHIVE,
	OB_KEEP_NO_SEGMENTS,
	OB_KEEP_ARCHIVED,
	OB_KEEP_ARCHIVE_GONE,
	OB_WAITING,
	OB_CHANGED,
	OB_ORIGIN,
	OB_NOTICES,
	OB_NOTICE,
	OB_NOTICE_RECENT,
	OB_NOTICE_LAST,
	OB_NOTICE_ADD,
	OB_NOTICE_PRUNE,
	OB_REPLAY_SUB_ADD,
	OB_REPLAY_ADD,
	OB_REPLAY_NEXT,
	OB_REPLAY_STATE,
	/* of the ledger */
	OB_EVENTS,
	OB_EVENT,
	OB_EVENT_BARRIER,
	OB_EVENT_LAST,
	OB_EVENT_RANGE,
	OB_EVENT_SINCE,
	OB_LAG,
	OB_BEGAN,
	OB_EVENTS_BETWEEN,
	OB_EVENTS_LAST,
	OB_EVENTS_COUNT,
	OB_COUNT
};

struct outbox {
	sqlite3 *db;
	sqlite3 *ledger; /* read only */
	sqlite3_stmt *stmt[OB_COUNT];
	char *path;
	int lock;	 /* -1: not the owner */
	int64_t changes; /* of other processes, as of the last look */
};

/* Notices have numbers of their own, behind those of all events. */
#define OUTBOX_NOTICE_FIRST (INT64_C(1) << 62)

/* Sets *E from DB's last error; returns -1. */
int outbox_error(
    struct outbox *o, sqlite3 *db, const char *what, struct err *e);
/* The statement, reset and without bindings; NULL and *e on failure. */
sqlite3_stmt *outbox_prepare(
    struct outbox *o, enum outbox_stmt which, struct err *e);
/* Steps a statement that returns no row. */
int outbox_step(struct outbox *o, sqlite3_stmt *s, struct err *e);
/* The event of *D: 1, 0 if it isn't there any more, and D was given up, -1. */
int outbox_read_event(struct outbox *o, struct outbox_sub *sub,
    struct outbox_delivery *d, int64_t now_ms, struct err *e);
/* Its name. */
const char *outbox_task(const struct outbox *o);
const char *outbox_sql(enum outbox_stmt which);
extern const char outbox_schema[];

/* A statement without result that takes up to two numbers, A and B. */
int outbox_run(struct outbox *o, enum outbox_stmt which, int64_t a, int64_t b,
    struct err *e);
/* The number in the first column and row of S; *FOUND: there was a row. */
int outbox_number(struct outbox *o, sqlite3_stmt *s, int64_t *out, bool *found,
    struct err *e);
/* 1 for a row of S, 0 at the end of it, which resets it, -1. */
int outbox_row(struct outbox *o, sqlite3_stmt *s, struct err *e);
struct outbox_event outbox_event_of(sqlite3_stmt *s);

/* A text column, "" for NULL; valid until the next step. */
static inline const char *
column_str(sqlite3_stmt *s, int at)
{
	const unsigned char *p = sqlite3_column_text(s, at);

	return p != NULL ? (const char *)p : "";
}

#endif
