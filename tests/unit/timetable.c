/* SPDX-License-Identifier: ISC */
/* Bandwidth and windows: what holds at which time of the week. */
#include "config.h"

#include "agent/daemon/civil.h"
#include "agent/daemon/timetable.h"
#include "agent/daemon/window.h"
#include "tests/unit/check.h"

#define SECOND ((int64_t)1000000)
#define KIB 1024
#define MIB 1048576

static int64_t
at(const char *text)
{
	struct civil c = {0};

	if (sscanf(text, "%d-%d-%d %d:%d:%d", &c.year, &c.month, &c.day,
		&c.hour, &c.minute, &c.second) < 5)
		abort();
	return civil_seconds(&c) * SECOND;
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
rates_change_as_the_timetable_says(void)
{
	static const struct {
		const char *zone, *text, *now;
		uint64_t rate;
		const char *change; /* NULL: never */
	} table[] = {
	    {"UTC", "10M", "2024-01-01 12:00", 10 * MIB, NULL},
	    {"UTC", "512", "2024-01-01 12:00", 512 * KIB, NULL},
	    {"UTC", "off", "2024-01-01 12:00", 0, NULL},
	    {"UTC", "0", "2024-01-01 12:00", 0, NULL},
	    {"UTC", "1000B", "2024-01-01 12:00", 1000, NULL},
	    {"UTC", "08:00,10M 19:00,off", "2024-01-01 07:59:59", 0,
		"2024-01-01 08:00"},
	    {"UTC", "08:00,10M 19:00,off", "2024-01-01 08:00", 10 * MIB,
		"2024-01-01 19:00"},
	    {"UTC", "08:00,10M 19:00,off", "2024-01-01 19:00", 0,
		"2024-01-02 08:00"},
	    {"UTC", "08:00,10M 19:00,10M", "2024-01-01 19:00", 10 * MIB, NULL},
	    {"UTC", "Mon-08:00,512K  Sat-10:00,1M", "2024-01-01 07:00", MIB,
		"2024-01-01 08:00"}, /* a Monday */
	    {"UTC", "Mon-08:00,512K Sat-10:00,1M", "2024-01-03 00:00",
		512 * KIB, "2024-01-06 10:00"},
	    {"UTC", "saturday-10:00,1M Mon-08:00,512K", "2024-01-07 23:00", MIB,
		"2024-01-08 08:00"},
	    {"UTC", "Sun-23:00,1M", "2024-01-03 00:00", MIB, NULL},
	    {"Europe/Berlin", "08:00,10M 19:00,off", "2024-07-01 05:59", 0,
		"2024-07-01 06:00"},
	    {"Europe/Berlin", "08:00,10M 19:00,off", "2024-03-30 18:00", 0,
		"2024-03-31 06:00"},
	    {"Europe/Berlin", "08:00,10M 19:00,off", "2024-10-26 17:00", 0,
		"2024-10-27 07:00"},
	    /* no clock shows 02:30 */
	    {"Europe/Berlin", "02:30,10M 19:00,off", "2024-03-31 00:59", 0,
		"2024-03-31 01:00"},
	    /* each does twice */
	    {"Europe/Berlin", "02:30,10M 19:00,off", "2024-10-27 00:30",
		10 * MIB, "2024-10-27 01:00"},
	    {"Europe/Berlin", "02:30,10M 19:00,off", "2024-10-27 01:00", 0,
		"2024-10-27 01:30"},
	    {"Asia/Kolkata", "00:00,1M 12:00,2M", "2024-01-01 06:30", 2 * MIB,
		"2024-01-01 18:30"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT;
		AUTO(zone) struct zone *z = zone(table[i].zone);
		AUTO(timetable)
		struct timetable *t = timetable_new(table[i].text, &e);
		int64_t now = at(table[i].now), change;

		CHECK(t != NULL);
		if (t == NULL)
			continue;
		CHECK_UINT(timetable_rate(t, z, now), table[i].rate);
		change = table[i].change != NULL ? at(table[i].change)
						 : TIMETABLE_NEVER;
		if (timetable_change(t, z, now) != change) {
			fprintf(stderr, "%s %s at %s: changes at %lld\n",
			    table[i].zone, table[i].text, table[i].now,
			    (long long)timetable_change(t, z, now));
			check_failures++;
		}
	}
}

static void
timetables_that_make_no_sense_are_refused(void)
{
	static const char *const table[][2] = {
	    {"", "no rate"},
	    {"fast", "\"fast\": no rate"},
	    {"-5M", "no rate"},
	    {"08:00", "not one for each direction"},
	    {"10M:1M", "not one for each direction"},
	    {"08:00,10M:1M", "not one for each direction"},
	    {"08:00,", "no rate"},
	    {"24:00,1M", "no time of day"},
	    {"08:60,1M 9:00,2M", "\"08:60,1M\": no time of day"},
	    {"Mo-08:00,1M", "before '-' is no weekday"},
	    {"08:00,1M 8:00,2M", "\"8:00,2M\": this time is there already"},
	    {"08:00,1M 10M", "\"10M\": no time of day"},
	    {"08:00,0000000000000000000000000000000000000000000000000000000001",
		"too long"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(timetable_new(table[i][0], &e) == NULL);
		CHECK(e.kind == ERR_CONFIG);
		if (strstr(e.msg, table[i][1]) == NULL) {
			fprintf(stderr, "%s: %s\n", table[i][0], e.msg);
			check_failures++;
		}
	}
}

struct opening {
	const char *zone, *windows[3], *now;
	bool open;
	const char *change; /* NULL: never */
};

static const struct opening openings[] = {
    {"UTC", {NULL}, "2024-01-01 12:00", true, NULL},
    {"UTC", {"20:00-06:00"}, "2024-01-01 19:59:59", false, "2024-01-01 20:00"},
    {"UTC", {"20:00-06:00"}, "2024-01-01 20:00", true, "2024-01-02 06:00"},
    {"UTC", {"20:00-06:00"}, "2024-01-02 05:59", true, "2024-01-02 06:00"},
    {"UTC", {"20:00-06:00"}, "2024-01-02 06:00", false, "2024-01-02 20:00"},
    /* a Friday; the night to Saturday is Friday's */
    {"UTC", {"Mon..Fri 20:00-06:00"}, "2024-01-05 21:00", true,
	"2024-01-06 06:00"},
    {"UTC", {"Mon..Fri 20:00-06:00"}, "2024-01-06 21:00", false,
	"2024-01-08 20:00"},
    {"UTC", {"Sun 20:00-06:00"}, "2024-01-08 05:00", true, "2024-01-08 06:00"},
    {"UTC", {"Sat,Sun 00:00-24:00"}, "2024-01-06 00:00", true,
	"2024-01-08 00:00"},
    {"UTC", {"00:00-24:00"}, "2024-01-06 00:00", true, NULL},
    {"UTC", {"08:00-12:00", "11:00-14:00"}, "2024-01-01 09:00", true,
	"2024-01-01 14:00"},
    {"UTC", {"Mon..Fri 20:00-06:00", "Sat,Sun 00:00-24:00"}, "2024-01-05 21:00",
	true, "2024-01-08 00:00"},
    {"UTC", {"00:00-12:00", "12:00-24:00"}, "2024-01-05 21:00", true, NULL},
    {"Europe/Berlin", {"20:00-06:00"}, "2024-07-01 18:00", true,
	"2024-07-02 04:00"},
    {"UTC", {"20:00-06:00 Europe/Berlin"}, "2024-07-01 18:00", true,
	"2024-07-02 04:00"},
    {"UTC", {"20:00-06:00 Europe/Berlin", "20:00-06:00 America/New_York"},
	"2024-07-01 18:00", true, "2024-07-02 10:00"},
    /* one hour less, one more */
    {"Europe/Berlin", {"20:00-06:00"}, "2024-03-30 19:00", true,
	"2024-03-31 04:00"},
    {"Europe/Berlin", {"20:00-06:00"}, "2024-10-26 18:00", true,
	"2024-10-27 05:00"},
    /* begins while no clock shows it: as they are put on */
    {"Europe/Berlin", {"02:30-04:00"}, "2024-03-31 00:30", false,
	"2024-03-31 01:00"},
    {"Europe/Berlin", {"02:10-02:20"}, "2024-03-31 00:30", false,
	"2024-04-01 00:10"},
    /* twice */
    {"Europe/Berlin", {"02:10-02:20"}, "2024-10-27 00:10", true,
	"2024-10-27 00:20"},
    {"Europe/Berlin", {"02:10-02:20"}, "2024-10-27 00:20", false,
	"2024-10-27 01:10"},
    {"Australia/Lord_Howe", {"01:45-02:15"}, "2024-10-05 15:15", true,
	"2024-10-05 15:30"},
    {"Asia/Kolkata", {"20:00-06:00"}, "2024-01-01 14:29", false,
	"2024-01-01 14:30"},
};

static void
windows_open_and_close(void)
{
	size_t i, k;

	for (i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		const struct opening *o = &openings[i];
		AUTO(zone) struct zone *z = zone(o->zone);
		struct err e = ERR_INIT;
		struct windows w = {0};
		int64_t change =
		    o->change != NULL ? at(o->change) : WINDOW_NEVER;

		for (k = 0; k < 3 && o->windows[k] != NULL; k++)
			CHECK(windows_add(&w, o->windows[k], &e) == 0);
		CHECK(windows_open(&w, z, at(o->now)) == o->open);
		if (windows_change(&w, z, at(o->now)) != change) {
			fprintf(stderr, "%zu: %s at %s: changes at %lld\n", i,
			    o->windows[0], o->now,
			    (long long)windows_change(&w, z, at(o->now)));
			check_failures++;
		}
		windows_free(&w);
	}
}

/* What windows_change() says, against a look at each minute of two years */
static void
changes_of_windows_are_the_first(void)
{
	AUTO(zone) struct zone *z = zone("Europe/Berlin");
	struct err e = ERR_INIT;
	struct windows w = {0};
	int64_t t = at("2024-01-01 00:00"), end = at("2026-01-01 00:00"), next;
	bool open;

	CHECK(windows_add(&w, "Mon..Fri 22:15-02:30", &e) == 0);
	CHECK(windows_add(&w, "Sun 01:30-02:45 America/New_York", &e) == 0);
	open = windows_open(&w, z, t);
	next = windows_change(&w, z, t);
	for (; t < end; t += 60 * SECOND) {
		CHECK(
		    t < next || (t == next && windows_open(&w, z, t) != open));
		if (t == next) {
			open = !open;
			next = windows_change(&w, z, t);
		}
		CHECK(windows_open(&w, z, t) == open);
	}
	windows_free(&w);
}

static void
windows_that_make_no_sense_are_refused(void)
{
	static const char *const table[][2] = {
	    {"", "does not begin"},
	    {"night", "no weekday"},
	    {"20:00", "after its begin comes '-'"},
	    {"20:00-", "does not end"},
	    {"20:00-25:00", "does not end"},
	    {"24:00-01:00", "does not begin"},
	    {"20:00-20:00", "ends as it begins"},
	    {"20:00-06:00x", "after its end comes"},
	    {"20:00-06:00 No/Where", "no time zone \"No/Where\""},
	    {"Fri..Mon 20:00-06:00", "Fri..Sun,Mon"},
	    {"Mon 20:00-06:00:99", "does not end"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err e = ERR_INIT;
		struct windows w = {0};

		CHECK(windows_add(&w, table[i][0], &e) == -1);
		CHECK(e.kind == ERR_CONFIG && w.n == 0);
		if (strstr(e.msg, table[i][1]) == NULL) {
			fprintf(stderr, "%s: %s\n", table[i][0], e.msg);
			check_failures++;
		}
		windows_free(&w);
	}
}

int
main(void)
{
	RUN(rates_change_as_the_timetable_says);
	RUN(timetables_that_make_no_sense_are_refused);
	RUN(windows_open_and_close);
	RUN(changes_of_windows_are_the_first);
	RUN(windows_that_make_no_sense_are_refused);
	return check_end();
}
