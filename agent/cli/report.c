/* SPDX-License-Identifier: ISC */
/* dray report: what a run did, from the ledger. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/report/report.h"
#include "agent/task.h"
#include "base/text.h"

static const struct {
	const char *name;
	report_fn *make; /* NULL: makes files of its own */
	bool all;	 /* unless --level says otherwise */
} formats[] = {
    {"text", report_text, false},
    {"json", report_json, true},
    {"csv", report_csv, true},
    {"html", report_html, false},
    {"datasync", NULL, true},
};

static size_t
format_of(const struct options *o)
{
	size_t i = 0;

	while (strcmp(formats[i].name, o->format) != 0)
		i++;
	return i;
}

/* Finds the run and what is known of it. */
static int
begin(struct report *r, const char *run, struct err *e)
{
	struct ledger_run last;
	uint64_t id = 0;

	if (run != NULL && text_parse_uint(run, 1, INT64_MAX, &id, e) == -1)
		return -1;
	if (ledger_read_begin(r->ledger, e) == -1 ||
	    task_find_run(r->ledger, r->task, 0, &last, e) == -1 ||
	    task_find_run(r->ledger, r->task, id, &r->run, e) == -1 ||
	    ledger_meta_get(
		r->ledger, "source", r->source, sizeof(r->source), e) == -1 ||
	    ledger_meta_get(
		r->ledger, "target", r->target, sizeof(r->target), e) == -1)
		return -1;
	r->last = last.id;
	r->going_on = r->run.ended_ns == 0 && r->run.id == last.id &&
	    ledger_in_use(r->ledger);
	return 0;
}

static int
make(struct report *r, const struct options *o, struct err *e)
{
	size_t f = format_of(o);
	int rc;

	r->all = o->level != NULL ? strcmp(o->level, "all") == 0
				  : formats[f].all || o->verbosity > 0;
	if (formats[f].make == NULL)
		return report_datasync(r, o->output, e);
	r->out = out_open(o->output, e);
	if (r->out == NULL)
		return -1;
	rc = formats[f].make(r, e);
	if (rc == 0)
		rc = out_commit(r->out, e);
	out_free(r->out);
	r->out = NULL;
	return rc;
}

int
cmd_report(const struct options *o, int argc, char **argv)
{
	struct report r = {.line = BUF_INIT(4 << 20)};
	char *task = NULL;
	struct err e = ERR_INIT;
	int rc = -1;

	r.ledger = task_open_for_reading(o->state_dir, o->task, &task, &e);
	r.task = task;
	if (r.ledger != NULL && begin(&r, argc > 0 ? argv[0] : NULL, &e) == 0)
		rc = make(&r, o, &e);
	ledger_close(r.ledger);
	buf_free(&r.line);
	free(task);
	/* Who has left has seen enough. */
	if (rc == -1 && e.kind == ERR_STOPPED)
		rc = 0;
	return rc == -1 ? cmd_fail(&e) : 0;
}
