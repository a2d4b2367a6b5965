/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/daemon/calendar_in.h"
#include "agent/daemon/weekday.h"

void
calendar_free(struct calendar *c)
{
	int f;

	if (c == NULL)
		return;
	for (f = 0; f < FIELD_COUNT; f++)
		free(c->field[f].v);
	zone_free(c->zone);
	free(c);
}

/* "Mon..Wed,Sat,Sun ": ranges are of three or more */
static void
add_weekdays(struct buf *out, unsigned days)
{
	const char *comma = "";
	int d, end;

	for (d = 0; d < 7; d = end + 1) {
		for (end = d; end < 7 && (days & 1U << end) != 0; end++)
			;
		if (end - d >= 3) {
			buf_addf(out, "%s%s..%s", comma, weekday_name(d),
			    weekday_name(end - 1));
			comma = ",";
		}
		for (; end - d < 3 && d < end; d++) {
			buf_addf(out, "%s%s", comma, weekday_name(d));
			comma = ",";
		}
	}
	buf_addc(out, ' ');
}

static void
add_value(struct buf *out, enum field f, int32_t v, int digits)
{
	if (f != FIELD_SECOND) {
		buf_addf(out, "%0*d", digits, v);
		return;
	}
	buf_addf(out, "%0*d", digits, v / SECOND_US);
	if (v % SECOND_US != 0)
		buf_addf(out, ".%06d", v % SECOND_US);
}

/* Whether S is each second, which is "*" if nothing finer is beside it. */
static bool
is_each_second(const struct spans *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->v[i].start % SECOND_US != 0 ||
		    s->v[i].step % SECOND_US != 0)
			return false;
	}
	return s->n > 0 && s->v[0].start == 0 && s->v[0].stop == -1 &&
	    s->v[0].step == SECOND_US;
}

static void
add_spans(struct buf *out, enum field f, const struct spans *s)
{
	int32_t unit = f == FIELD_SECOND ? SECOND_US : 1;
	int digits = f == FIELD_YEAR ? 4 : 2;
	size_t i;

	if (s->n == 0 || (f == FIELD_SECOND && is_each_second(s))) {
		buf_addc(out, '*');
		return;
	}
	for (i = 0; i < s->n; i++) {
		const struct span *p = &s->v[i];

		if (i > 0)
			buf_addc(out, ',');
		add_value(out, f, p->start, digits);
		if (p->stop != -1) {
			buf_adds(out, "..");
			add_value(out, f, p->stop, digits);
		}
		if (p->step != 0 && (p->stop == -1 || p->step != unit)) {
			buf_addc(out, '/');
			add_value(out, f, p->step, 1);
		}
	}
}

void
calendar_text(const struct calendar *c, struct buf *out)
{
	static const char before[] = {0, '-', '-', ' ', ':', ':'};
	int f;

	if (c->weekdays != 0)
		add_weekdays(out, c->weekdays);
	for (f = 0; f < FIELD_COUNT; f++) {
		if (f == FIELD_DAY && c->from_end)
			buf_addc(out, '~');
		else if (f > 0)
			buf_addc(out, before[f]);
		add_spans(out, (enum field)f, &c->field[f]);
	}
	if (c->zone != NULL)
		buf_addf(out, " %s", zone_name(c->zone));
}
