/* SPDX-License-Identifier: ISC */
/*
 * Calendar expressions: points in time that come again, in the syntax of
 * systemd.time(7), "CALENDAR EVENTS" (OnCalendar= of timers):
 *
 *	[WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]
 *
 * with lists "1,15", ranges "8..18", repetition "0/15", "~1" for the last day
 * of a month, fractions of seconds, "@SECONDS" since 1970, and the words
 * minutely, hourly, daily, weekly, monthly, quarterly, semiannually, yearly.
 * What "systemd-analyze calendar" says of an expression is true here as well,
 * but for: abbreviations as CEST are no zones, nor are zones with leap seconds.
 *
 * Where clocks are put forward, times that no clock shows are passed over;
 * where they are put back, what would come twice comes the first time only (but
 * asked in the second hour, calendar_next() answers with times of that hour).
 * Pure, but for reading the zone's file once.  Immutable: threads may share it.
 */
#ifndef AGENT_DAEMON_CALENDAR_H
#define AGENT_DAEMON_CALENDAR_H

#include <stdint.h>

#include "agent/daemon/zone.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define CALENDAR_TEXT_MAX 1000 /* bytes of an expression */
#define CALENDAR_NEVER INT64_MAX

struct calendar;

/* ERR_CONFIG names TEXT, the place in it and what is wrong there. */
struct calendar *calendar_new(const char *text, struct err *e);
void calendar_free(struct calendar *c);
AUTO_DEFINE(calendar, struct calendar, calendar_free)

/* Appends the normalised form: the same points in time, one way to say it. */
void calendar_text(const struct calendar *c, struct buf *out);

/*
 * The first point after AFTER_US (microseconds since 1970), by the clocks of
 * the expression's zone or, if it names none, of ZONE.  CALENDAR_NEVER if there
 * is none until the end of 2199.
 */
int64_t calendar_next(
    const struct calendar *c, const struct zone *zone, int64_t after_us);

#endif
