/* SPDX-License-Identifier: ISC */
/* dray status: what the ledgers say of the tasks. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/ledger.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

struct status {
	const char *task;
	char source[4096];
	char target[4096];
	struct ledger_run run; /* the last; id 0 if there was none */
	uint64_t items, bytes;
	size_t uploads;
};

static int
read_status(struct ledger *l, struct status *s, struct err *e)
{
	struct ledger_upload *up = NULL;
	size_t n, i;

	if (ledger_meta_get(l, "source", s->source, sizeof(s->source), e) ==
		-1 ||
	    ledger_meta_get(l, "target", s->target, sizeof(s->target), e) ==
		-1 ||
	    ledger_run_get(l, INT64_MAX, &s->run, e) == -1 ||
	    ledger_totals(l, &s->items, &s->bytes, e) == -1 ||
	    ledger_uploads(l, &up, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		s->uploads += up[i].store_id[0] != '\0';
	ledger_uploads_free(up, n);
	return 0;
}

static const char *
state_of(const struct status *s)
{
	if (s->run.id == 0)
		return "never ran";
	return s->run.ended_ns == 0 ? "running or cut off" : s->run.outcome;
}

static void
show_text(const struct status *s, struct buf *out)
{
	char n[32], size[32], when[32];

	buf_addf(out, "%s\n  from      ", s->task);
	text_escape(out, s->source, strlen(s->source));
	buf_adds(out, "\n  to        ");
	text_escape(out, s->target, strlen(s->target));
	buf_addf(out, "\n  recorded  %s items, %s\n",
	    text_count(s->items, n, sizeof(n)),
	    text_size(s->bytes, size, sizeof(size)));
	if (s->run.id != 0) {
		clock_iso8601(s->run.started_ns, when, sizeof(when));
		buf_addf(out, "  last run  %llu, %s, %s\n",
		    (unsigned long long)s->run.id, when, state_of(s));
	}
	if (s->run.why[0] != '\0') {
		buf_adds(out, "            ");
		text_escape(out, s->run.why, strlen(s->run.why));
		buf_addc(out, '\n');
	}
	if (s->uploads > 0)
		buf_addf(out,
		    "  %zu uploads are unfinished; the same command again "
		    "resumes them\n",
		    s->uploads);
}

static void
show_json(const struct status *s, struct json *j)
{
	json_object(j, NULL);
	json_str(j, "task", s->task);
	json_name(j, "source", s->source, strlen(s->source));
	json_name(j, "target", s->target, strlen(s->target));
	json_uint(j, "recorded_items", s->items);
	json_uint(j, "recorded_bytes", s->bytes);
	json_uint(j, "unfinished_uploads", s->uploads);
	json_str(j, "state", state_of(s));
	if (s->run.id != 0) {
		char when[32];

		json_uint(j, "run", s->run.id);
		clock_iso8601(s->run.started_ns, when, sizeof(when));
		json_str(j, "started", when);
		if (s->run.ended_ns != 0) {
			clock_iso8601(s->run.ended_ns, when, sizeof(when));
			json_str(j, "ended", when);
		}
		json_string(j, "why", s->run.why, strlen(s->run.why));
	}
	json_object_end(j);
}

static int
show(const struct options *o, const char *task, struct json *j, struct buf *out,
    struct err *e)
{
	AUTO(ledger) struct ledger *l = NULL;
	struct status s = {.task = task};
	char *aside;

	if (task_check_name(task, e) == -1)
		return -1;
	l = ledger_open(o->state_dir, task, LEDGER_READ, &aside, e);
	if (l == NULL || read_status(l, &s, e) == -1)
		return err_context(e, "task %s", task);
	if (strcmp(o->format, "json") == 0)
		show_json(&s, j);
	else
		show_text(&s, out);
	return 0;
}

int
cmd_status(const struct options *o, int argc, char **argv)
{
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	struct err e = ERR_INIT;
	char **names = NULL;
	struct json j;
	size_t i;
	int rc = 0;

	json_begin(&j, &out);
	if (strcmp(o->format, "json") == 0)
		json_array(&j, NULL);
	if (argc > 0) {
		rc = show(o, argv[0], &j, &out, &e);
	} else {
		names = task_names(o->state_dir, &e);
		rc = names != NULL ? 0 : -1;
		for (i = 0; rc == 0 && names[i] != NULL; i++)
			rc = show(o, names[i], &j, &out, &e);
		if (rc == 0 && names[0] == NULL && out.len == 0)
			buf_addf(&out,
			    "no task has run yet (state directory "
			    "%s)\n",
			    o->state_dir);
		task_names_free(names);
	}
	if (rc == -1)
		return cmd_fail(&e);
	if (strcmp(o->format, "json") == 0) {
		json_array_end(&j);
		buf_addc(&out, '\n');
	}
	fputs(buf_str(&out), stdout);
	return 0;
}
