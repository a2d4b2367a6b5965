/* SPDX-License-Identifier: ISC */
/*
 * The rule by which a zone's offset goes on for ever: the TZ string of POSIX
 * with the extensions of RFC 9636, 3.3.1 ("CET-1CEST,M3.5.0,M10.5.0/3"). Pure.
 */
#ifndef AGENT_DAEMON_ZONE_RULE_H
#define AGENT_DAEMON_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ZONE_OFFSET_MAX 93599 /* 25:59:59, as RFC 9636 bounds it */

enum zone_day_kind {
	ZONE_DAY_MONTH,	 /* the week-th day-th weekday of a month */
	ZONE_DAY_JULIAN, /* 1..365, never a 29th of February */
	ZONE_DAY_COUNT,	 /* 0..365 */
};

struct zone_day {
	enum zone_day_kind kind;
	int month, week, day;
	int32_t second; /* of that day; may be negative or beyond it */
};

struct zone_rule {
	int32_t standard, summer; /* seconds east of UTC */
	bool has_summer;
	struct zone_day begin, end; /* of summer */
};

/* ERR_CONFIG says what is wrong with the N bytes of S. */
int zone_rule_parse(
    const char *s, size_t n, struct zone_rule *out, struct err *e);

/* The offset at T (seconds since 1970). */
int32_t zone_rule_offset(const struct zone_rule *r, int64_t t);
/* The first change after T; INT64_MAX: none. */
int64_t zone_rule_next(const struct zone_rule *r, int64_t t);

#endif
