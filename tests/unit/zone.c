/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <time.h>

#include "agent/daemon/civil.h"
#include "agent/daemon/zone.h"
#include "agent/daemon/zone_rule.h"
#include "tests/unit/check.h"

/* Seconds since 1970 of "2024-03-31 02:30:00" */
static int64_t
at(const char *text)
{
	struct civil c = {0};

	if (sscanf(text, "%d-%d-%d %d:%d:%d", &c.year, &c.month, &c.day,
		&c.hour, &c.minute, &c.second) < 5)
		abort();
	return civil_seconds(&c);
}

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

static void
dates_are_those_of_libc(void)
{
	int64_t s;

	for (s = -62135596800; s < 253402300800; s += 86400 * 97 + 12345) {
		time_t t = (time_t)s;
		struct civil c = civil_of(s);
		struct tm tm;

		gmtime_r(&t, &tm);
		CHECK(c.year == tm.tm_year + 1900 && c.month == tm.tm_mon + 1 &&
		    c.day == tm.tm_mday && c.hour == tm.tm_hour &&
		    c.minute == tm.tm_min && c.second == tm.tm_sec);
		CHECK(civil_weekday(civil_days(c.year, c.month, c.day)) ==
		    (tm.tm_wday + 6) % 7);
		CHECK(civil_seconds(&c) == s);
	}
	CHECK(civil_of(INT64_MIN).year == 1);
	CHECK(civil_of(INT64_MAX).year == 9999);
}

static void
offsets_are_those_of_the_database(void)
{
	static const struct {
		const char *zone, *utc;
		int offset;
	} table[] = {
	    {"UTC", "2024-07-01 00:00", 0},
	    {"Europe/Berlin", "2024-03-31 00:59:59", 3600},
	    {"Europe/Berlin", "2024-03-31 01:00:00", 7200},
	    {"Europe/Berlin", "2024-10-27 00:59:59", 7200},
	    {"Europe/Berlin", "2024-10-27 01:00:00", 3600},
	    {"Europe/Berlin", "2130-07-01 12:00", 7200},
	    {"Europe/Berlin", "2130-12-01 12:00", 3600},
	    {"Europe/Berlin", "1890-01-01 00:00", 3208},
	    {"America/New_York", "2024-03-10 06:59:59", -18000},
	    {"America/New_York", "2024-03-10 07:00:00", -14400},
	    {"America/New_York", "2190-11-01 12:00", -14400},
	    {"Australia/Lord_Howe", "2024-04-06 14:59:59", 39600},
	    {"Australia/Lord_Howe", "2024-04-06 15:00:00", 37800},
	    {"Australia/Lord_Howe", "2080-01-01 00:00", 39600},
	    {"Asia/Kolkata", "2024-07-01 00:00", 19800},
	    {"Asia/Kolkata", "2199-07-01 00:00", 19800},
	    {"Pacific/Apia", "2011-12-30 09:59:59", -36000},
	    {"Pacific/Apia", "2011-12-30 10:00:00", 50400},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		AUTO(zone) struct zone *z = zone(table[i].zone);

		CHECK(zone_offset(z, at(table[i].utc)) == table[i].offset);
		CHECK_STR(zone_name(z), table[i].zone);
	}
}

static void
changes_follow_each_other_for_ever(void)
{
	AUTO(zone) struct zone *z = zone("America/New_York");
	AUTO(zone) struct zone *utc = zone("UTC");
	int64_t t = at("2030-01-01 00:00"), end = at("2130-01-01 00:00");
	unsigned n = 0;

	for (t = zone_next(z, t); t < end; t = zone_next(z, t), n++)
		CHECK(zone_offset(z, t) != zone_offset(z, t - 1));
	CHECK_UINT(n, 200);
	CHECK(zone_next(utc, 0) == INT64_MAX);
}

