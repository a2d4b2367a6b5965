/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "agent/daemon/civil.h"
#include "agent/daemon/week.h"
#include "agent/daemon/weekday.h"
#include "agent/daemon/window.h"
#include "base/text.h"

struct window {
	struct week week;  /* 1: open */
	struct zone *zone; /* NULL: the caller's */
};

static void
window_free(struct window *w)
{
	if (w == NULL)
		return;
	week_free(&w->week);
	zone_free(w->zone);
	free(w);
}
AUTO_DEFINE(window, struct window, window_free)

void
windows_free(struct windows *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		window_free(w->v[i]);
	free(w->v);
	*w = (struct windows){0};
}

static int
bad(const char *text, const char *why, struct err *e)
{
	char shown[160];

	return err_set(e, ERR_CONFIG,
	    "\"%s\": %s; write it as in \"20:00-06:00\" or \"Mon..Fri "
	    "22:00-05:00 Europe/Berlin\"",
	    text_escaped(text, strlen(text), shown, sizeof(shown)), why);
}

/* One that is open from BEGIN for LENGTH seconds on each of DAYS */
static int
set_week(
    struct week *w, unsigned days, int32_t begin, int32_t length, struct err *e)
{
	bool open[7] = {false};
	int d;

	for (d = 0; d < 7; d++)
		open[d] = (days & 1U << d) != 0;
	for (d = 0; d < 7; d++) {
		int32_t from = d * DAY_SECONDS + begin;

		if (open[d] &&
		    week_add(w, from % WEEK_SECONDS, 1, NULL, e) == -1)
			return -1;
	}
	/* where one ends as the next begins, the step to 1 is there already */
	for (d = 0; d < 7; d++) {
		int32_t to = d * DAY_SECONDS + begin + length;

		if (open[d] && week_add(w, to % WEEK_SECONDS, 0, NULL, e) == -1)
			return -1;
	}
	return 0;
}

static int
parse(struct window *w, const char *text, struct err *e)
{
	const char *at = text, *why;
	unsigned days = 0x7f;
	int32_t begin, end;

	if (isalpha((unsigned char)*at)) {
		why = weekday_list(&at, &days);
		if (why != NULL)
			return bad(text, why, e);
	}
	begin = week_time_of_day(&at);
	if (begin == -1 || begin == DAY_SECONDS)
		return bad(text, "it does not begin at a time of day", e);
	if (*at++ != '-')
		return bad(text, "after its begin comes '-' and its end", e);
	end = week_time_of_day(&at);
	if (end == -1)
		return bad(text, "it does not end at a time of day", e);
	if (end == begin)
		return bad(text,
		    "it ends as it begins (a whole day is 00:00-24:00)", e);
	if (*at == ' ') {
		at += strspn(at, " ");
		w->zone = zone_open(at, e);
		if (w->zone == NULL)
			return err_context(e, "window");
	} else if (*at != '\0') {
		return bad(text, "after its end comes a blank and a zone", e);
	}
	return set_week(&w->week, days, begin,
	    end > begin ? end - begin : end + DAY_SECONDS - begin, e);
}

int
windows_add(struct windows *w, const char *text, struct err *e)
{
	AUTO(window) struct window *one = calloc(1, sizeof(*one));
	struct window **v;

	if (w->n == WINDOWS_MAX)
		return err_set(
		    e, ERR_CONFIG, "more than %d windows", WINDOWS_MAX);
	if (one == NULL)
		return err_sys(e, "window");
	if (parse(one, text, e) == -1)
		return -1;
	v = realloc(w->v, (w->n + 1) * sizeof(struct window *));
	if (v == NULL)
		return err_sys(e, "window");
	w->v = v;
	v[w->n++] = TAKE(one);
	return 0;
}

static const struct zone *
zone_of(const struct window *w, const struct zone *zone)
{
	return w->zone != NULL ? w->zone : zone;
}

bool
windows_open(const struct windows *w, const struct zone *zone, int64_t t_us)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (week_value(&w->v[i]->week, zone_of(w->v[i], zone), t_us) !=
		    0)
			return true;
	}
	return w->n == 0;
}

/* The first time after T_US at which any of them may change */
static int64_t
next_step(const struct windows *w, const struct zone *zone, int64_t t_us)
{
	int64_t first = WINDOW_NEVER;
	size_t i;

	for (i = 0; i < w->n; i++) {
		int64_t at =
		    week_next(&w->v[i]->week, zone_of(w->v[i], zone), t_us);

		if (at < first)
			first = at;
	}
	return first;
}

int64_t
windows_change(const struct windows *w, const struct zone *zone, int64_t t_us)
{
	bool open = windows_open(w, zone, t_us);
	/* all that can be different is so within a week, and the days on which
	 * clocks are changed */
	int64_t end = t_us + (int64_t)15 * DAY_SECONDS * 1000000, t = t_us;

	do {
		t = next_step(w, zone, t);
		if (t == WINDOW_NEVER || t > end)
			return WINDOW_NEVER;
	} while (windows_open(w, zone, t) == open);
	return t;
}
