/* SPDX-License-Identifier: ISC */
/*
 * What others are told of a run: events, written into the very transaction in
 * which what they tell becomes true.  Nothing here where nobody subscribed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine_in.h"
#include "agent/events/cloudevent.h"
#include "agent/ui_summary.h"
#include "base/clock.h"
#include "base/text.h"

#define BODY_EXPECTED 1000
/* In the ledger: the last run that told of its beginning. */
#define RUN_TOLD "run told"

#define BODY_MAX (256 << 10) /* twelve times the longest path, and the rest */

/* An event that is being written. */
struct event {
	uint64_t run; /* 0: the one that goes on */
	struct ledger_event row;
	struct buf key;
	struct buf body;
	struct json json;
};

#define EVENT_INIT                                                    \
	{                                                             \
		.key = BUF_INIT(1 << 16), .body = BUF_INIT(BODY_MAX), \
	}

static void
auto_event(struct event *ev)
{
	buf_free(&ev->key);
	buf_free(&ev->body);
}

/* Up to the members of its data. */
static int
start(struct engine *en, struct event *ev, const char *type,
    const char *subject, size_t len, struct err *e)
{
	const struct engine_events *who = en->setup->events;
	struct cloudevent c = {
	    .source = who->source,
	    .type = type,
	    .subject = subject,
	    .subject_len = len,
	    .time_ns = clock_wall_ns(),
	};

	if (ev->run == 0)
		ev->run = en->run_id;
	if (ledger_event_next(en->ledger, &c.seq, e) == -1)
		return -1;
	c.key = buf_str(&ev->key);
	ev->row = (struct ledger_event){
	    .seq = c.seq,
	    .time_ns = c.time_ns,
	    .type = type,
	    .run_id = ev->run,
	};
	if (en->first_event == 0 && ev->run == en->run_id)
		en->first_event = c.seq;
	buf_expect(&ev->body, BODY_EXPECTED);
	json_begin(&ev->json, &ev->body);
	cloudevent_begin(&ev->json, &c);
	json_str(&ev->json, "task", who->task);
	json_uint(&ev->json, "run", ev->run);
	return 0;
}

static int
put(struct engine *en, struct event *ev, struct err *e)
{
	cloudevent_end(&ev->json);
	if (buf_failed(&ev->body) || buf_failed(&ev->key))
		return err_set(e, ERR_NOMEM, "out of memory");
	ev->row.key = buf_str(&ev->key);
	ev->row.body = buf_str(&ev->body);
	return ledger_event_put(en->ledger, &ev->row, e);
}

/* The item's URL; a local directory's paths are nobody's business. */
static void
write_target(struct engine *en, struct json *j, const char *path, size_t len,
    const char *etag, const char *version)
{
	const struct engine_events *who = en->setup->events;
	AUTO(buf) struct buf url = BUF_INIT(1 << 16);

	json_object(j, "target");
	json_str(j, "kind", who->target_kind);
	if (who->target_url != NULL) {
		buf_addf(&url, "%s/", who->target_url);
		text_percent(&url, path, len, "/");
		json_string(j, "uri", buf_str(&url), url.len);
	}
	if (etag[0] != '\0')
		json_str(j, "etag", etag);
	if (version[0] != '\0')
		json_str(j, "version_id", version);
	json_object_end(j);
}

/* One that others know, of the whole file. */
static void
write_checksum(struct json *j, const struct ledger_file *row)
{
	struct digest whole = {.crc64nvme = row->crc64nvme};
	char text[40];

	if (row->st.type != ITEM_FILE)
		return;
	if ((row->digest_have & DIGEST_CRC64NVME) != 0) {
		digest_crc_text(DIGEST_CRC64NVME, &whole, text);
	} else if ((row->digest_have & DIGEST_XXH3) != 0 &&
	    row->part_bytes == 0) {
		text_hex(row->xxh3, sizeof(row->xxh3), text);
	} else {
		return;
	}
	json_object(j, "checksum");
	json_str(j, "algorithm",
	    (row->digest_have & DIGEST_CRC64NVME) != 0 ? "crc64nvme"
						       : "xxh3-128");
	json_str(j, "value", text);
	json_object_end(j);
}

