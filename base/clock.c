/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>

#include "base/clock.h"

int64_t
clock_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t
clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct timespec
clock_deadline(uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

void
clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void
clock_iso8601(int64_t wall_ns, char *out, size_t size)
{
	int64_t s = wall_ns / 1000000000 - (wall_ns % 1000000000 < 0);
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, size, "?");
}

bool
clock_parse_iso8601(const char *s, int64_t *wall_ns)
{
	struct tm tm = {0};
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t since_s;

	if (end == NULL || *end != '\0' || end - s != 20)
		return false;
	since_s = (int64_t)timegm(&tm);
	/* Nanoseconds end in 2262. */
	if (since_s > INT64_MAX / 1000000000 ||
	    since_s < INT64_MIN / 1000000000)
		return false;
	*wall_ns = since_s * 1000000000;
	return true;
}

bool
clock_is_iso8601(const char *s)
{
	int64_t ns;

	return clock_parse_iso8601(s, &ns);
}
