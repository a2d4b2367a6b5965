/* SPDX-License-Identifier: ISC */
/*
 * Bandwidth by the time of day, as rclone's --bwlimit has it:
 *
 *	10M				one rate
 *	08:00,512K 12:00,10M 19:00,off	each day, by the clock on the wall
 *	Mon-00:00,1M Sat-00:00,off	weekdays
 *
 * Rates are bytes a second; a number without a suffix counts KiB, "off" and 0
 * are no limit.  One rate, not rclone's "up:down": a run goes one way.  Pure.
 */
#ifndef AGENT_DAEMON_TIMETABLE_H
#define AGENT_DAEMON_TIMETABLE_H

#include <stdint.h>

#include "agent/daemon/zone.h"
#include "base/auto.h"
#include "base/err.h"

#define TIMETABLE_NEVER INT64_MAX

struct timetable;

/* ERR_CONFIG names the entry of TEXT and what is wrong with it. */
struct timetable *timetable_new(const char *text, struct err *e);
void timetable_free(struct timetable *t);
AUTO_DEFINE(timetable, struct timetable, timetable_free)

/* Bytes a second at NOW_US; 0: no limit. */
uint64_t timetable_rate(
    const struct timetable *t, const struct zone *zone, int64_t now_us);
/* When the rate is another one, after NOW_US; TIMETABLE_NEVER: always this. */
int64_t timetable_change(
    const struct timetable *t, const struct zone *zone, int64_t now_us);

#endif
