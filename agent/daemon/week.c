/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "agent/daemon/civil.h"
#include "agent/daemon/week.h"

#define SECOND_US 1000000

int
week_add(
    struct week *w, int32_t second, uint64_t value, bool *added, struct err *e)
{
	struct week_step *v;
	size_t i;

	for (i = 0; i < w->n && w->step[i].second < second; i++)
		;
	if (added != NULL)
		*added = i == w->n || w->step[i].second != second;
	if (i < w->n && w->step[i].second == second)
		return 0;
	if (w->n == WEEK_STEPS_MAX)
		return err_set(e, ERR_CONFIG, "more than %d changes in a week",
		    WEEK_STEPS_MAX);
	v = realloc(w->step, (w->n + 1) * sizeof(*v));
	if (v == NULL)
		return err_sys(e, "times of the week");
	memmove(v + i + 1, v + i, (w->n - i) * sizeof(*v));
	v[i] = (struct week_step){second, value};
	w->step = v;
	w->n++;
	return 0;
}

void
week_free(struct week *w)
{
	free(w->step);
	*w = (struct week){0};
}

/* Seconds since Monday, 00:00, on the clock */
static int32_t
second_of_week(const struct zone *zone, int64_t s)
{
	/* 1970 began on a Thursday */
	return (int32_t)civil_floor_mod(
	    s + zone_offset(zone, s) + 3 * DAY_SECONDS, WEEK_SECONDS);
}

/* How many steps are at or before SECOND */
static size_t
steps_until(const struct week *w, int32_t second)
{
	size_t n = 0;

	while (n < w->n && w->step[n].second <= second)
		n++;
	return n;
}

uint64_t
week_value(const struct week *w, const struct zone *zone, int64_t t_us)
{
	int64_t s = civil_floor_div(t_us, SECOND_US);
	size_t n = steps_until(w, second_of_week(zone, s));

	return w->step[(n > 0 ? n : w->n) - 1].value;
}

int64_t
week_next(const struct week *w, const struct zone *zone, int64_t t_us)
{
	int64_t s = civil_floor_div(t_us, SECOND_US), next, change;
	int32_t second = second_of_week(zone, s);
	size_t n = steps_until(w, second);

	if (w->n < 2)
		return INT64_MAX;
	next = n < w->n ? w->step[n].second : w->step[0].second + WEEK_SECONDS;
	next += s - second;
	change = zone_next(zone, s);
	return (change < next ? change : next) * SECOND_US;
}

static bool
take_two(const char **at, int *out)
{
	int n = 0, v = 0;

	for (; n < 2 && isdigit((unsigned char)**at); n++)
		v = v * 10 + (*(*at)++ - '0');
	*out = v;
	return n > 0;
}

int32_t
week_time_of_day(const char **at)
{
	int h, m, s = 0;

	if (!take_two(at, &h) || *(*at)++ != ':' || !take_two(at, &m))
		return -1;
	if (**at == ':') {
		(*at)++;
		if (!take_two(at, &s))
			return -1;
	}
	if (m > 59 || s > 59 || h * 3600 + m * 60 + s > DAY_SECONDS)
		return -1;
	return h * 3600 + m * 60 + s;
}
