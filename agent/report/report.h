/* SPDX-License-Identifier: ISC */
/*
 * What a run did, from the ledger's rows: outcomes, never intentions.  Each
 * format streams: a report of any size needs no more memory than a line.
 */
#ifndef AGENT_REPORT_REPORT_H
#define AGENT_REPORT_REPORT_H

#include <stdbool.h>

#include "agent/ledger.h"
#include "agent/report/out.h"
#include "base/buf.h"
#include "base/err.h"

struct report {
	struct ledger *ledger;
	const char *task;
	struct ledger_run run;
	bool going_on; /* a process is at it now */
	bool all;      /* each item, not only what went wrong */
	uint64_t last; /* the newest run's id */
	char source[8192];
	char target[8192];
	struct out *out;
	struct buf line; /* goes out by report_flush() */
};

/* A format: 0 or -1. */
typedef int report_fn(struct report *r, struct err *e);

report_fn report_text;
report_fn report_json;
report_fn report_csv;
report_fn report_html;
/* Makes files below directory DIR; R has no out. */
int report_datasync(struct report *r, const char *dir, struct err *e);

/* Sends off what is in r->line. */
int report_flush(struct report *r, struct err *e);

/* "ok", "failures", ... or "still running", "cut off". */
const char *report_state(const struct report *r);
/* What to do about a failure of KIND (err_kind_name); a sentence. */
const char *report_next_step(const char *kind);
/* What proves ROW's content at the target; "" where it has none. */
const char *report_proof(const struct ledger_file *row);
/* "1 item", "1,234 items"; OUT of 40 bytes or more.  Returns OUT. */
const char *report_items(uint64_t n, char *out, size_t size);

/* How many failures there are of each kind, worst first. */
struct report_cause {
	char kind[24];
	uint64_t items;
};
#define REPORT_CAUSES_MAX 32
struct report_causes {
	unsigned n;
	struct report_cause at[REPORT_CAUSES_MAX];
	uint64_t items; /* of all causes */
};
int report_causes(struct report *r, struct report_causes *out, struct err *e);

/*
 * Of what the run did, the items that later runs did again, so that the ledger
 * tells of those runs instead.  SEEN: the items that it still tells.
 */
uint64_t report_overwritten(const struct report *r, uint64_t seen);

#endif
