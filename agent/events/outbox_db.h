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
	OB_READY_AGAIN,
	OB_DELIVERY_ADD,
	OB_CLAIM,
	OB_CLAIMED,
	OB_DUE,
	OB_DELIVERY_DROP,
	OB_UNBLOCK_KEY,
	OB_UNBLOCK_RUN,
	OB_RETRY,
	OB_DEAD_ADD,
	OB_DEAD_LIST,
	OB_DEAD_DROP,
	OB_ATTEMPT_ADD,
	OB_ATTEMPT_PRUNE,
	OB_ATTEMPT_LIST,
	OB_ARCHIVE_GET,
	OB_ARCHIVE_ADD,
	OB_ARCHIVE_SAVE,
	OB_SEGMENT_ADD,
	OB_SEGMENT_NEXT,
	OB_SEGMENT_DROP,
	OB_KEEP_PASSED,
	OB_KEEP_REFERRED,
	OB_KEEP_SUB,
	OB_KEEP_CUT,
	OB_KEEP_DELIVERIES,
	OB_KEEP_NO_DELIVERIES,
	OB_KEEP_UNBLOCK,
	OB_KEEP_LETTER,
	OB_KEEP_LETTERS,
	OB_KEEP_ROUTED,
	OB_KEEP_ARCHIVE,
	OB_KEEP_NO_SEGMENTS,
	OB_KEEP_ARCHIVED,
	/* of the ledger */
	OB_EVENTS,
	OB_EVENT,
	OB_EVENTS_BETWEEN,
	OB_EVENTS_COUNT,
	OB_COUNT
};

struct outbox {
	sqlite3 *db;
	sqlite3 *ledger; /* read only */
	sqlite3_stmt *stmt[OB_COUNT];
	char *path;
};

/* Sets *E from DB's last error; returns -1. */
int outbox_error(
    struct outbox *o, sqlite3 *db, const char *what, struct err *e);
/* The statement, reset and without bindings; NULL and *e on failure. */
sqlite3_stmt *outbox_prepare(
    struct outbox *o, enum outbox_stmt which, struct err *e);
/* Steps a statement that returns no row. */
int outbox_step(struct outbox *o, sqlite3_stmt *s, struct err *e);
const char *outbox_sql(enum outbox_stmt which);
extern const char outbox_schema[];

/* A text column, "" for NULL; valid until the next step. */
static inline const char *
column_str(sqlite3_stmt *s, int at)
{
	const unsigned char *p = sqlite3_column_text(s, at);

	return p != NULL ? (const char *)p : "";
}

#endif
