/* SPDX-License-Identifier: ISC */
/*
 * What holds at which time of the week, by the clock on the wall: a number from
 * each step on until the next one.  Where clocks are put forward or back, what
 * the clock shows counts: a time that no clock shows is passed over, one that
 * it shows twice counts twice.  Pure.
 */
#ifndef AGENT_DAEMON_WEEK_H
#define AGENT_DAEMON_WEEK_H

#include <stddef.h>
#include <stdint.h>

#include "agent/daemon/zone.h"
#include "base/err.h"

#define WEEK_STEPS_MAX 1024

struct week_step {
	int32_t second; /* of the week, from Monday, 00:00 */
	uint64_t value;
};

struct week {
	size_t n;
	struct week_step *step; /* ascending; the last holds until the first */
};

/* Adds a step; *ADDED (may be NULL) is false if there is one of that time. */
int week_add(
    struct week *w, int32_t second, uint64_t value, bool *added, struct err *e);
void week_free(struct week *w);

/* The value at T_US (microseconds since 1970) in ZONE; W has a step. */
uint64_t week_value(
    const struct week *w, const struct zone *zone, int64_t t_us);
/* The first time after T_US at which the value may be another, within a week;
 * INT64_MAX: none. */
int64_t week_next(const struct week *w, const struct zone *zone, int64_t t_us);

/* Reads "8:00" or "08:00:30", up to 24:00, at *AT, which is moved; -1: it is
 * no time of day. */
int32_t week_time_of_day(const char **at);

#endif
