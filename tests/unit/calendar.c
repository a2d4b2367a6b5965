/* SPDX-License-Identifier: ISC */
/* That all means what it means to systemd: tests/system/calendar.test */
#include "config.h"

#include "agent/daemon/calendar.h"
#include "agent/daemon/civil.h"
#include "tests/unit/check.h"

#define SECOND ((int64_t)1000000)

static struct zone *
zone(const char *name)
{
	struct err e = ERR_INIT;
	struct zone *z = zone_open(name, &e);

	if (z == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	return z;
}

static struct calendar *
calendar(const char *text)
{
	struct err e = ERR_INIT;
	struct calendar *c = calendar_new(text, &e);

	if (c == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	return c;
}

static int64_t
at(const char *text)
{
	struct civil c = {0};

	if (sscanf(text, "%d-%d-%d %d:%d:%d", &c.year, &c.month, &c.day,
		&c.hour, &c.minute, &c.second) < 5)
		abort();
	return civil_seconds(&c) * SECOND;
}

static void
forms_are_normalised(void)
{
	static const char *const table[][2] = {
	    {"Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"},
	    {"Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"},
	    {"Wed..Sat,Tue 12-10-15 1:2:3", "Tue..Sat 2012-10-15 01:02:03"},
	    {"Wed, 17:48", "Wed *-*-* 17:48:00"},
	    {"mon,fri *-1/2-1,3 *:30:45", "Mon,Fri *-01/2-01,03 *:30:45"},
	    {"12..14:10,20,30", "*-*-* 12..14:10,20,30:00"},
	    {"05:40:23.4200004/3.1700005", "*-*-* 05:40:23.420000/3.170001"},
	    {"Mon *-05~07/1", "Mon *-05~07/1 00:00:00"},
	    {"weekly Pacific/Auckland", "Mon *-*-* 00:00:00 Pacific/Auckland"},
	    {"daily utc", "*-*-* 00:00:00 UTC"},
	    {"Mon..Sun 1:0", "*-*-* 01:00:00"},
	    {"*:*:30,0/1", "*-*-* *:*:*"},
	    {"*:*:0/1,15.5", "*-*-* *:*:00/1,15.500000"},
	    {"*:0..59/7", "*-*-* *:00..56/7:00"},
	    {"@1395716396", "2014-03-25 02:59:56 UTC"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		AUTO(calendar) struct calendar *c = calendar(table[i][0]);
		AUTO(calendar) struct calendar *again = calendar(table[i][1]);
		AUTO(buf) struct buf out = BUF_INIT(1000);

		calendar_text(c, &out);
		CHECK_STR(buf_str(&out), table[i][1]);
		buf_reset(&out);
		calendar_text(again, &out);
		CHECK_STR(buf_str(&out), table[i][1]);
	}
}

static void
errors_say_what_and_where(void)
{
	static const char *const table[][2] = {
	    {"Mon 25:00", "character 5: the hour 25 is not in 0..23"},
	    {"1:2:60", "character 5: the second 60 is not in 0..59"},
	    {"*-02~29", "character 6: the day 29 is not in 1..28, counted"},
	    {"Fri..Mon", "character 6: a range of weekdays goes from Mon"},
	    {"Mo 1:00", "character 1: no weekday"},
	    {"1:", "character 3: it ends where a number is due"},
	    {"1:2x", "character 4: 'x' where ':' is due"},
	    {"12", "character 3: it ends where '-' of a date or ':'"},
	    {"2024-1-1T1:0", "character 5: '-' where ':' is due"},
	    {"2..1:0", "the range of hours 2..1 is backwards"},
	    {"*:0/60", "the step after the minute 0 is too long"},
	    {"*:0/0", "a step of 0"},
	    {"*:*:1..1.5", "less than a second needs a step"},
	    {"99999999999:0", "character 1: this number is too big"},
	    {"daily Foo/Bar", "character 7: no time zone \"Foo/Bar\""},
	    {"5:0 right/UTC", "leap seconds"},
	    {"@99999999999", "after the year 2199"},
	    {"", "character 1: it ends where a number is due"},
	    {"\x1b[1m", "\\x1B"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(calendar_new(table[i][0], &e) == NULL);
		CHECK(e.kind == ERR_CONFIG);
		CHECK(strchr(e.msg, '\x1b') == NULL);
		if (strcasestr(e.msg, table[i][1]) == NULL) {
			fprintf(stderr, "%s: %s\n", table[i][0], e.msg);
			check_failures++;
		}
	}
}

static void
no_expression_is_too_long_or_has_too_many_values(void)
{
	struct err e = ERR_INIT;
	char text[CALENDAR_TEXT_MAX + 2];
	size_t i;

	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CHECK(calendar_new(text, &e) == NULL);
	for (i = 0; i + 1 < sizeof(text) - 10; i += 2)
		memcpy(text + i, "1,", 3);
	memcpy(text + i, "1:0", 4);
	CHECK(calendar_new(text, &e) == NULL);
	CHECK(strstr(e.msg, "more than 240 values") != NULL);
}

struct next {
	const char *zone, *text, *after;
	const char *times[5]; /* UTC */
};

static const struct next next_table[] = {
    {"Europe/Berlin", "02:30", "2024-03-30 12:00",
	{"2024-04-01 00:30", "2024-04-02 00:30"}},
    {"Europe/Berlin", "*:0/30", "2024-03-31 00:40",
	{"2024-03-31 01:00", "2024-03-31 01:30"}},
    {"Europe/Berlin", "02:30", "2024-10-26 12:00",
	{"2024-10-27 00:30", "2024-10-28 01:30"}},
    {"Europe/Berlin", "*:0/30", "2024-10-27 00:10",
	{"2024-10-27 00:30", "2024-10-27 02:00"}},
    /* asked in the second hour */
    {"Europe/Berlin", "*:0/30", "2024-10-27 01:10",
	{"2024-10-27 01:30", "2024-10-27 02:00"}},
    {"America/New_York", "Mon..Fri 22:00", "2024-03-08 12:00",
	{"2024-03-09 03:00", "2024-03-12 02:00"}},
    {"America/New_York", "2:0", "2024-03-09 12:00", {"2024-03-11 06:00"}},
    {"Australia/Lord_Howe", "*:0/15", "2024-10-05 15:15",
	{"2024-10-05 15:30", "2024-10-05 15:45"}},
    {"Australia/Lord_Howe", "*:0/15", "2024-04-06 14:45",
	{"2024-04-06 15:30", "2024-04-06 15:45"}},
    {"Asia/Kolkata", "daily", "2024-02-28 12:00",
	{"2024-02-28 18:30", "2024-02-29 18:30", "2024-03-01 18:30"}},
    {"Asia/Kolkata", "daily UTC", "2024-02-28 12:00", {"2024-02-29 00:00"}},
    {"Pacific/Apia", "12:00", "2011-12-29 23:00",
	{"2011-12-30 22:00", "2011-12-31 22:00"}},
    {"UTC", "*-02-29", "2024-03-01 00:00",
	{"2028-02-29 00:00", "2032-02-29 00:00"}},
    {"UTC", "*-02-29", "2096-03-01 00:00", {"2104-02-29 00:00"}},
    {"UTC", "Mon *-02-29", "2044-03-01 00:00", {"2072-02-29 00:00"}},
    {"UTC", "*-*~1", "2024-01-31 00:00",
	{"2024-02-29 00:00", "2024-03-31 00:00", "2024-04-30 00:00"}},
    {"UTC", "Mon *-05~07/1", "2024-01-01 00:00",
	{"2024-05-27 00:00", "2025-05-26 00:00"}},
    {"UTC", "*-*~1..5/2", "2024-02-01 00:00",
	{"2024-02-25 00:00", "2024-02-27 00:00", "2024-02-29 00:00",
	    "2024-03-27 00:00"}},
    {"UTC", "*-*-1/7", "2024-01-29 00:00",
	{"2024-02-01 00:00", "2024-02-08 00:00"}},
    {"UTC", "*:*:0/7", "2024-01-31 23:59:56",
	{"2024-02-01 00:00:00", "2024-02-01 00:00:07"}},
    {"UTC", "2003-03-05 05:40", "2024-01-01 00:00", {"never"}},
    {"UTC", "*-02-30", "2024-01-01 00:00", {"never"}},
    {"UTC", "Sat 2024-01-01", "1970-01-01 00:00", {"never"}},
    {"UTC", "2199-12-31 23:59:59", "2024-01-01 00:00",
	{"2199-12-31 23:59:59", "never"}},
    {"Europe/Berlin", "2024-3-31 2:30", "2024-01-01 00:00", {"never"}},
};

static void
next_times_are_right(void)
{
	size_t i, k;

	for (i = 0; i < sizeof(next_table) / sizeof(next_table[0]); i++) {
		const struct next *n = &next_table[i];
		AUTO(zone) struct zone *z = zone(n->zone);
		AUTO(calendar) struct calendar *c = calendar(n->text);
		int64_t t = at(n->after);

		for (k = 0; n->times[k] != NULL; k++) {
			int64_t want = strcmp(n->times[k], "never") == 0
			    ? CALENDAR_NEVER
			    : at(n->times[k]);

			t = calendar_next(c, z, t);
			if (t != want) {
				fprintf(stderr, "%s %s: %lld is not %s\n",
				    n->zone, n->text, (long long)t,
				    n->times[k]);
				check_failures++;
			}
		}
	}
}

static void
fractions_of_seconds_count(void)
{
	AUTO(zone) struct zone *z = zone("UTC");
	AUTO(calendar) struct calendar *c = calendar("*:*:0.25/0.5");
	int64_t t = at("2024-01-01 00:00");

	t = calendar_next(c, z, t);
	CHECK(t == at("2024-01-01 00:00") + 250000);
	t = calendar_next(c, z, t);
	CHECK(t == at("2024-01-01 00:00") + 750000);
	t = calendar_next(c, z, at("2024-01-01 00:00:59") + 750000);
	CHECK(t == at("2024-01-01 00:01") + 250000);
}

/* A random number below N, the same each time */
static uint64_t
some(uint64_t n)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

static void
next_is_later_and_the_first(void)
{
	static const char *const texts[] = {"*:0/7", "Mon..Fri 2:30", "*-*~3",
	    "*-*-1/7 2,3:15", "*:*:0.5/7", "Sun *-*-* 1..3:*/1:0"};
	static const char *const zones[] = {"Europe/Berlin", "America/New_York",
	    "Australia/Lord_Howe", "Asia/Kolkata", "UTC"};
	size_t i, k, j;

	for (i = 0; i < 5; i++) {
		for (k = 0; k < 5; k++) {
			AUTO(calendar) struct calendar *c = calendar(texts[i]);
			AUTO(zone) struct zone *z = zone(zones[k]);

			for (j = 0; j < 400; j++) {
				int64_t t = (int64_t)some(7200000000000000);
				int64_t next = calendar_next(c, z, t);

				CHECK(next > t);
				CHECK(calendar_next(c, z, next - 1) == next);
				/* none in between */
				t += (int64_t)some((uint64_t)(next - t));
				CHECK(calendar_next(c, z, t) == next);
			}
		}
	}
}

static void
any_time_has_an_answer(void)
{
	AUTO(zone) struct zone *z = zone("Europe/Berlin");
	AUTO(calendar) struct calendar *c = calendar("daily");

	CHECK(calendar_next(c, z, INT64_MIN) >= 0);
	CHECK(calendar_next(c, z, -1) == at("1970-01-01 23:00"));
	CHECK(calendar_next(c, z, INT64_MAX) == CALENDAR_NEVER);
	CHECK(calendar_next(c, z, INT64_MAX - 5 * SECOND) == CALENDAR_NEVER);
}

int
main(void)
{
	RUN(forms_are_normalised);
	RUN(errors_say_what_and_where);
	RUN(no_expression_is_too_long_or_has_too_many_values);
	RUN(next_times_are_right);
	RUN(fractions_of_seconds_count);
	RUN(next_is_later_and_the_first);
	RUN(any_time_has_an_answer);
	return check_end();
}
