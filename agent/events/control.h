/* SPDX-License-Identifier: ISC */
/*
 * What was decided about subscriptions, by people or because of how a receiver
 * does: STATE/.subscriptions.db, a database for all tasks, those that come
 * later, too.  Whoever delivers looks at it each second, so that a decision
 * holds for runs under way.  Decisions are few: each is durable before the
 * call returns.  Without a row, or without the database, all is active.
 *
 * A subscription that is paused or disabled costs nothing and loses nothing
 * until events are forgotten: its cursors stand still, and so does the age of
 * its events.
 */
#ifndef AGENT_EVENTS_CONTROL_H
#define AGENT_EVENTS_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

#define CONTROL_IDLE_MAX 32 /* times of rest that are remembered */

/* The reason for being disabled of what was removed, until it is there again.
 */
#define CONTROL_REMOVED "removed"

enum control_state { CONTROL_ACTIVE, CONTROL_PAUSED, CONTROL_DISABLED };

const char *control_state_name(enum control_state state);

struct control_entry {
	enum control_state state;
	char reason[64];
	int64_t since_ms;      /* of the state */
	int64_t fail_since_ms; /* nothing has been taken since; 0: it has */
	/* When it was not active, the last ones; TO_MS 0: it still isn't. */
	struct {
		int64_t from_ms, to_ms;
	} idle[CONTROL_IDLE_MAX];
	unsigned idle_n;
};

/* How old an event of SINCE_MS is, without what ENTRY tells of rest.  Pure. */
uint64_t control_age_ms(
    const struct control_entry *entry, int64_t since_ms, int64_t now_ms);

struct control;

/* Of the state directory DIR; one thread uses it.  For writing it is made if
 * missing; for reading it needn't be there. */
struct control *control_open(const char *dir, bool write, struct err *e);
void control_close(struct control *c);
AUTO_DEFINE(control, struct control, control_close)

/* Since it was asked last, by others: 1, 0, -1. */
int control_changed(struct control *c, struct err *e);
int control_get(struct control *c, const char *name, struct control_entry *out,
    struct err *e);

/* What is to be from NOW_MS on: 1; 0 if NAME is disabled, and was only to be
 * paused; -1. */
int control_set(struct control *c, const char *name, enum control_state state,
    const char *reason, int64_t now_ms, struct err *e);
/* Since when nothing has been taken; 0: no longer. */
int control_failing(
    struct control *c, const char *name, int64_t since_ms, struct err *e);
/* As if nothing had ever been decided. */
int control_forget(struct control *c, const char *name, struct err *e);

#endif
