/* SPDX-License-Identifier: ISC */
/* Reading and normalising: systemd.time(7) */
#include "config.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "agent/daemon/calendar_in.h"
#include "agent/daemon/civil.h"
#include "agent/daemon/weekday.h"
#include "base/text.h"

/* What is read.  Spans are checked once it is known what they are of: "1,15"
 * may become days or hours. */
struct in {
	const char *text; /* as the user wrote it */
	const char *from; /* the start of what is read: TEXT without its zone */
	const char *at;
	struct err *e;
};

static const struct word {
	const char *name, *meaning;
} words[] = {
    {"minutely", "*-*-* *:*:00"},
    {"hourly", "*-*-* *:00:00"},
    {"daily", "*-*-* 00:00:00"},
    {"weekly", "Mon *-*-* 00:00:00"},
    {"monthly", "*-*-01 00:00:00"},
    {"quarterly", "*-01,04,07,10-01 00:00:00"},
    {"semiannually", "*-01,07-01 00:00:00"},
    {"semi-annually", "*-01,07-01 00:00:00"},
    {"biannually", "*-01,07-01 00:00:00"},
    {"bi-annually", "*-01,07-01 00:00:00"},
    {"yearly", "*-01-01 00:00:00"},
    {"annually", "*-01-01 00:00:00"},
};

static const struct limits {
	const char *name;
	int32_t min, max;
} limits[FIELD_COUNT] = {
    [FIELD_YEAR] = {"year", YEAR_MIN, YEAR_MAX},
    [FIELD_MONTH] = {"month", 1, 12},
    [FIELD_DAY] = {"day", 1, 31},
    [FIELD_HOUR] = {"hour", 0, 23},
    [FIELD_MINUTE] = {"minute", 0, 59},
    [FIELD_SECOND] = {"second", 0, 60 * SECOND_US - 1},
};

static int fail_at(struct in *in, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail_at(struct in *in, const char *at, const char *fmt, ...)
{
	char why[200], shown[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(in->e, ERR_CONFIG,
	    "calendar expression \"%s\", character %zu: %s (see "
	    "systemd.time(7), CALENDAR EVENTS)",
	    text_escaped(in->text, strlen(in->text), shown, sizeof(shown)),
	    (size_t)(at - in->from) + 1, why);
}

static int
unexpected(struct in *in, const char *wanted)
{
	char shown[8];

	if (*in->at == '\0')
		return fail_at(in, in->at, "it ends where %s is due", wanted);
	return fail_at(in, in->at, "'%s' where %s is due",
	    text_escaped(in->at, 1, shown, sizeof(shown)), wanted);
}

/* Up to six decimals, rounded, in millionths */
static int64_t
take_fraction(struct in *in)
{
	int64_t v = 0, unit = SECOND_US / 10;
	bool up = false;

	for (; isdigit((unsigned char)*in->at); in->at++, unit /= 10) {
		if (unit == 0) {
			up = *in->at >= '5';
			break;
		}
		v += (*in->at - '0') * unit;
	}
	while (isdigit((unsigned char)*in->at))
		in->at++;
	return v + up;
}

static int
take_number(struct in *in, bool seconds, int32_t *out)
{
	const char *from = in->at;
	int64_t v = 0;

	if (!isdigit((unsigned char)*from))
		return unexpected(in, "a number");
	for (; isdigit((unsigned char)*in->at) && v <= INT32_MAX; in->at++)
		v = v * 10 + (*in->at - '0');
	if (seconds && v <= INT32_MAX) {
		v *= SECOND_US;
		if (in->at[0] == '.' && in->at[1] != '.') {
			in->at++;
			if (!isdigit((unsigned char)*in->at))
				return unexpected(in, "a decimal");
			v += take_fraction(in);
		}
	}
	if (v > INT32_MAX)
		return fail_at(in, from, "this number is too big");
	*out = (int32_t)v;
	return 0;
}

/* "3", "3..5", "3/2" or "3..5/2" */
static int
take_span(struct in *in, bool seconds, struct span *out)
{
	int32_t unit = seconds ? SECOND_US : 1;
	struct span s = {.stop = -1};
	const char *from = in->at;

	if (take_number(in, seconds, &s.start) == -1)
		return -1;
	if (in->at[0] == '.' && in->at[1] == '.') {
		in->at += 2;
		if (take_number(in, seconds, &s.stop) == -1)
			return -1;
		s.step = unit;
	}
	if (*in->at == '/') {
		in->at++;
		if (take_number(in, seconds, &s.step) == -1)
			return -1;
		if (s.step == 0)
			return fail_at(in, from, "a step of 0 goes nowhere");
	} else if (seconds && s.stop != -1 && s.stop - s.start < unit) {
		return fail_at(in, from,
		    "a range of less than a second needs a step, as in "
		    "1..1.5/0.1");
	}
	*out = s;
	return 0;
}

/* A list of spans, or "*" */
static int
take_spans(struct in *in, bool seconds, struct spans *out)
{
	const char *from = in->at;
	struct span s = {.stop = -1, .step = SECOND_US};

	if (*in->at == '*') {
		in->at++;
		if (!seconds)
			return 0;
	} else if (take_span(in, seconds, &s) == -1) {
		return -1;
	}
	for (;;) {
		struct span *v = out->n < SPANS_MAX
		    ? realloc(out->v, (out->n + 1) * sizeof(*v))
		    : NULL;

		if (v == NULL && out->n < SPANS_MAX)
			return err_sys(in->e, "calendar expression");
		if (v == NULL)
			return fail_at(
			    in, from, "more than %d values", SPANS_MAX);
		out->v = v;
		v[out->n++] = s;
		if (*from == '*' || *in->at != ',')
			return 0;
		in->at++;
		if (take_span(in, seconds, &s) == -1)
			return -1;
	}
}

static int
compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->stop != y->stop)
		return x->stop < y->stop ? -1 : 1;
	return (x->step > y->step) - (x->step < y->step);
}

