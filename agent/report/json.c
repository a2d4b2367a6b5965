/* SPDX-License-Identifier: ISC */
/* The report as one JSON object, a value at a time. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/report/report.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

struct listing {
	struct report *r;
	struct json *j;
	uint64_t n;
};

static void
add_time(struct json *j, const char *key, int64_t ns)
{
	char when[32];

	clock_iso8601(ns, when, sizeof(when));
	json_str(j, key, when);
}

static int
failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct listing *l = arg;

	json_object(l->j, NULL);
	json_name(l->j, "path", f->path, f->path_len);
	json_str(l->j, "kind", f->kind);
	json_str(l->j, "message", f->message);
	json_uint(l->j, "attempts", f->attempts);
	add_time(l->j, "time", f->at_ns);
	json_str(l->j, "next_step", report_next_step(f->kind));
	json_object_end(l->j);
	return report_flush(l->r, e);
}

static int
notice(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct listing *l = arg;

	json_object(l->j, NULL);
	json_name(l->j, "path", n->path, n->path_len);
	json_str(l->j, "type", item_type_name(n->type));
	json_str(l->j, "reason", n->reason);
	json_object_end(l->j);
	return report_flush(l->r, e);
}

static void
add_digests(struct json *j, const struct ledger_file *row)
{
	char hex[65];

	if ((row->digest_have & DIGEST_XXH3) != 0) {
		text_hex(row->xxh3, sizeof(row->xxh3), hex);
		json_str(
		    j, row->part_bytes > 0 ? "xxh3_of_parts" : "xxh3", hex);
	}
	if ((row->digest_have & DIGEST_SHA256) != 0) {
		text_hex(row->sha256, sizeof(row->sha256), hex);
		json_str(
		    j, row->part_bytes > 0 ? "sha256_of_parts" : "sha256", hex);
	}
	if (row->part_bytes > 0)
		json_uint(j, "part_bytes", row->part_bytes);
	if ((row->digest_have & DIGEST_CRC64NVME) != 0) {
		snprintf(hex, sizeof(hex), "%016" PRIx64, row->crc64nvme);
		json_str(j, "crc64nvme", hex);
	}
	if (row->etag[0] != '\0')
		json_str(j, "etag", row->etag);
}

static int
item(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct listing *l = arg;
	struct json *j = l->j;

	l->n++;
	json_object(j, NULL);
	json_name(j, "path", path, len);
	json_str(j, "type", item_type_name(row->st.type));
	json_str(j, "state", row->state == LEDGER_DONE ? "done" : "pending");
	json_str(j, "how", outcome_how_name(row->outcome.how));
	if (*report_proof(row) != '\0')
		json_str(j, "proof", report_proof(row));
	if (row->outcome.done_ns != 0) {
		add_time(j, "done", row->outcome.done_ns);
		json_uint(j, "attempts", row->outcome.attempts);
	}
	json_uint(j, "size", row->st.size);
	json_int(j, "mtime_ns", row->st.mtime_ns);
	add_digests(j, row);
	json_object_end(j);
	return report_flush(l->r, e);
}

static void
add_head(struct report *r, struct json *j)
{
	json_str(j, "task", r->task);
	json_name(j, "source", r->source, strlen(r->source));
	json_name(j, "target", r->target, strlen(r->target));
	json_uint(j, "run", r->run.id);
	if (r->run.retry_of != 0)
		json_uint(j, "retry_of", r->run.retry_of);
	json_str(j, "state", report_state(r));
	add_time(j, "started", r->run.started_ns);
	if (r->run.ended_ns != 0) {
		add_time(j, "ended", r->run.ended_ns);
		json_str(j, "outcome", r->run.outcome);
		json_string(j, "why", r->run.why, strlen(r->run.why));
	}
	json_object(j, "counters");
#define REPORT_JSON(name) json_uint(j, #name, r->run.stats.name);
	STATS_COUNTERS(REPORT_JSON)
#undef REPORT_JSON
	json_object_end(j);
}

static int
notices(
    struct listing *l, const char *key, enum notice_kind what, struct err *e)
{
	json_array(l->j, key);
	if (ledger_notices(l->r->ledger, l->r->run.id, what, notice, l, e) ==
	    -1)
		return -1;
	json_array_end(l->j);
	return 0;
}

static int
deletion(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct listing *l = arg;

	json_object(l->j, NULL);
	json_name(l->j, "path", d->path, d->path_len);
	json_str(l->j, "type", item_type_name(d->type));
	json_uint(l->j, "size", d->size);
	json_str(l->j, "fate", ledger_fate_name(d->fate));
	json_object_end(l->j);
	return report_flush(l->r, e);
}

int
report_json(struct report *r, struct err *e)
{
	struct json j;
	struct listing l = {.r = r, .j = &j};

	json_begin(&j, &r->line);
	json_object(&j, NULL);
	add_head(r, &j);
	json_array(&j, "failures");
	if (ledger_failures(r->ledger, r->run.id, failure, &l, e) == -1)
		return -1;
	json_array_end(&j);
	if (notices(&l, "drift", NOTICE_DRIFT, e) == -1)
		return -1;
	if (r->all) {
		if (notices(&l, "skipped", NOTICE_SKIPPED, e) == -1)
			return -1;
		json_array(&j, "deletions");
		if (ledger_deletions(r->ledger, r->run.id, deletion, &l, e) ==
		    -1)
			return -1;
		json_array_end(&j);
		json_array(&j, "items");
		if (ledger_items(r->ledger, r->run.id, item, &l, e) == -1)
			return -1;
		json_array_end(&j);
		json_uint(&j, "overwritten_items", report_overwritten(r, l.n));
	}
	json_object_end(&j);
	buf_addc(&r->line, '\n');
	return report_flush(r, e);
}