static void
a_local_time_is_there_once_twice_or_never(void)
{
	static const struct {
		const char *zone, *local;
		unsigned n;
		const char *first, *second;
	} table[] = {
	    {"Europe/Berlin", "2024-07-01 12:00", 1, "2024-07-01 10:00", ""},
	    {"Europe/Berlin", "2024-03-31 01:59:59", 1, "2024-03-31 00:59:59",
		""},
	    {"Europe/Berlin", "2024-03-31 02:00", 0, "2024-03-31 01:00", ""},
	    {"Europe/Berlin", "2024-03-31 02:59:59", 0, "2024-03-31 01:00", ""},
	    {"Europe/Berlin", "2024-03-31 03:00", 1, "2024-03-31 01:00", ""},
	    {"Europe/Berlin", "2024-10-27 02:00", 2, "2024-10-27 00:00",
		"2024-10-27 01:00"},
	    {"Europe/Berlin", "2024-10-27 03:00", 1, "2024-10-27 02:00", ""},
	    {"Europe/Berlin", "2090-10-29 02:30", 2, "2090-10-29 00:30",
		"2090-10-29 01:30"},
	    {"Australia/Lord_Howe", "2024-10-06 02:15", 0, "2024-10-05 15:30",
		""},
	    {"Australia/Lord_Howe", "2024-04-07 01:45", 2, "2024-04-06 14:45",
		"2024-04-06 15:15"},
	    {"Pacific/Apia", "2011-12-30 12:00", 0, "2011-12-30 10:00", ""},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		AUTO(zone) struct zone *z = zone(table[i].zone);
		int64_t out[2] = {0};

		CHECK_UINT(zone_times(z, at(table[i].local), out), table[i].n);
		CHECK(out[0] == at(table[i].first));
		CHECK(table[i].n < 2 || out[1] == at(table[i].second));
	}
}

static void
rules_of_all_kinds_are_understood(void)
{
	static const struct {
		const char *rule, *utc;
		int offset;
	} table[] = {
	    {"UTC0", "2024-01-01 00:00", 0},
	    {"<-03>3", "2024-01-01 00:00", -10800},
	    {"<+0330>-3:30", "2024-01-01 00:00", 12600},
	    {"EST5EDT,M3.2.0,M11.1.0", "2024-11-03 05:59:59", -14400},
	    {"EST5EDT,M3.2.0,M11.1.0", "2024-11-03 06:00", -18000},
	    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-01-01 00:00", 0},
	    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-07-01 00:00", 3600},
	    {"AAA-1BBB,J60,J300/0", "2024-03-01 00:59:59", 3600},
	    {"AAA-1BBB,J60,J300/0", "2024-03-01 01:00:00", 7200},
	    {"AAA-1BBB,59,300", "2024-02-29 01:00:00", 7200},
	    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2024-03-30 00:00:00", 10800},
	    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2024-03-29 23:59:59", 7200},
	    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31 01:00", -3600},
	    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31 00:59:59", -7200},
	    {"XXX3EDT4,0/0,J365/23", "2024-01-01 00:00", -14400},
	    {"XXX3EDT4,0/0,J365/23", "2024-12-31 23:59:59", -14400},
	};
	static const char *const wrong[] = {"", "UT0", "UTC", "UTC25", "<UTC0",
	    "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0",
	    "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J1",
	    "EST5EDT,366,1", "EST5EDT,M3.2.0/168,M11.1.0",
	    "EST5EDT,M3.2.0,M11.1.0x", "UTC0:60", "UTC99999999999999999999999"};
	struct err e = ERR_INIT;
	struct zone_rule r;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CHECK(zone_rule_parse(
			  table[i].rule, strlen(table[i].rule), &r, &e) == 0);
		CHECK(
		    zone_rule_offset(&r, at(table[i].utc)) == table[i].offset);
		if (zone_rule_offset(&r, at(table[i].utc)) != table[i].offset)
			fprintf(stderr, "%s at %s: %d\n", table[i].rule,
			    table[i].utc,
			    zone_rule_offset(&r, at(table[i].utc)));
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(
		    zone_rule_parse(wrong[i], strlen(wrong[i]), &r, &e) == -1);
		CHECK(e.kind == ERR_CONFIG);
	}
}

static void
names_lead_nowhere_else(void)
{
	static const char *const wrong[] = {"", "/etc/passwd",
	    "../../etc/passwd", "Europe/../../../etc/passwd", "Europe",
	    "Europe/", "No/Where", "tzdata.zi", "a b", "\x1b[31m"};
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(zone_open(wrong[i], &e) == NULL);
		CHECK(e.kind == ERR_CONFIG);
		CHECK(strchr(e.msg, '\x1b') == NULL);
	}
	CHECK(zone_open("No/Where", &e) == NULL);
	CHECK(strstr(e.msg, "no time zone \"No/Where\"") != NULL);
}

