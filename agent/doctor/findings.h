/* SPDX-License-Identifier: ISC */
/* What dray doctor found, in order, and how it is shown. */
#ifndef AGENT_DOCTOR_FINDINGS_H
#define AGENT_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"

enum finding_level {
	FINDING_OK,
	FINDING_WARN, /* works, but not as it should */
	FINDING_FAIL, /* doesn't work, or isn't safe */
	FINDING_LEVEL_COUNT
};

struct findings;

/* NULL: no memory. */
struct findings *findings_new(void);
void findings_free(struct findings *f);
AUTO_DEFINE(findings, struct findings, findings_free)

/* WHAT, a literal, was looked at ("open files"), and is as FMT says. */
void findings_add(struct findings *f, enum finding_level level,
    const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What to do about the last one. */
void findings_next(struct findings *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

size_t findings_count(const struct findings *f, enum finding_level level);

/* A line each, below it the next step, and a summary at the end.  QUIET:
 * without those that are all right. */
void findings_text(const struct findings *f, bool quiet, struct buf *out);
/* A line of JSON for each. */
void findings_json(const struct findings *f, struct buf *out);

/* Whether memory was short: something is missing then. */
bool findings_failed(const struct findings *f);

#endif
