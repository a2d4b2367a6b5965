/* SPDX-License-Identifier: ISC */
/* What calendar*.c share; nobody else includes it. */
#ifndef AGENT_DAEMON_CALENDAR_IN_H
#define AGENT_DAEMON_CALENDAR_IN_H

#include "agent/daemon/calendar.h"

#define SECOND_US 1000000
#define YEAR_MIN 1970
#define YEAR_MAX 2199

/* From the coarse to the fine; seconds are counted in microseconds. */
enum field {
	FIELD_YEAR,
	FIELD_MONTH,
	FIELD_DAY,
	FIELD_HOUR,
	FIELD_MINUTE,
	FIELD_SECOND,
	FIELD_COUNT
};

struct span {
	int32_t start;
	int32_t stop; /* -1: none given */
	int32_t step; /* 0: start alone */
};

#define SPANS_MAX 240

struct spans {
	size_t n; /* 0: any value */
	struct span *v;
};

struct calendar {
	struct spans field[FIELD_COUNT];
	bool from_end;	   /* days count from the last of the month, 1 */
	unsigned weekdays; /* bit 0 is Monday; 0: any */
	struct zone *zone; /* NULL: the caller's */
};

#endif
