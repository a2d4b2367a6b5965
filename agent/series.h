/* SPDX-License-Identifier: ISC */
/*
 * How a run went on over time: totals at equal distances, at most SERIES_MAX of
 * them.  When it is full, every second one goes and the distance doubles: a
 * run of any length takes the same room.  Pure.
 */
#ifndef AGENT_SERIES_H
#define AGENT_SERIES_H

#include <stdint.h>

#include "base/buf.h"

#define SERIES_MAX 600
#define SERIES_FIRST_STEP_MS 100

struct series_point {
	uint64_t bytes; /* since the run began */
	uint64_t items;
};

struct series {
	uint64_t step_ms; /* 0: nothing was added */
	unsigned n;
	struct series_point at[SERIES_MAX]; /* [i]: at (i + 1) * step_ms */
};

/* What NOW_MS after its beginning the run has come to. */
void series_add(struct series *s, uint64_t now_ms, struct series_point now);

/* As the ledger keeps it, and back; what makes no sense reads as nothing. */
void series_to_text(const struct series *s, struct buf *out);
void series_from_text(const char *text, struct series *s);

#endif