static const char *
operation(enum outcome_how how)
{
	if (how == HOW_ADOPTED)
		return "adopt";
	if (how == HOW_HARDLINK)
		return "link";
	return how == HOW_METADATA ? "metadata" : "write";
}

int
engine_event_done(struct engine *en, const struct job *j,
    const struct ledger_file *row, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;

	if (en->setup->events == NULL || row->state != LEDGER_DONE ||
	    (row->st.type != ITEM_FILE && row->st.type != ITEM_SYMLINK) ||
	    j->unchanged)
		return 0;
	cloudevent_key(&ev.key, en->setup->events->task, j->path, j->path_len);
	if (start(en, &ev, "file.completed", j->path, j->path_len, e) == -1)
		return -1;
	write_target(
	    en, &ev.json, j->path, j->path_len, row->etag, row->version);
	json_name(&ev.json, "path", j->path, j->path_len);
	json_str(
	    &ev.json, "type", row->st.type == ITEM_FILE ? "file" : "symlink");
	json_uint(&ev.json, "size", row->st.size);
	if (row->st.mtime_ns != ITEM_TIME_UNKNOWN)
		cloudevent_time(&ev.json, "mtime", row->st.mtime_ns);
	write_checksum(&ev.json, row);
	json_str(&ev.json, "operation", operation(row->outcome.how));
	json_uint(&ev.json, "attempts", row->outcome.attempts);
	return put(en, &ev, e);
}

int
engine_event_deleted(struct engine *en, const struct victim *v, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;

	if (en->setup->events == NULL || v->fate != FATE_DELETED ||
	    v->is.type == ITEM_DIR)
		return 0;
	cloudevent_key(&ev.key, en->setup->events->task, v->key, v->path_len);
	if (start(en, &ev, "file.deleted", v->key, v->path_len, e) == -1)
		return -1;
	write_target(en, &ev.json, v->key, v->path_len, "", "");
	json_name(&ev.json, "path", v->key, v->path_len);
	json_str(
	    &ev.json, "type", v->is.type == ITEM_SYMLINK ? "symlink" : "file");
	json_uint(&ev.json, "size", v->is.size);
	return put(en, &ev, e);
}

int
engine_event_failed(
    struct engine *en, const struct ledger_failure *f, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;
	/* The root has no path. */
	const char *path = f->path_len > 0 ? f->path : ".";
	size_t len = f->path_len > 0 ? f->path_len : 1;

	if (en->setup->events == NULL)
		return 0;
	cloudevent_key(&ev.key, en->setup->events->task, path, len);
	if (start(en, &ev, "file.failed", path, len, e) == -1)
		return -1;
	json_name(&ev.json, "path", path, len);
	json_str(&ev.json, "error", f->kind);
	json_string(&ev.json, "message", f->message, strlen(f->message));
	json_uint(&ev.json, "attempts", f->attempts);
	return put(en, &ev, e);
}

/* Both ends of a run are told of the run, not of a file. */
static int
start_run(struct engine *en, struct event *ev, const char *type, struct err *e)
{
	buf_addf(&ev->key, "%s/%" PRIu64, en->setup->events->task,
	    ev->run != 0 ? ev->run : en->run_id);
	return start(en, ev, type, buf_str(&ev->key), ev->key.len, e);
}

static void
write_counts(struct json *j, const struct stats_snapshot *st)
{
	json_object(j, "items");
	json_uint(j, "done", st->done_items);
	json_uint(j, "unchanged", st->unchanged_items);
	json_uint(j, "adopted", st->adopted_items);
	json_uint(j, "deleted", st->deleted_items);
	json_uint(j, "failed", st->failed_items + st->unreadable_items);
	json_uint(j, "changed", st->changed_items);
	json_uint(j, "vanished", st->vanished_items);
	json_object_end(j);
	json_uint(j, "bytes", st->done_bytes);
}

/* The run WAS, which was killed, will never tell its end. */
static int
end_killed(struct engine *en, const struct ledger_run *was, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;

	ev.run = was->id;
	if (start_run(en, &ev, "run.failed", e) == -1)
		return -1;
	ev.row.ends_run = true;
	json_str(&ev.json, "outcome", "interrupted");
	json_str(&ev.json, "message", "it was killed, or its machine stopped");
	cloudevent_time(&ev.json, "started", was->started_ns);
	write_counts(&ev.json, &was->stats);
	return put(en, &ev, e);
}

