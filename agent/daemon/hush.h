/* SPDX-License-Identifier: ISC */
/*
 * Log lines that anybody can cause, as often as he likes: some a minute are
 * written, the others are counted.  Pure.
 */
#ifndef AGENT_DAEMON_HUSH_H
#define AGENT_DAEMON_HUSH_H

#include <stdbool.h>
#include <stdint.h>

#define HUSH_LINES 10 /* a minute */

/* Zero-initialize. */
struct hush {
	uint64_t since_ms; /* when this minute began */
	unsigned lines;	   /* in it */
	unsigned left_out; /* since the last that was written */
};

/* Whether a line may be written at NOW_MS; *LEFT_OUT is how many were not
 * since the last one that was. */
bool hush_lets(struct hush *h, uint64_t now_ms, unsigned *left_out);

#endif
