/* SPDX-License-Identifier: ISC */
/*
 * Event patterns: which events a subscription takes.  The dialect is Amazon
 * EventBridge's (https://docs.aws.amazon.com/eventbridge/latest/userguide/
 * eb-event-patterns.html), as aws/event-ruler 2.0 understands it, but:
 *
 * - a path that is there twice is refused (the ruler lets the last one win);
 * - "10.0.0.1/32" and "::1/128" are networks of one address, and a "/0" has
 *   addresses only;
 * - a pattern has PATTERN_TEXT_MAX bytes, PATTERN_DEPTH_MAX objects within
 *   each other and PATTERN_RULES_MAX combinations of its "$or" at most.
 *
 * Pure; a pattern may be used by several threads.
 */
#ifndef AGENT_EVENTS_PATTERN_H
#define AGENT_EVENTS_PATTERN_H

#include "base/auto.h"
#include "base/err.h"
#include "base/jdoc.h"

#define PATTERN_TEXT_MAX 4096
#define PATTERN_DEPTH_MAX 16
#define PATTERN_RULES_MAX 64

struct pattern;

/* The pattern that the LEN bytes of TEXT say; ERR_CONFIG tells what is wrong
 * and where. */
struct pattern *pattern_new(const char *text, size_t len, struct err *e);
void pattern_free(struct pattern *p);
AUTO_DEFINE(pattern, struct pattern, pattern_free)

/*
 * 1 if P takes EVENT (an object), 0 if not.  -1: no memory, or ERR_UNSUPPORTED
 * where arrays within the event make too many combinations to be tried.
 */
int pattern_match(
    const struct pattern *p, const struct jdoc_node *event, struct err *e);
/* The same of an event's JSON, and 1 if P is NULL.  What can't be judged is
 * rather told than lost: -1 only without memory. */
int pattern_takes(
    const struct pattern *p, const char *event, size_t len, struct err *e);

#endif
