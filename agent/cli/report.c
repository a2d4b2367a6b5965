/* SPDX-License-Identifier: ISC */
/* dray report: what a run did, from the ledger.  Streams: a report of any
 * size needs no more memory than a line. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/ledger.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

/* The source and target of a task, as its ledger has them. */
struct pair {
	char source[4096];
	char target[4096];
};

static int
read_pair(struct ledger *l, struct pair *p, struct err *e)
{
	*p = (struct pair){.source = ""};
	if (ledger_meta_get(l, "source", p->source, sizeof(p->source), e) == -1)
		return -1;
	return ledger_meta_get(l, "target", p->target, sizeof(p->target), e) ==
		-1
	    ? -1
	    : 0;
}

/* Each line goes out as soon as it is made. */
static void
flush(struct buf *line)
{
	fwrite(buf_str(line), 1, line->len, stdout);
	buf_reset(line);
}

static int
failure_text(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct buf *line = arg;

	(void)e;
	buf_addf(line, "  %-12s ", f->kind);
	text_escape(line, f->path_len > 0 ? f->path : ".",
	    f->path_len > 0 ? f->path_len : 1);
	buf_adds(line, ": ");
	text_escape(line, f->message, strlen(f->message));
	if (f->attempts > 1)
		buf_addf(line, " (%u attempts)", f->attempts);
	buf_addc(line, '\n');
	flush(line);
	return 0;
}

static void
counters_text(const struct stats_snapshot *s, struct buf *line)
{
	char n[32];

#define REPORT_TEXT(name)                             \
	if (s->name > 0)                              \
		buf_addf(line, "  %-18s %s\n", #name, \
		    text_count(s->name, n, sizeof(n)));
	STATS_COUNTERS(REPORT_TEXT)
#undef REPORT_TEXT
}

static int
report_text(struct ledger *l, const char *task, const struct ledger_run *run,
    struct err *e)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 20);
	struct pair pair;
	char when[32];

	if (read_pair(l, &pair, e) == -1)
		return -1;
	clock_iso8601(run->started_ns, when, sizeof(when));
	buf_addf(&line, "task %s, run %" PRIu64 "\nfrom ", task, run->id);
	text_escape(&line, pair.source, strlen(pair.source));
	buf_adds(&line, "\nto ");
	text_escape(&line, pair.target, strlen(pair.target));
	buf_addf(&line, "\nbegun %s", when);
	if (run->ended_ns != 0) {
		clock_iso8601(run->ended_ns, when, sizeof(when));
		buf_addf(&line, ", ended %s: %s\n", when, run->outcome);
	} else {
		buf_adds(&line, ", not ended: it goes on, or was cut off\n");
	}
	if (run->why[0] != '\0') {
		text_escape(&line, run->why, strlen(run->why));
		buf_addc(&line, '\n');
	}
	counters_text(&run->stats, &line);
	if (run->stats.failed_items + run->stats.changed_items +
		run->stats.vanished_items + run->stats.unreadable_items >
	    0)
		buf_adds(&line, "not transferred:\n");
	flush(&line);
	return ledger_failures(l, run->id, failure_text, &line, e);
}

static int
failure_json(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct json *j = arg;

	(void)e;
	json_object(j, NULL);
	json_name(j, "path", f->path, f->path_len);
	json_str(j, "kind", f->kind);
	json_str(j, "message", f->message);
	json_uint(j, "attempts", f->attempts);
	json_object_end(j);
	flush(j->out);
	return 0;
}

static int
item_json(void *arg, const char *path, size_t len,
    const struct ledger_file *row, struct err *e)
{
	static const char *const types[] = {
	    [ITEM_FILE] = "file",
	    [ITEM_DIR] = "directory",
	    [ITEM_SYMLINK] = "symlink",
	};
	struct json *j = arg;
	char hex[33];

	(void)e;
	json_object(j, NULL);
	json_name(j, "path", path, len);
	if (row->st.type >= ITEM_FILE && row->st.type <= ITEM_SYMLINK)
		json_str(j, "type", types[row->st.type]);
	json_str(j, "state", row->state == LEDGER_DONE ? "done" : "pending");
	json_uint(j, "size", row->st.size);
	json_int(j, "mtime_ns", row->st.mtime_ns);
	if ((row->digest_have & DIGEST_XXH3) != 0) {
		text_hex(row->xxh3, sizeof(row->xxh3), hex);
		json_str(
		    j, row->part_bytes > 0 ? "xxh3_of_parts" : "xxh3", hex);
	}
	if (row->part_bytes > 0)
		json_uint(j, "part_bytes", row->part_bytes);
	if ((row->digest_have & DIGEST_CRC64NVME) != 0) {
		snprintf(hex, sizeof(hex), "%016" PRIx64, row->crc64nvme);
		json_str(j, "crc64nvme", hex);
	}
	if (row->etag[0] != '\0')
		json_str(j, "etag", row->etag);
	json_object_end(j);
	flush(j->out);
	return 0;
}

static int
report_json(struct ledger *l, const char *task, const struct ledger_run *run,
    struct err *e)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 20);
	struct pair pair;
	struct json j;
	char when[32];

	if (read_pair(l, &pair, e) == -1)
		return -1;
	json_begin(&j, &line);
	json_object(&j, NULL);
	json_str(&j, "task", task);
	json_name(&j, "source", pair.source, strlen(pair.source));
	json_name(&j, "target", pair.target, strlen(pair.target));
	json_uint(&j, "run", run->id);
	clock_iso8601(run->started_ns, when, sizeof(when));
	json_str(&j, "started", when);
	if (run->ended_ns != 0) {
		clock_iso8601(run->ended_ns, when, sizeof(when));
		json_str(&j, "ended", when);
		json_str(&j, "outcome", run->outcome);
		json_string(&j, "why", run->why, strlen(run->why));
	}
	json_object(&j, "counters");
#define REPORT_JSON(name) json_uint(&j, #name, run->stats.name);
	STATS_COUNTERS(REPORT_JSON)
#undef REPORT_JSON
	json_object_end(&j);
	json_array(&j, "failures");
	if (ledger_failures(l, run->id, failure_json, &j, e) == -1)
		return -1;
	json_array_end(&j);
	json_array(&j, "items");
	if (ledger_items(l, run->id, item_json, &j, e) == -1)
		return -1;
	json_array_end(&j);
	json_object_end(&j);
	buf_addc(&line, '\n');
	flush(&line);
	return 0;
}

int
cmd_report(const struct options *o, int argc, char **argv)
{
	AUTO(ledger) struct ledger *l = NULL;
	AUTO(free) char *task = NULL;
	struct ledger_run run;
	struct err e = ERR_INIT;
	uint64_t id = INT64_MAX;
	int rc;

	if (argc > 0 && text_parse_uint(argv[0], 1, INT64_MAX, &id, &e) == -1)
		return cmd_fail(&e);
	l = task_open_for_reading(o->state_dir, o->task, &task, &e);
	if (l == NULL)
		return cmd_fail(&e);
	rc = ledger_run_get(l, id, &run, &e);
	if (rc == 0 || (rc == 1 && argc > 0 && run.id != id)) {
		err_set(&e, ERR_NOTFOUND, "task %s has no run %s", task,
		    argc > 0 ? argv[0] : "");
		rc = -1;
	}
	if (rc == 1)
		rc = strcmp(o->format, "json") == 0
		    ? report_json(l, task, &run, &e)
		    : report_text(l, task, &run, &e);
	return rc == -1 ? cmd_fail(&e) : 0;
}
