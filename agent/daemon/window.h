/* SPDX-License-Identifier: ISC */
/*
 * When runs may be under way, "[WEEKDAYS] BEGIN-END [ZONE]":
 *
 *	20:00-06:00			each night; the end is on the next day
 *	Sat,Sun 00:00-24:00		both days
 *	Mon..Fri 22:00-05:30 Asia/Kolkata
 *
 * Weekdays are those on which it begins.  Of several windows one is enough.
 * What the clock on the wall shows counts (see week.h).  Pure, but for reading
 * a zone's file.
 */
#ifndef AGENT_DAEMON_WINDOW_H
#define AGENT_DAEMON_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/daemon/zone.h"
#include "base/err.h"

#define WINDOWS_MAX 64
#define WINDOW_NEVER INT64_MAX

struct window;

struct windows {
	size_t n; /* 0: always open */
	struct window **v;
};

/* Adds what TEXT says; ERR_CONFIG names it and what is wrong. */
int windows_add(struct windows *w, const char *text, struct err *e);
void windows_free(struct windows *w);

/* Whether one is open at T_US; ZONE is for those that name none. */
bool windows_open(
    const struct windows *w, const struct zone *zone, int64_t t_us);
/* When that changes, after T_US: WINDOW_NEVER if it doesn't. */
int64_t windows_change(
    const struct windows *w, const struct zone *zone, int64_t t_us);

#endif
