/* SPDX-License-Identifier: ISC */
/* Time.  All of dray asks here, so that tests can tell it what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since 1970, UTC. */
int64_t clock_wall_ns(void);
/* Milliseconds that only go forward; no meaning but differences. */
uint64_t clock_mono_ms(void);
/* The monotonic time MS from now, for pthread_cond_timedwait on a condition
 * made by clock_cond_init(). */
struct timespec clock_deadline(uint64_t ms);
/* A condition variable that takes clock_deadline() times. */
void clock_cond_init(pthread_cond_t *cond);
/* 2026-11-23T08:00:00Z into OUT (21 bytes at least). */
void clock_iso8601(int64_t wall_ns, char *out, size_t size);
/* And back; false if it is no such time. */
bool clock_parse_iso8601(const char *s, int64_t *wall_ns);
/* Whether S is a time as clock_iso8601 writes it. */
bool clock_is_iso8601(const char *s);

#endif
