/* SPDX-License-Identifier: ISC */
/*
 * Numbers of JSON as event patterns compare them: 300, 300.0 and 3.0e2 are
 * one, and what a double can't tell apart is compared as it is written.  Pure.
 */
#ifndef AGENT_EVENTS_NUMBER_H
#define AGENT_EVENTS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

struct number {
	const char *text; /* borrowed */
	size_t len;
	bool exact;   /* the shortest text of VALUE is the same number */
	double value; /* if exact */
};

/* TEXT is a number by the rules of JSON. */
struct number number_of(const char *text, size_t len);
bool number_same(const struct number *a, const struct number *b);

#endif
