/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>

#include "agent/daemon/civil.h"
#include "agent/daemon/zone_rule.h"

struct in {
	const char *at, *end;
};

static bool
take(struct in *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool
take_name(struct in *in)
{
	const char *from = in->at;

	if (take(in, '<')) {
		while (in->at < in->end && *in->at != '>')
			in->at++;
		return take(in, '>');
	}
	while (in->at < in->end && isalpha((unsigned char)*in->at))
		in->at++;
	return in->at - from >= 3;
}

static bool
take_number(struct in *in, int min, int max, int *out)
{
	const char *from = in->at;
	int n = 0;

	while (in->at < in->end && isdigit((unsigned char)*in->at) && n <= max)
		n = n * 10 + (*in->at++ - '0');
	*out = n;
	return in->at > from && n >= min && n <= max;
}

/* "[+-]hh[:mm[:ss]]" in seconds */
static bool
take_time(struct in *in, int max_hours, int32_t *out)
{
	bool negative = take(in, '-');
	int h = 0, m = 0, s = 0;

	if (!negative)
		take(in, '+');
	if (!take_number(in, 0, max_hours, &h))
		return false;
	if (take(in, ':') && !take_number(in, 0, 59, &m))
		return false;
	if (take(in, ':') && !take_number(in, 0, 59, &s))
		return false;
	*out = (h * 3600 + m * 60 + s) * (negative ? -1 : 1);
	return true;
}

static bool
take_day(struct in *in, struct zone_day *d)
{
	bool ok;

	*d = (struct zone_day){.second = 7200};
	if (take(in, 'M')) {
		d->kind = ZONE_DAY_MONTH;
		ok = take_number(in, 1, 12, &d->month) && take(in, '.') &&
		    take_number(in, 1, 5, &d->week) && take(in, '.') &&
		    take_number(in, 0, 6, &d->day);
	} else if (take(in, 'J')) {
		d->kind = ZONE_DAY_JULIAN;
		ok = take_number(in, 1, 365, &d->day);
	} else {
		d->kind = ZONE_DAY_COUNT;
		ok = take_number(in, 0, 365, &d->day);
	}
	return ok && (!take(in, '/') || take_time(in, 167, &d->second));
}

static bool
take_rule(struct in *in, struct zone_rule *r)
{
	if (!take_name(in) || !take_time(in, 24, &r->standard))
		return false;
	/* POSIX counts to the west */
	r->standard = -r->standard;
	if (in->at == in->end)
		return true;
	r->has_summer = true;
	r->summer = r->standard + 3600;
	if (!take_name(in))
		return false;
	if (in->at < in->end && *in->at != ',') {
		if (!take_time(in, 24, &r->summer))
			return false;
		r->summer = -r->summer;
	}
	return take(in, ',') && take_day(in, &r->begin) && take(in, ',') &&
	    take_day(in, &r->end) && in->at == in->end;
}

int
zone_rule_parse(const char *s, size_t n, struct zone_rule *out, struct err *e)
{
	struct in in = {.at = s, .end = s + n};
	struct zone_rule r = {0};

	if (!take_rule(&in, &r))
		return err_set(e, ERR_CONFIG,
		    "the rule of the time zone makes no sense at byte %zu of "
		    "%zu",
		    (size_t)(in.at - s) + 1, n);
	*out = r;
	return 0;
}

/* Seconds since 1970 of local midnight of D in YEAR */
static int64_t
day_in_year(const struct zone_day *d, int year)
{
	int64_t first = civil_days(year, 1, 1);
	int day;

	switch (d->kind) {
	case ZONE_DAY_MONTH:
		first = civil_days(year, d->month, 1);
		/* Sunday is 0 here, and the last of a week there */
		day =
		    (d->day + 6 - civil_weekday(first)) % 7 + (d->week - 1) * 7;
		if (day >= civil_month_days(year, d->month))
			day -= 7;
		break;
	case ZONE_DAY_JULIAN:
		day = d->day - 1;
		if (day >= 59 && civil_month_days(year, 2) == 29)
			day++;
		break;
	case ZONE_DAY_COUNT:
	default:
		day = d->day;
		break;
	}
	return (first + day) * DAY_SECONDS;
}

struct change {
	int64_t at;
	int32_t offset; /* from then on */
};

#define CHANGES 6

/* The changes of the year of T and its neighbours, sorted. */
static void
changes_around(const struct zone_rule *r, int64_t t, struct change c[CHANGES])
{
	int year = civil_of(t).year, i, j;

	if (year < 2)
		year = 2;
	if (year > 9998)
		year = 9998;
	for (i = 0; i < CHANGES / 2; i++) {
		int y = year - 1 + i;

		c[2 * i] = (struct change){
		    day_in_year(&r->end, y) + r->end.second - r->summer,
		    r->standard};
		c[2 * i + 1] = (struct change){
		    day_in_year(&r->begin, y) + r->begin.second - r->standard,
		    r->summer};
	}
	/* stable: where summer's end is its begin, it never ends */
	for (i = 1; i < CHANGES; i++) {
		struct change x = c[i];

		for (j = i; j > 0 && c[j - 1].at > x.at; j--)
			c[j] = c[j - 1];
		c[j] = x;
	}
}

int32_t
zone_rule_offset(const struct zone_rule *r, int64_t t)
{
	struct change c[CHANGES];
	int32_t offset = r->standard;
	int i;

	if (!r->has_summer)
		return r->standard;
	changes_around(r, t, c);
	for (i = 0; i < CHANGES && c[i].at <= t; i++)
		offset = c[i].offset;
	return offset;
}

int64_t
zone_rule_next(const struct zone_rule *r, int64_t t)
{
	struct change c[CHANGES];
	int i;

	if (!r->has_summer)
		return INT64_MAX;
	changes_around(r, t, c);
	for (i = 0; i < CHANGES; i++) {
		if (c[i].at > t)
			return c[i].at;
	}
	return INT64_MAX;
}
