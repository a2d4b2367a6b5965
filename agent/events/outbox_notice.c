/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/cloudevent.h"
#include "agent/events/outbox_db.h"
#include "agent/events/outbox_notice.h"

#define SOURCE_MAX 64
#define DEAD_MS 3600000 /* between two notices of dead letters */

static int
read_source(struct outbox *o, char *out, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_ORIGIN, e);
	int rc = s != NULL ? outbox_row(o, s, e) : -1;

	out[0] = '\0';
	if (rc == 1) {
		snprintf(out, SOURCE_MAX, "%s", column_str(s, 0));
		sqlite3_reset(s);
	}
	return rc == -1 ? -1 : 0;
}

/* Like those of events it is a time in microseconds, and only grows. */
static int
next_seq(struct outbox *o, int64_t now_ms, int64_t *seq, struct err *e)
{
	int64_t last = 0;
	bool found;

	if (outbox_number(o, outbox_prepare(o, OB_NOTICE_LAST, e), &last,
		&found, e) == -1)
		return -1;
	*seq = OUTBOX_NOTICE_FIRST + now_ms * 1000;
	if (*seq <= last)
		*seq = last + 1;
	return 0;
}

/* A notice that is being written. */
struct writing {
	int64_t seq;
	const char *type;
	char source[SOURCE_MAX];
	struct buf body;
	struct json json;
};

static int
start(struct outbox *o, struct writing *w, const struct outbox_notice *n,
    struct err *e)
{
	char key[100];
	struct cloudevent c = {
	    .source = w->source,
	    .type = w->type,
	    .key = key,
	    .subject = n->about->name,
	    .subject_len = strlen(n->about->name),
	    .time_ns = n->now_ms * 1000000,
	};

	snprintf(key, sizeof(key), "subscription/%s", n->about->name);
	if (next_seq(o, n->now_ms, &w->seq, e) == -1 ||
	    read_source(o, w->source, e) == -1)
		return -1;
	c.seq = (uint64_t)w->seq;
	json_begin(&w->json, &w->body);
	cloudevent_begin(&w->json, &c);
	json_str(&w->json, "task", n->task);
	json_str(&w->json, "subscription", n->about->name);
	if (n->about->replay[0] != '\0')
		json_str(&w->json, "replay", n->about->replay);
	json_str(&w->json, "reason", n->reason);
	return 0;
}

static int
put(struct outbox *o, struct writing *w, const struct outbox_notice *n,
    struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_NOTICE_ADD, e);

	cloudevent_end(&w->json);
	if (s == NULL)
		return -1;
	if (buf_failed(&w->body))
		return err_set(e, ERR_NOMEM, "out of memory");
	sqlite3_bind_int64(s, 1, w->seq);
	sqlite3_bind_int64(s, 2, n->now_ms);
	sqlite3_bind_text(s, 3, w->type, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, n->about->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, buf_str(&w->body), -1, SQLITE_TRANSIENT);
	return outbox_step(o, s, e);
}

static void
auto_writing(struct writing *w)
{
	buf_free(&w->body);
}

int
outbox_notice_stopped(struct outbox *o, const struct outbox_notice *n,
    const char *state, struct err *e)
{
	AUTO(writing)
	struct writing w = {
	    .type = "subscription.disabled", .body = BUF_INIT(1 << 16)};

	if (start(o, &w, n, e) == -1)
		return -1;
	json_str(&w.json, "state", state);
	return put(o, &w, n, e);
}

/* Whether one was told within the hour: 1, 0, -1. */
static int
is_told(struct outbox *o, const struct writing *w,
    const struct outbox_notice *n, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_NOTICE_RECENT, e);
	int64_t one;
	bool found;

	if (s == NULL)
		return -1;
	sqlite3_bind_text(s, 1, n->about->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, w->type, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, n->now_ms - DEAD_MS);
	return outbox_number(o, s, &one, &found, e) == -1 ? -1 : found;
}

int
outbox_notice_dead(struct outbox *o, const struct outbox_notice *n,
    const struct outbox_delivery *d, int status, struct err *e)
{
	AUTO(writing)
	struct writing w = {.type = "delivery.dead", .body = BUF_INIT(1 << 16)};
	int rc = is_told(o, &w, n, e);
	char id[CLOUDEVENT_ID_MAX];

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (start(o, &w, n, e) == -1)
		return -1;
	cloudevent_id(d->seq, id);
	json_str(&w.json, "event", id);
	json_uint(&w.json, "attempts", d->attempts);
	if (status != 0)
		json_int(&w.json, "status", status);
	return put(o, &w, n, e);
}

int
outbox_notice_prune(struct outbox *o, int64_t before_ms, struct err *e)
{
	return outbox_run(o, OB_NOTICE_PRUNE, before_ms, 0, e);
}