/* The first run whose end may still have to be told. */
static int
first_untold(struct engine *en, uint64_t *id, struct err *e)
{
	char text[32];
	int rc = ledger_meta_get(en->ledger, RUN_TOLD, text, sizeof(text), e);

	/* Before the first run that told anything nobody waits for an end. */
	*id = rc == 1 ? strtoull(text, NULL, 10) : en->run_id;
	return rc == -1 ? -1 : 0;
}

/* Whoever waits for the end of runs before, which were killed, learns now that
 * there will be none: also of such that were killed before they could do this
 * for others. */
static int
end_runs_before(struct engine *en, struct err *e)
{
	struct ledger_run was = {.id = 0};
	char text[32];
	uint64_t id;

	if (first_untold(en, &id, e) == -1)
		return -1;
	for (; id < en->run_id; id++) {
		int rc = ledger_run_get(en->ledger, id, &was, e);

		if (rc == -1 ||
		    (rc == 1 && was.id == id && was.ended_ns == 0 &&
			end_killed(en, &was, e) == -1))
			return -1;
	}
	snprintf(text, sizeof(text), "%" PRIu64, en->run_id);
	return ledger_meta_set(en->ledger, RUN_TOLD, text, e);
}

int
engine_event_run_started(struct engine *en, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;

	if (en->setup->events == NULL)
		return 0;
	if (end_runs_before(en, e) == -1)
		return -1;
	if (start_run(en, &ev, "run.started", e) == -1)
		return -1;
	json_str(&ev.json, "target_kind", en->setup->events->target_kind);
	return put(en, &ev, e);
}

/* What the run's --manifest is; where, if it is no local file. */
static int
write_manifest(struct engine *en, struct json *j, struct err *e)
{
	const struct manifest_proof *m = &en->manifest;
	AUTO(store_url) struct store_url *url = NULL;
	AUTO(free) char *uri = NULL;
	char sha256[65];

	if (m->bytes == 0)
		return 0;
	url = store_url_parse(en->options->manifest, e);
	if (url == NULL)
		return -1;
	json_object(j, "manifest");
	if (url->scheme != STORE_POSIX) {
		uri = store_url_uri(url);
		if (uri == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		json_str(j, "uri", uri);
	}
	text_hex(m->sha256, sizeof(m->sha256), sha256);
	json_str(j, "sha256", sha256);
	json_uint(j, "bytes", m->bytes);
	json_uint(j, "records", m->items);
	json_object_end(j);
	return 0;
}

static void
write_sequence(struct json *j, const char *key, uint64_t seq)
{
	char id[CLOUDEVENT_ID_MAX];

	cloudevent_id(seq, id);
	json_str(j, key, strchr(id, '_') + 1);
}

int
engine_event_run_ended(struct engine *en, const struct engine_result *result,
    const struct ledger_run *run, struct err *e)
{
	AUTO(event) struct event ev = EVENT_INIT;
	bool failed = result->why.kind != ERR_NONE ||
	    result->outcome == RUN_INTERRUPTED ||
	    result->outcome == RUN_WINDOW || result->outcome == RUN_FULL;

	if (en->setup->events == NULL)
		return 0;
	if (start_run(en, &ev, failed ? "run.failed" : "run.completed", e) ==
	    -1)
		return -1;
	ev.row.ends_run = true;
	json_str(&ev.json, "outcome", run_outcome_name(result->outcome));
	if (result->why.kind != ERR_NONE) {
		json_str(&ev.json, "error", err_kind_name(result->why.kind));
		json_string(&ev.json, "message", run->why, strlen(run->why));
	}
	cloudevent_time(&ev.json, "started", en->started_ns);
	write_counts(&ev.json, &run->stats);
	write_sequence(&ev.json, "first_sequence", en->first_event);
	write_sequence(&ev.json, "last_sequence", ev.row.seq);
	if (write_manifest(en, &ev.json, e) == -1)
		return -1;
	return put(en, &ev, e);
}
