/* SPDX-License-Identifier: ISC */
/* Dates of the Gregorian calendar and seconds since 1970; no zones. Pure. */
#ifndef AGENT_DAEMON_CIVIL_H
#define AGENT_DAEMON_CIVIL_H

#include <stdint.h>

#define DAY_SECONDS 86400
#define WEEK_SECONDS (7 * DAY_SECONDS)

struct civil {
	int year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
	int hour;
	int minute;
	int second;
};

/* Days from 1970-01-01; YEAR is 1..9999. */
int64_t civil_days(int year, int month, int day);
int civil_month_days(int year, int month);
/* 0 is Monday. */
int civil_weekday(int64_t days);
/* Quotient and rest towards the past: seconds of a day, days of a week. */
int64_t civil_floor_div(int64_t a, int64_t b);
int64_t civil_floor_mod(int64_t a, int64_t b);

/* What is beyond the years 1..9999 is taken for their first or last second. */
struct civil civil_of(int64_t seconds);
int64_t civil_seconds(const struct civil *c);

#endif