/* A stop that no step meets comes nearer; what is one value says so. */
static void
simplify(struct span *s)
{
	if (s->stop > s->start && s->step > 0)
		s->stop -= (s->stop - s->start) % s->step;
	if (s->stop == s->start) {
		s->stop = -1;
		s->step = 0;
	}
}

static int32_t
whole_year(int32_t year)
{
	if (year >= 0 && year < 70)
		return year + 2000;
	return year >= 70 && year < 100 ? year + 1900 : year;
}

static int
check_span(struct in *in, const char *at, enum field f, bool from_end,
    const struct span *s)
{
	const char *name = limits[f].name;
	int32_t unit = f == FIELD_SECOND ? SECOND_US : 1;
	int32_t min = limits[f].min, max = limits[f].max;
	int32_t bad;

	if (from_end)
		max = 28; /* which each month has */
	bad = s->start < min || s->start > max ? s->start : s->stop;
	if (bad != -1 && (bad < min || bad > max))
		return fail_at(in, at, "the %s %d is not in %d..%d%s", name,
		    bad / unit, min, max / unit,
		    from_end ? ", counted from the end" : "");
	if (s->stop != -1 && s->stop < s->start)
		return fail_at(in, at, "the range of %ss %d..%d is backwards",
		    name, s->start / unit, s->stop / unit);
	if (from_end && s->stop == -1)
		bad = s->start - s->step < min;
	else
		bad = s->step > (s->stop != -1 ? s->stop : max) - s->start;
	if (bad)
		return fail_at(in, at,
		    "the step after the %s %d is too long to come once", name,
		    s->start / unit);
	return 0;
}

/* Makes what was read at AT the values of a field; S is emptied. */
static int
put_spans(struct in *in, const char *at, struct calendar *c, enum field f,
    struct spans *s)
{
	bool from_end = f == FIELD_DAY && c->from_end;
	size_t i, kept = 0;

	c->field[f] = *s;
	*s = (struct spans){0};
	s = &c->field[f];
	for (i = 0; i < s->n; i++) {
		if (f == FIELD_YEAR) {
			s->v[i].start = whole_year(s->v[i].start);
			s->v[i].stop = whole_year(s->v[i].stop);
		}
		simplify(&s->v[i]);
		if (check_span(in, at, f, from_end, &s->v[i]) == -1)
			return -1;
	}
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), compare_spans);
	for (i = 0; i < s->n; i++) {
		if (kept == 0 || compare_spans(&s->v[kept - 1], &s->v[i]) != 0)
			s->v[kept++] = s->v[i];
	}
	s->n = kept;
	return 0;
}

static int
put_number(struct in *in, struct calendar *c, enum field f, int32_t v)
{
	struct spans s = {.n = 1, .v = malloc(sizeof(*s.v))};

	if (s.v == NULL)
		return err_sys(in->e, "calendar expression");
	s.v[0] = (struct span){.start = v, .stop = -1};
	return put_spans(in, in->at, c, f, &s);
}

/* What was read and not put anywhere */
struct pieces {
	size_t n;
	struct spans v[3];
	const char *at[3];
};

static void
auto_pieces(struct pieces *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->v[i].v);
}

static int
put_pieces(
    struct in *in, struct calendar *c, enum field first, struct pieces *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (put_spans(in, p->at[i], c, (enum field)(first + i),
			&p->v[i]) == -1)
			return -1;
	}
	return 0;
}

static int
take_piece(struct in *in, bool seconds, struct pieces *p)
{
	p->at[p->n] = in->at;
	return take_spans(in, seconds, &p->v[p->n++]);
}

static bool
is_end(const struct in *in)
{
	return *in->at == '\0' || *in->at == ' ';
}

/* "YEAR-MONTH-DAY" or "MONTH-DAY"; "~" before a day counts from the end */
static int
take_date(struct in *in, struct calendar *c)
{
	AUTO(pieces) struct pieces p = {0};

	do {
		if (p.n > 0)
			c->from_end = *in->at++ == '~';
		if (take_piece(in, false, &p) == -1)
			return -1;
	} while (p.n < 3 && !c->from_end && (*in->at == '-' || *in->at == '~'));
	if (p.n == 1)
		return unexpected(in, "'-' of a date or ':' of a time");
	if (!is_end(in))
		return unexpected(in, "a blank or the end");
	if (p.v[p.n - 1].n == 0)
		c->from_end = false;
	return put_pieces(in, c, p.n == 3 ? FIELD_YEAR : FIELD_MONTH, &p);
}

