/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/daemon/calendar_in.h"
#include "agent/daemon/civil.h"

/* A local time by fields, seconds in microseconds */
struct local {
	int64_t v[FIELD_COUNT];
};

static const int lowest[FIELD_COUNT] = {
    [FIELD_YEAR] = YEAR_MIN,
    [FIELD_MONTH] = 1,
    [FIELD_DAY] = 1,
};

static int64_t
highest(enum field f, const struct local *t)
{
	static const int64_t most[FIELD_COUNT] = {
	    [FIELD_YEAR] = YEAR_MAX,
	    [FIELD_MONTH] = 12,
	    [FIELD_HOUR] = 23,
	    [FIELD_MINUTE] = 59,
	    [FIELD_SECOND] = 60 * SECOND_US - 1,
	};

	if (f != FIELD_DAY)
		return most[f];
	return civil_month_days((int)t->v[FIELD_YEAR], (int)t->v[FIELD_MONTH]);
}

/* The smallest value of SPAN that is at least V; -1: none */
static int64_t
span_from(struct span s, int64_t v, int64_t max)
{
	int64_t last = s.stop != -1 ? s.stop : max, at = s.start;

	if (at < v && s.step > 0)
		at += (v - at + s.step - 1) / s.step * s.step;
	if (s.step == 0)
		last = s.start;
	return at >= v && at <= last && at <= max ? at : -1;
}

/* Days from the end of a month become days of it. */
static struct span
from_the_end(struct span s, int64_t days)
{
	int32_t first = (int32_t)days + 1 - s.start;

	if (s.stop == -1)
		return (struct span){.start = first, .stop = -1, s.step};
	return (struct span){
	    .start = (int32_t)days + 1 - s.stop, .stop = first, s.step};
}

/* The smallest value of a field from what T has on; -1: none */
static int64_t
field_from(const struct calendar *c, enum field f, const struct local *t)
{
	const struct spans *s = &c->field[f];
	int64_t max = highest(f, t), best = -1;
	size_t i;

	if (s->n == 0)
		return t->v[f] <= max ? t->v[f] : -1;
	for (i = 0; i < s->n; i++) {
		struct span p = f == FIELD_DAY && c->from_end
		    ? from_the_end(s->v[i], max)
		    : s->v[i];
		int64_t v = span_from(p, t->v[f], max);

		if (v != -1 && (best == -1 || v < best))
			best = v;
	}
	return best;
}

static bool
is_weekday(const struct calendar *c, const struct local *t)
{
	int64_t days = civil_days((int)t->v[FIELD_YEAR], (int)t->v[FIELD_MONTH],
	    (int)t->v[FIELD_DAY]);

	return c->weekdays == 0 ||
	    (c->weekdays & 1U << civil_weekday(days)) != 0;
}

static void
reset_from(struct local *t, int f)
{
	for (; f < FIELD_COUNT; f++)
		t->v[f] = lowest[f];
}

/* Moves T to the first local time from T on that matches; false: none. */
static bool
find(const struct calendar *c, struct local *t)
{
	int f = FIELD_YEAR;

	while (f < FIELD_COUNT) {
		int64_t v = field_from(c, (enum field)f, t);

		if (v == -1) {
			if (f == FIELD_YEAR)
				return false;
			t->v[--f]++;
			reset_from(t, f + 1);
			continue;
		}
		if (v > t->v[f]) {
			t->v[f] = v;
			reset_from(t, f + 1);
		}
		if (f == FIELD_DAY && !is_weekday(c, t)) {
			t->v[f]++;
			reset_from(t, f + 1);
			continue;
		}
		f++;
	}
	return true;
}

static struct local
local_of(int64_t seconds, int64_t us)
{
	struct civil c = civil_of(seconds);
	struct local t = {{c.year, c.month, c.day, c.hour, c.minute,
	    (int64_t)c.second * SECOND_US + us}};

	if (c.year < YEAR_MIN) {
		t.v[FIELD_YEAR] = YEAR_MIN;
		reset_from(&t, FIELD_MONTH);
	}
	return t;
}

static int64_t
seconds_of(const struct local *t)
{
	struct civil c = {.year = (int)t->v[FIELD_YEAR],
	    .month = (int)t->v[FIELD_MONTH],
	    .day = (int)t->v[FIELD_DAY],
	    .hour = (int)t->v[FIELD_HOUR],
	    .minute = (int)t->v[FIELD_MINUTE],
	    .second = (int)(t->v[FIELD_SECOND] / SECOND_US)};

	return civil_seconds(&c);
}

int64_t
calendar_next(
    const struct calendar *c, const struct zone *zone, int64_t after_us)
{
	const struct zone *z = c->zone != NULL ? c->zone : zone;
	int64_t s, us, times[2];
	struct local t;

	if (after_us >= CALENDAR_NEVER - SECOND_US)
		return CALENDAR_NEVER;
	if (after_us < -1)
		after_us = -1;
	s = civil_floor_div(after_us + 1, SECOND_US);
	us = civil_floor_mod(after_us + 1, SECOND_US);
	t = local_of(s + zone_offset(z, s), us);
	while (find(c, &t)) {
		unsigned n = zone_times(z, seconds_of(&t), times), i;

		us = t.v[FIELD_SECOND] % SECOND_US;
		for (i = 0; i < n; i++) {
			if (times[i] * SECOND_US + us > after_us)
				return times[i] * SECOND_US + us;
		}
		/* no clock shows it: on from where they are put to */
		s = n == 0 ? times[0] + zone_offset(z, times[0])
			   : seconds_of(&t) + 1;
		t = local_of(s, 0);
	}
	return CALENDAR_NEVER;
}
