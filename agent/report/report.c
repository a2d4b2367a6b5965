/* SPDX-License-Identifier: ISC */
/* What all formats need. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/report.h"
#include "base/text.h"

int
report_flush(struct report *r, struct err *e)
{
	if (buf_failed(&r->line))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (out_write(r->out, buf_str(&r->line), r->line.len, e) == -1)
		return -1;
	buf_reset(&r->line);
	return 0;
}

const char *
report_state(const struct report *r)
{
	if (r->run.ended_ns != 0)
		return r->run.outcome;
	return r->going_on ? "still running" : "cut off";
}

const char *
report_proof(const struct ledger_file *row)
{
	return row->st.type == ITEM_FILE
	    ? outcome_proof_name(row->outcome.proof)
	    : "";
}

const char *
report_items(uint64_t n, char *out, size_t size)
{
	char count[32];

	snprintf(out, size, "%s item%s", text_count(n, count, sizeof(count)),
	    n == 1 ? "" : "s");
	return out;
}

const char *
report_next_step(const char *kind)
{
	static const struct {
		enum err_kind kind;
		const char *step;
	} steps[] = {
	    {ERR_DENIED,
		"give dray the right to read the source and to write the "
		"target, then dray retry"},
	    {ERR_NOSPACE, "make room at the target, then dray retry"},
	    {ERR_NET,
		"see whether the line and the store are up (dray "
		"probe), then dray retry"},
	    {ERR_THROTTLE,
		"the store asks for less: dray retry later, or "
		"with fewer --transfers"},
	    {ERR_SERVER, "the store's own fault: dray retry later"},
	    {ERR_EXPIRED, "renew the credentials, then dray retry"},
	    {ERR_SKEW, "set this machine's clock, then dray retry"},
	    {ERR_MISMATCH,
		"what arrived is not what was sent: dray retry; "
		"if it stays, suspect memory, line or disk"},
	    {ERR_CHANGED,
		"written to while it was read: dray retry when it "
		"rests, or take it from a snapshot"},
	    {ERR_VANISHED,
		"gone before it was read: the next dray sync "
		"takes what is there then"},
	    {ERR_NAME,
		"the target can't hold such a name: rename it at the "
		"source, or choose another target"},
	    {ERR_EXISTS,
		"another has it at the target: move one of the two, "
		"then dray retry"},
	    {ERR_NOTFOUND,
		"see that the path leads somewhere (a symbolic "
		"link to nowhere?), then dray retry"},
	    {ERR_GONE, "dray retry begins the upload anew"},
	    {ERR_UNSUPPORTED,
		"the store can't do that: leave it out by "
		"--exclude, or choose another target"},
	    {ERR_CONFIG, "set right what the message names, then dray retry"},
	    {ERR_SYS, "see to what the message names, then dray retry"},
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(err_kind_name(steps[i].kind), kind) == 0)
			return steps[i].step;
	return "dray retry";
}

static int
count_cause(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct report_causes *c = arg;
	unsigned i;

	(void)e;
	c->items++;
	for (i = 0; i < c->n; i++)
		if (strcmp(c->at[i].kind, f->kind) == 0)
			break;
	/* There are no more kinds of errors than places. */
	if (i == REPORT_CAUSES_MAX)
		return 0;
	if (i == c->n) {
		c->n++;
		snprintf(c->at[i].kind, sizeof(c->at[i].kind), "%s", f->kind);
	}
	c->at[i].items++;
	return 0;
}

static int
most_first(const void *a, const void *b)
{
	const struct report_cause *x = a, *y = b;

	return (x->items < y->items) - (x->items > y->items);
}

int
report_causes(struct report *r, struct report_causes *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (ledger_failures(r->ledger, r->run.id, count_cause, out, e) == -1)
		return -1;
	qsort(out->at, out->n, sizeof(out->at[0]), most_first);
	return 0;
}

uint64_t
report_overwritten(const struct report *r, uint64_t seen)
{
	uint64_t did = r->run.stats.done_items + r->run.stats.adopted_items;

	/* Counters of a run that didn't end are older than its rows. */
	return r->run.id != r->last && r->run.ended_ns != 0 && did > seen
	    ? did - seen
	    : 0;
}
