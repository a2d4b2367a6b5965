/* SPDX-License-Identifier: ISC */
/* The report for people. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/report/report.h"
#include "base/clock.h"
#include "base/text.h"

/* One pass over failures, notices or items. */
struct listing {
	struct report *r;
	const char *kind; /* failures of this one only */
	uint64_t n;	  /* what was told so far */
};

static void
add_path(struct buf *line, const char *path, size_t len)
{
	text_escape(line, len > 0 ? path : ".", len > 0 ? len : 1);
}

static void
add_count(struct report *r, const char *name, uint64_t v)
{
	char n[32];

	if (v > 0)
		buf_addf(&r->line, "  %-18s %s\n", name,
		    text_count(v, n, sizeof(n)));
}

static void
add_counters(struct report *r)
{
#define REPORT_TEXT(name) add_count(r, #name, r->run.stats.name);
	STATS_COUNTERS(REPORT_TEXT)
#undef REPORT_TEXT
}

static void
add_proofs(struct report *r)
{
	const struct stats_snapshot *s = &r->run.stats;
	uint64_t read = s->read_back_items;
	uint64_t by_store =
	    s->verified_items > read ? s->verified_items - read : 0;

	if (by_store + read + s->unproved_items == 0)
		return;
	buf_adds(&r->line, "proof of the files that were moved or adopted:\n");
	add_count(r, "store's checksum", by_store);
	add_count(r, "read back", read);
	add_count(r, "none", s->unproved_items);
}

static void
add_head(struct report *r)
{
	struct buf *line = &r->line;
	char when[32];

	clock_iso8601(r->run.started_ns, when, sizeof(when));
	buf_addf(line, "task %s, run %" PRIu64, r->task, r->run.id);
	if (r->run.retry_of != 0)
		buf_addf(line, ", a retry of run %" PRIu64, r->run.retry_of);
	buf_adds(line, "\nfrom ");
	text_escape(line, r->source, strlen(r->source));
	buf_adds(line, "\nto ");
	text_escape(line, r->target, strlen(r->target));
	buf_addf(line, "\nbegun %s", when);
	if (r->run.ended_ns != 0) {
		clock_iso8601(r->run.ended_ns, when, sizeof(when));
		buf_addf(line, ", ended %s: %s\n", when, r->run.outcome);
	} else if (r->going_on) {
		buf_adds(line,
		    ", still running: what is told is some "
		    "seconds old\n");
	} else {
		buf_adds(line,
		    ", cut off: the same dray sync goes on where "
		    "it was\n");
	}
	if (r->run.why[0] != '\0') {
		text_escape(line, r->run.why, strlen(r->run.why));
		buf_addc(line, '\n');
	}
}

static int
failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct listing *l = arg;
	struct buf *line = &l->r->line;

	if (strcmp(f->kind, l->kind) != 0)
		return 0;
	buf_adds(line, "    ");
	add_path(line, f->path, f->path_len);
	buf_adds(line, ": ");
	text_escape(line, f->message, strlen(f->message));
	if (f->attempts > 1)
		buf_addf(line, " (%u attempts)", f->attempts);
	buf_addc(line, '\n');
	return report_flush(l->r, e);
}

static int
failures(struct report *r, struct err *e)
{
	struct report_causes causes;
	char n[40];
	unsigned i;

	if (report_causes(r, &causes, e) == -1)
		return -1;
	if (causes.n > 0)
		buf_addf(&r->line, "not transferred: %s\n",
		    report_items(causes.items, n, sizeof(n)));
	for (i = 0; i < causes.n; i++) {
		struct listing l = {.r = r, .kind = causes.at[i].kind};

		buf_addf(&r->line, "  %s: %s; %s\n", l.kind,
		    report_items(causes.at[i].items, n, sizeof(n)),
		    report_next_step(l.kind));
		if (ledger_failures(r->ledger, r->run.id, failure, &l, e) == -1)
			return -1;
	}
	return report_flush(r, e);
}

static int
notice(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct listing *l = arg;
	struct buf *line = &l->r->line;

	if (l->n++ == 0)
		buf_adds(line,
		    n->what == NOTICE_DRIFT
			? "changed at the target by others:\n"
			: "left alone:\n");
	buf_adds(line, "    ");
	add_path(line, n->path, n->path_len);
	buf_adds(line, ": ");
	text_escape(line, n->reason, strlen(n->reason));
	buf_addc(line, '\n');
	return report_flush(l->r, e);
}

static int
item(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct listing *l = arg;
	struct buf *line = &l->r->line;
	const char *proof;
	char size[24];

	if (l->n++ == 0)
		buf_adds(line, "done:\n");
	proof = report_proof(row);
	buf_addf(line, "    %-9s %10s %-9s ",
	    outcome_how_name(row->outcome.how),
	    row->st.type == ITEM_FILE
		? text_size(row->st.size, size, sizeof(size))
		: "-",
	    *proof != '\0' ? proof : "-");
	add_path(line, path, len);
	if (row->outcome.attempts > 1)
		buf_addf(line, " (%u attempts)", row->outcome.attempts);
	buf_addc(line, '\n');
	return report_flush(l->r, e);
}

static int
deletion(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct listing *l = arg;
	struct buf *line = &l->r->line;

	if (l->n++ == 0)
		buf_adds(line, "to be deleted at the target:\n");
	buf_addf(line, "    %-18s ", ledger_fate_name(d->fate));
	add_path(line, d->path, d->path_len);
	buf_addc(line, '\n');
	return report_flush(l->r, e);
}

static int
notices(struct report *r, enum notice_kind what, struct err *e)
{
	struct listing l = {.r = r};

	return ledger_notices(r->ledger, r->run.id, what, notice, &l, e);
}

/* What the ledger no longer tells of the run. */
static int
overwritten(struct report *r, uint64_t seen, struct err *e)
{
	uint64_t later = report_overwritten(r, seen);
	char n[40];

	if (later > 0)
		buf_addf(&r->line,
		    "later runs wrote %s of these again: their reports tell "
		    "of that\n",
		    report_items(later, n, sizeof(n)));
	return report_flush(r, e);
}

static int
count_items(struct report *r, uint64_t *out, struct err *e)
{
	struct ledger_sums sums;
	unsigned i;

	*out = 0;
	if (r->run.id == r->last)
		return 0;
	if (ledger_sums(r->ledger, r->run.id, &sums, e) == -1)
		return -1;
	for (i = 0; i < HOW_COUNT; i++)
		*out += sums.items[i];
	return 0;
}

int
report_text(struct report *r, struct err *e)
{
	struct listing items = {.r = r}, gone = {.r = r};
	uint64_t seen;

	add_head(r);
	add_counters(r);
	add_proofs(r);
	if (report_flush(r, e) == -1 || failures(r, e) == -1 ||
	    notices(r, NOTICE_DRIFT, e) == -1)
		return -1;
	if (!r->all)
		return count_items(r, &seen, e) == -1 ? -1
						      : overwritten(r, seen, e);
	if (notices(r, NOTICE_SKIPPED, e) == -1 ||
	    ledger_deletions(r->ledger, r->run.id, deletion, &gone, e) == -1 ||
	    ledger_items(r->ledger, r->run.id, item, &items, e) == -1)
		return -1;
	return overwritten(r, items.n, e);
}
