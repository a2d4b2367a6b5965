/* SPDX-License-Identifier: ISC */
/* The progress line: how far, how fast, how long still.  Pure. */
#ifndef AGENT_UI_LINE_H
#define AGENT_UI_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stats.h"
#include "base/buf.h"

/* Speed over the last ten seconds or so; zeroed to begin. */
#define RATE_SAMPLES 51
#define RATE_STEP_MS 200

struct rate {
	struct rate_sample {
		uint64_t ms;   /* since the run began */
		uint64_t sent; /* bytes */
		uint64_t work; /* see progress_work() */
	} samples[RATE_SAMPLES];
	size_t count; /* ever added */
};

/* Samples closer than RATE_STEP_MS to the last one are dropped. */
void rate_add(
    struct rate *r, uint64_t elapsed_ms, const struct stats_snapshot *s);
uint64_t rate_sent(const struct rate *r); /* bytes a second */
uint64_t rate_work(const struct rate *r); /* a second */

/* How far the run is with what is known to be moved. */
struct progress {
	uint64_t bytes, total_bytes;
	uint64_t items, total_items;
};

/* Bytes of files under way count as they are sent; never over the total. */
struct progress progress_of(const struct stats_snapshot *s);
/* Bytes, and for each item what it costs besides: what time goes into. */
uint64_t progress_work(uint64_t bytes, uint64_t items);

struct progress_view {
	struct stats_snapshot stats;
	uint64_t in_flight;
	uint64_t elapsed_ms;
	uint64_t sent_per_s, work_per_s;
	bool scanning; /* the totals still grow */
	bool stopping;
};

/* Milliseconds still to go, by what is known so far; UINT64_MAX: unknown. */
uint64_t progress_eta_ms(const struct progress_view *v);

/*
 * Appends the line: at most COLUMNS wide (0: any width), the least important
 * things left out; ASCII only.
 */
void progress_line(
    struct buf *out, const struct progress_view *v, size_t columns);

#endif
