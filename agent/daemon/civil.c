/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdbool.h>

#include "agent/daemon/civil.h"

#define DAYS_1970 719162 /* from 0001-01-01 */
#define FIRST (-(int64_t)DAYS_1970 * DAY_SECONDS)
#define LAST ((int64_t)253402300799) /* 9999-12-31 23:59:59 */

static const int days_before[] = {
    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
civil_month_days(int year, int month)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return days_before[month] - days_before[month - 1];
}

int64_t
civil_days(int year, int month, int day)
{
	int past = year - 1;

	return (int64_t)past * 365 + past / 4 - past / 100 + past / 400 +
	    days_before[month - 1] + (month > 2 && is_leap(year)) + day - 1 -
	    DAYS_1970;
}

int64_t
civil_floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
civil_floor_mod(int64_t a, int64_t b)
{
	return a - civil_floor_div(a, b) * b;
}

int
civil_weekday(int64_t days)
{
	return (int)civil_floor_mod(days + 3, 7); /* 1970 began on Thursday */
}

struct civil
civil_of(int64_t seconds)
{
	struct civil c = {0};
	int64_t days;
	int rest;

	if (seconds < FIRST)
		seconds = FIRST;
	if (seconds > LAST)
		seconds = LAST;
	days = civil_floor_div(seconds, DAY_SECONDS);
	rest = (int)civil_floor_mod(seconds, DAY_SECONDS);
	/* 400 years have 146097 days: at most one year off */
	c.year = (int)((days + DAYS_1970) * 400 / 146097) + 1;
	while (civil_days(c.year, 1, 1) > days)
		c.year--;
	while (c.year < 9999 && civil_days(c.year + 1, 1, 1) <= days)
		c.year++;
	c.month = 1;
	c.day = (int)(days - civil_days(c.year, 1, 1)) + 1;
	while (c.day > civil_month_days(c.year, c.month))
		c.day -= civil_month_days(c.year, c.month++);
	c.hour = rest / 3600;
	c.minute = rest / 60 % 60;
	c.second = rest % 60;
	return c;
}

int64_t
civil_seconds(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * DAY_SECONDS +
	    c->hour * 3600 + c->minute * 60 + c->second;
}
