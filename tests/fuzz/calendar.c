/* SPDX-License-Identifier: ISC */
/*
 * What says when a task runs: the first line is tried as a calendar expression,
 * a window and a bandwidth; the rest is a TZif file, in which they are asked.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/calendar.h"
#include "agent/daemon/timetable.h"
#include "agent/daemon/window.h"

#define NOW ((int64_t)1711845000000000) /* 2024-03-31 00:30 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool claim)
{
	if (!claim)
		abort();
}

/* The normalised form is a form of itself and comes at the same times. */
static void
try_calendar(const char *text, const struct zone *z)
{
	struct err e = ERR_INIT;
	AUTO(calendar) struct calendar *c = calendar_new(text, &e);
	AUTO(calendar) struct calendar *same = NULL;
	AUTO(buf) struct buf form = BUF_INIT(65536), again = BUF_INIT(65536);
	int64_t t = NOW, next;
	int i;

	if (c == NULL) {
		need(e.kind == ERR_CONFIG && e.msg[0] != '\0');
		return;
	}
	calendar_text(c, &form);
	for (i = 0; i < 3 && t != CALENDAR_NEVER; i++, t = next) {
		next = calendar_next(c, z, t);
		need(next > t);
	}
	/* decimals may make it too long to be read */
	if (form.len > CALENDAR_TEXT_MAX)
		return;
	same = calendar_new(buf_str(&form), &e);
	need(same != NULL);
	calendar_text(same, &again);
	need(strcmp(buf_str(&form), buf_str(&again)) == 0);
	need(calendar_next(c, z, NOW) == calendar_next(same, z, NOW));
}

static void
try_others(const char *text, const struct zone *z)
{
	struct err e = ERR_INIT;
	AUTO(timetable) struct timetable *t = timetable_new(text, &e);
	struct windows w = {0};

	need(t != NULL || e.kind == ERR_CONFIG);
	need(t == NULL || timetable_change(t, z, NOW) > NOW);
	if (windows_add(&w, text, &e) == 0)
		need(windows_change(&w, z, NOW) > NOW);
	windows_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	struct err e = ERR_INIT;
	AUTO(zone) struct zone *z = NULL;
	AUTO(free) char *text = NULL;
	size_t n = end != NULL ? (size_t)(end - data) : size;

	if (size > 16384)
		return 0;
	text = strndup((const char *)data, n);
	if (end != NULL)
		z = zone_parse("fuzz", end + 1, size - n - 1, &e);
	if (z == NULL)
		z = zone_open("UTC", &e);
	if (text == NULL || z == NULL)
		abort();
	try_calendar(text, z);
	try_others(text, z);
	return 0;
}
