/* SPDX-License-Identifier: ISC */
/* What is said at the end of a run, for people and for machines.  Pure. */
#ifndef AGENT_UI_SUMMARY_H
#define AGENT_UI_SUMMARY_H

#include <stdint.h>

#include "agent/ui.h"
#include "base/buf.h"
#include "base/json.h"

struct ui_summary {
	const struct options *options;
	const struct ui_run *run;
	enum run_outcome outcome;
	const struct stats_snapshot *stats;
	uint64_t elapsed_ms;
	const struct err *why; /* what ended the run early, or NULL */
};

/* Several lines: what became of the items, and how to go on. */
void ui_summary_text(struct buf *out, const struct ui_summary *s);
/* {"type":"summary",...} without the line's end. */
void ui_summary_json(struct buf *out, const struct ui_summary *s);

/* "1 file", "2,000 files". */
void ui_add_count(
    struct buf *out, uint64_t n, const char *one, const char *many);
/* A line NAME of the items that were left out, and why; none, no line. */
void ui_add_skipped(
    struct buf *out, const char *name, const struct stats_snapshot *c);

/* Member "stats" with all counters. */
void ui_stats_json(struct json *j, const struct stats_snapshot *s);

/* A stable lower-case word, as reports and JSON show it. */
const char *run_outcome_name(enum run_outcome outcome);

#endif
