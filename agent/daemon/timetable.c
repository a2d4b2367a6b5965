/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "agent/daemon/civil.h"
#include "agent/daemon/timetable.h"
#include "agent/daemon/week.h"
#include "agent/daemon/weekday.h"
#include "base/text.h"

struct timetable {
	struct week week; /* values: bytes a second */
};

#define ENTRY_MAX 64

void
timetable_free(struct timetable *t)
{
	if (t == NULL)
		return;
	week_free(&t->week);
	free(t);
}

static int
bad(const char *entry, const char *why, struct err *e)
{
	char shown[100];

	return err_set(e, ERR_CONFIG,
	    "\"%s\": %s; write a rate as \"10M\", or times and rates as "
	    "\"08:00,10M 19:00,off\"",
	    text_escaped(entry, strlen(entry), shown, sizeof(shown)), why);
}

static int
parse_rate(const char *s, uint64_t *out, struct err *e)
{
	if (strcasecmp(s, "off") == 0) {
		*out = 0;
		return 0;
	}
	if (strchr(s, ':') != NULL)
		return bad(s, "one rate, not one for each direction", e);
	if (text_parse_size(s, 1024, out, e) == -1)
		return bad(s, "no rate", e);
	return 0;
}

/* "08:00,512K" or "Mon-08:00,512K" */
static int
add_entry(struct timetable *t, const char *entry, struct err *e)
{
	const char *dash = strchr(entry, '-'), *at = entry;
	int day = 0, last = 6;
	int32_t second;
	uint64_t rate;

	if (dash != NULL) {
		day = last = weekday_of(entry, (size_t)(dash - entry));
		if (day == -1)
			return bad(entry, "before '-' is no weekday", e);
		at = dash + 1;
	}
	second = week_time_of_day(&at);
	if (second == -1 || second == DAY_SECONDS)
		return bad(entry, "no time of day", e);
	if (*at++ != ',')
		return bad(entry, "after the time comes ',' and a rate", e);
	if (parse_rate(at, &rate, e) == -1)
		return -1;
	for (; day <= last; day++) {
		bool added;

		if (week_add(&t->week, day * DAY_SECONDS + second, rate, &added,
			e) == -1)
			return -1;
		if (!added)
			return bad(entry, "this time is there already", e);
	}
	return 0;
}

struct timetable *
timetable_new(const char *text, struct err *e)
{
	AUTO(timetable) struct timetable *t = calloc(1, sizeof(*t));
	const char *at = text + strspn(text, " \t");
	char entry[ENTRY_MAX];
	uint64_t rate;

	if (t == NULL) {
		err_sys(e, "bandwidth");
		return NULL;
	}
	if (strpbrk(at, ", \t") == NULL) {
		if (parse_rate(at, &rate, e) == -1 ||
		    week_add(&t->week, 0, rate, NULL, e) == -1)
			return NULL;
		return TAKE(t);
	}
	while (*at != '\0') {
		size_t n = strcspn(at, " \t");

		snprintf(entry, sizeof(entry), "%.*s", (int)n, at);
		if (n >= sizeof(entry)) {
			bad(entry, "this is too long", e);
			return NULL;
		}
		if (add_entry(t, entry, e) == -1)
			return NULL;
		at += n;
		at += strspn(at, " \t");
	}
	return TAKE(t);
}

uint64_t
timetable_rate(
    const struct timetable *t, const struct zone *zone, int64_t now_us)
{
	return week_value(&t->week, zone, now_us);
}

int64_t
timetable_change(
    const struct timetable *t, const struct zone *zone, int64_t now_us)
{
	uint64_t rate = timetable_rate(t, zone, now_us);
	int64_t end = now_us + (int64_t)15 * DAY_SECONDS * 1000000, at = now_us;

	do {
		at = week_next(&t->week, zone, at);
		if (at == TIMETABLE_NEVER || at > end)
			return TIMETABLE_NEVER;
	} while (timetable_rate(t, zone, at) == rate);
	return at;
}
