/* SPDX-License-Identifier: ISC */
/* Names of weekdays, as systemd and rclone take them.  Pure. */
#ifndef AGENT_DAEMON_WEEKDAY_H
#define AGENT_DAEMON_WEEKDAY_H

#include <stdbool.h>
#include <stddef.h>

/* The weekday that the N bytes of S name ("Mon", "monday", ...), 0 is Monday;
 * -1: none. */
int weekday_of(const char *s, size_t n);
/* "Mon" for 0. */
const char *weekday_name(int day);

/*
 * Reads "Mon..Wed,Sat" and the blanks behind it at *AT, which is moved; bit 0
 * of *DAYS is Monday.  NULL, or what is wrong at *AT.
 */
const char *weekday_list(const char **at, unsigned *days);

#endif