static void
the_machines_zone_is_that_of_tz(void)
{
	static const struct {
		const char *tz;
		int offset; /* in summer */
	} table[] = {
	    {"", 0},
	    {"UTC", 0},
	    {"Asia/Kolkata", 19800},
	    {":Europe/Berlin", 7200},
	    {"/usr/share/zoneinfo/America/New_York", -14400},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 7200},
	    {"<+0545>-5:45", 20700},
	    {"UTC0", 0},
	    {"IST-5:30", 19800},
	};
	struct err e = ERR_INIT;
	struct zone *z;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		setenv("TZ", table[i].tz, 1);
		z = zone_local(&e);
		CHECK(z != NULL &&
		    zone_offset(z, at("2024-07-01 00:00")) == table[i].offset);
		zone_free(z);
	}
	setenv("TZ", "No/Where", 1);
	CHECK(zone_local(&e) == NULL);
	CHECK(strstr(e.msg, "no time zone \"No/Where\"") != NULL);
	unsetenv("TZ");
	z = zone_local(&e);
	CHECK(z != NULL);
	zone_free(z);
}

/* Each file that is cut short or has a byte that is another is refused, or is a
 * zone that answers. */
static void
a_broken_file_does_no_harm(void)
{
	AUTO(fclose)
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
	unsigned char data[8192];
	struct err e = ERR_INIT;
	size_t n, i, taken = 0;

	CHECK(f != NULL);
	if (f == NULL)
		return;
	n = fread(data, 1, sizeof(data), f);
	for (i = 0; i < n; i++)
		CHECK(zone_parse("cut", data, i, &e) == NULL);
	for (i = 0; i < n; i++) {
		struct zone *z;
		int64_t out[2];

		data[i] ^= 0x85;
		z = zone_parse("broken", data, n, &e);
		data[i] ^= 0x85;
		if (z == NULL)
			continue;
		taken++;
		zone_times(z, at("2024-03-31 02:30"), out);
		zone_next(z, at("2060-03-31 02:30"));
		zone_free(z);
	}
	/* of most bytes nobody can tell */
	CHECK(taken > n / 4 && taken < n);
}

/* A file of version 1 with two changes between two types */
static void
small_file(unsigned char f[62])
{
	static const unsigned char body[] = {0, 0, 0, 100, 0, 0, 0, 200, 1, 0,
	    0, 0, 0, 0, 0, 0, 0, 0, 14, 16, 1, 0};

	memset(f, 0, 44);
	memcpy(f, "TZif", 4);
	f[35] = 2; /* changes */
	f[39] = 2; /* types */
	memcpy(f + 44, body, 18);
}

static void
lies_of_files_are_found(void)
{
	static const struct {
		size_t at;
		unsigned char value;
		const char *what;
	} table[] = {
	    {0, 'X', "does not begin as a TZif"},
	    {35, 3, "cut short"},
	    {33, 1, "counts make no sense"},
	    {39, 0, "counts make no sense"},
	    {51, 100, "not in order"},
	    {47, 201, "not in order"},
	    {52, 2, "leads to no type"},
	    {55, 2, "an offset is over a day"},
	    {54, 0x80, "an offset is over a day"},
	};
	unsigned char f[62];
	struct err e = ERR_INIT;
	struct zone *z;
	size_t i;

	small_file(f);
	f[60] = 0;
	z = zone_parse("small", f, sizeof(f), &e);
	CHECK(z == NULL && strstr(e.msg, "cut short") != NULL);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned char lie[66] = {0};

		small_file(lie);
		lie[table[i].at] = table[i].value;
		z = zone_parse("small", lie, sizeof(lie), &e);
		CHECK(z == NULL);
		if (strstr(e.msg, table[i].what) == NULL) {
			fprintf(stderr, "%zu: %s\n", i, e.msg);
			check_failures++;
		}
	}
}

int
main(void)
{
	RUN(dates_are_those_of_libc);
	RUN(offsets_are_those_of_the_database);
	RUN(changes_follow_each_other_for_ever);
	RUN(a_local_time_is_there_once_twice_or_never);
	RUN(rules_of_all_kinds_are_understood);
	RUN(names_lead_nowhere_else);
	RUN(the_machines_zone_is_that_of_tz);
	RUN(a_broken_file_does_no_harm);
	RUN(lies_of_files_are_found);
	return check_end();
}
