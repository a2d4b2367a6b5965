/* SPDX-License-Identifier: ISC */
/* Events, for whoever delivers them (agent/events/outbox.h). */
#include "config.h"

#include "agent/ledger_db.h"
#include "base/clock.h"

int
ledger_event_next(struct ledger *l, uint64_t *seq, struct err *e)
{
	uint64_t now_us = (uint64_t)(clock_wall_ns() / 1000);
	sqlite3_stmt *s;
	int rc;

	if (l->event_seq == 0) {
		s = ledger_prepare(l, STMT_EVENT_LAST, e);
		if (s == NULL)
			return -1;
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW)
			l->event_seq = column_u64(s, 0);
		if (ledger_one_row(l, s, rc, e) == -1)
			return -1;
		if (l->event_seq < now_us)
			l->event_seq = now_us;
	}
	*seq = ++l->event_seq;
	return 0;
}

int
ledger_event_put(
    struct ledger *l, const struct ledger_event *event, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_EVENT_PUT, e);
	int rc;

	if (s == NULL)
		return -1;
	bind_u64(s, 1, event->seq);
	sqlite3_bind_int64(s, 2, event->time_ns / 1000000);
	bind_text(s, 3, event->type);
	bind_text(s, 4, event->key);
	bind_u64(s, 5, event->run_id);
	sqlite3_bind_int(s, 6, event->ends_run);
	bind_text(s, 7, event->body);
	rc = ledger_done(l, s, e);
	sqlite3_clear_bindings(s);
	return rc;
}

int
ledger_event_forget(
    struct ledger *l, uint64_t seq, int64_t before_ns, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_EVENT_FORGET, e);

	if (s == NULL)
		return -1;
	bind_u64(s, 1, seq);
	sqlite3_bind_int64(s, 2, before_ns / 1000000);
	return ledger_done(l, s, e);
}