/* "HOUR:MINUTE" or "HOUR:MINUTE:SECOND" */
static int
take_time(struct in *in, struct calendar *c)
{
	AUTO(pieces) struct pieces p = {0};

	for (;;) {
		if (take_piece(in, p.n == 2, &p) == -1)
			return -1;
		if (p.n == 3 || (p.n == 2 && is_end(in)))
			break;
		if (*in->at != ':')
			return unexpected(in, "':'");
		in->at++;
	}
	if (*in->at != '\0')
		return unexpected(in, "the end");
	if (put_pieces(in, c, FIELD_HOUR, &p) == -1)
		return -1;
	return p.n == 3 ? 0 : put_number(in, c, FIELD_SECOND, 0);
}

/* "@1395716396" */
static int
take_seconds(struct in *in, struct calendar *c)
{
	const char *from = in->at++;
	struct civil t;
	int64_t v = 0;

	if (!isdigit((unsigned char)*in->at))
		return unexpected(in, "a number of seconds since 1970");
	for (; isdigit((unsigned char)*in->at) && v <= INT32_MAX * 10LL;
	     in->at++)
		v = v * 10 + (*in->at - '0');
	t = civil_of(v);
	if (*in->at != '\0')
		return unexpected(in, "the end");
	if (t.year > YEAR_MAX)
		return fail_at(in, from, "this is after the year %d", YEAR_MAX);
	zone_free(c->zone);
	c->zone = zone_open("UTC", in->e);
	if (c->zone == NULL || put_number(in, c, FIELD_YEAR, t.year) == -1 ||
	    put_number(in, c, FIELD_MONTH, t.month) == -1 ||
	    put_number(in, c, FIELD_DAY, t.day) == -1 ||
	    put_number(in, c, FIELD_HOUR, t.hour) == -1 ||
	    put_number(in, c, FIELD_MINUTE, t.minute) == -1)
		return -1;
	return put_number(in, c, FIELD_SECOND, t.second * SECOND_US);
}

static int
midnight(struct in *in, struct calendar *c)
{
	if (put_number(in, c, FIELD_HOUR, 0) == -1 ||
	    put_number(in, c, FIELD_MINUTE, 0) == -1)
		return -1;
	return put_number(in, c, FIELD_SECOND, 0);
}

static int
take_all(struct in *in, struct calendar *c)
{
	const char *why;
	size_t n;

	if (isalpha((unsigned char)*in->at)) {
		why = weekday_list(&in->at, &c->weekdays);
		if (why != NULL)
			return fail_at(in, in->at, "%s", why);
		if (c->weekdays == 0x7f)
			c->weekdays = 0;
		if (*in->at == '\0')
			return midnight(in, c);
	}
	if (*in->at == '@')
		return take_seconds(in, c);
	n = strcspn(in->at, " ");
	if (memchr(in->at, ':', n) != NULL)
		return take_time(in, c);
	if (take_date(in, c) == -1)
		return -1;
	in->at += strspn(in->at, " ");
	return *in->at == '\0' ? midnight(in, c) : take_time(in, c);
}

/*
 * Opens the zone at the end of TEXT, if there is one, and cuts it off.  What is
 * behind the last blank is one if it begins with a letter; but weekdays may
 * stand alone, and end in a comma and a blank.
 */
static int
take_zone(struct in *in, char *text, struct calendar *c)
{
	char *blank = strrchr(text, ' ');

	if (blank == NULL || !isalpha((unsigned char)blank[1]))
		return 0;
	c->zone = zone_open(
	    strcasecmp(blank + 1, "UTC") == 0 ? "UTC" : blank + 1, in->e);
	if (c->zone == NULL)
		return err_context(in->e, "calendar expression, character %zu",
		    (size_t)(blank - text) + 2);
	*blank = '\0';
	return 0;
}

struct calendar *
calendar_new(const char *text, struct err *e)
{
	AUTO(calendar) struct calendar *c = calloc(1, sizeof(*c));
	AUTO(free) char *copy = strdup(text);
	struct in in = {.text = text, .from = copy, .at = copy, .e = e};
	size_t i;

	if (c == NULL || copy == NULL) {
		err_sys(e, "calendar expression");
		return NULL;
	}
	if (strlen(text) > CALENDAR_TEXT_MAX) {
		err_set(e, ERR_CONFIG,
		    "a calendar expression has at most %d characters",
		    CALENDAR_TEXT_MAX);
		return NULL;
	}
	if (take_zone(&in, copy, c) == -1)
		return NULL;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(copy, words[i].name) == 0)
			in.from = in.at = words[i].meaning;
	}
	if (take_all(&in, c) == -1)
		return NULL;
	return TAKE(c);
}
