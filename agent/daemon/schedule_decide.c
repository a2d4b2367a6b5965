/* SPDX-License-Identifier: ISC */
/* The decisions. */
#include "config.h"

#include "agent/daemon/schedule.h"

#define RETRY_MIN_US 1000000

const char *
schedule_why_name(enum schedule_why why)
{
	static const char *const names[] = {
	    [SCHEDULE_NO_TIME] = "no schedule",
	    [SCHEDULE_TIME] = "schedule",
	    [SCHEDULE_RETRY] = "retry",
	    [SCHEDULE_GOES_ON] = "goes on",
	    [SCHEDULE_CHANGES] = "changes",
	    [SCHEDULE_BY_HAND] = "by hand",
	    [SCHEDULE_RUNNING] = "running",
	    [SCHEDULE_WINDOW] = "window",
	    [SCHEDULE_PAUSED] = "paused",
	    [SCHEDULE_HELD] = "held",
	};

	return names[why];
}

static bool
lower(int64_t *t, int64_t most, int64_t to)
{
	if (*t <= most)
		return false;
	*t = to;
	return true;
}

/* Nothing has happened in the future, nor is a retry further away than any. */
static bool
set_right(struct schedule_state *s, int64_t now)
{
	bool changed = lower(&s->since_us, now + SCHEDULE_SLACK_US, now);

	changed |= lower(&s->started_us, now, now);
	changed |= lower(&s->ended_us, now, now);
	changed |= lower(&s->retry_us, now + SCHEDULE_RETRY_CAP_US,
	    now + SCHEDULE_RETRY_CAP_US);
	return changed;
}

/* The task's own delay, in whole seconds */
static int64_t
delay_us(const struct schedule *c)
{
	uint64_t most = (uint64_t)c->random_delay_us / 1000000;

	return (int64_t)(c->seed % (most + 1)) * 1000000;
}

/* The first start, or as many intervals after the last one's as it takes to
 * get beyond its end: a run that takes longer leaves some out. */
static int64_t
every_next(const struct schedule *c, const struct schedule_state *s)
{
	int64_t done = s->ended_us > s->since_us ? s->ended_us : s->since_us;
	int64_t past;

	if (s->started_us == 0)
		return s->since_us + delay_us(c);
	past = done > s->started_us ? done - s->started_us : 0;
	return s->started_us + (past / c->every_us + 1) * c->every_us;
}

/* The whole schedule is later by the delay. */
static int64_t
calendars_next(const struct schedule *c, const struct schedule_state *s)
{
	int64_t first = SCHEDULE_NEVER, delay = delay_us(c);
	size_t i;

	for (i = 0; i < c->n; i++) {
		int64_t at = calendar_next(
		    c->calendars[i], c->zone, s->since_us - delay);

		if (at != CALENDAR_NEVER && at + delay < first)
			first = at + delay;
	}
	return first;
}

static struct schedule_next
sooner(struct schedule_next n, int64_t at, enum schedule_why why)
{
	if (at < n.at_us) {
		n.at_us = at;
		n.why = why;
	}
	return n;
}

/* When a run is due next, be it in a window or not */
static struct schedule_next
due(const struct schedule *c, const struct schedule_state *s, int64_t now)
{
	struct schedule_next n = {
	    .at_us = SCHEDULE_NEVER, .why = SCHEDULE_NO_TIME};

	if (s->unfinished)
		return sooner(n, now, SCHEDULE_GOES_ON);
	/* However often it would run else. */
	if (s->retry_us != 0)
		return sooner(n, s->retry_us, SCHEDULE_RETRY);
	if (c->every_us != 0)
		n = sooner(n, every_next(c, s), SCHEDULE_TIME);
	n = sooner(n, calendars_next(c, s), SCHEDULE_TIME);
	if (s->changes_us != 0)
		n = sooner(n, s->changes_us, SCHEDULE_CHANGES);
	return n;
}

static struct schedule_next
decide_running(
    const struct schedule *c, const struct schedule_state *s, int64_t now)
{
	struct schedule_next n = {
	    .why = SCHEDULE_RUNNING, .at_us = SCHEDULE_NEVER};

	if (s->by_hand)
		return n;
	if (!windows_open(&c->windows, c->zone, now))
		return (struct schedule_next){
		    SCHEDULE_STOP, SCHEDULE_WINDOW, now};
	n.at_us = windows_change(&c->windows, c->zone, now);
	return n;
}

struct schedule_next
schedule_decide(const struct schedule *c, struct schedule_state *s, int64_t now,
    bool *changed)
{
	struct schedule_next n = {.at_us = SCHEDULE_NEVER};
	bool right = set_right(s, now);

	if (changed != NULL)
		*changed = right;
	if (s->running)
		return decide_running(c, s, now);
	if (s->asked)
		return (struct schedule_next){
		    SCHEDULE_START, SCHEDULE_BY_HAND, now};
	if (s->held || s->paused) {
		n.why = s->held ? SCHEDULE_HELD : SCHEDULE_PAUSED;
		return n;
	}
	n = due(c, s, now);
	if (n.at_us == SCHEDULE_NEVER)
		return n;
	if (n.at_us < now)
		n.at_us = now;
	if (!windows_open(&c->windows, c->zone, n.at_us)) {
		n.at_us = windows_change(&c->windows, c->zone, n.at_us);
		n.why = SCHEDULE_WINDOW;
	} else if (n.at_us == now) {
		n.act = SCHEDULE_START;
	}
	return n;
}

void
schedule_begin(struct schedule_state *s, int64_t now)
{
	s->since_us = now;
}

void
schedule_interrupted(struct schedule_state *s, int64_t now)
{
	s->running = false;
	s->by_hand = false;
	s->unfinished = true;
	s->ended_us = now;
}

void
schedule_started(struct schedule_state *s, int64_t now)
{
	s->running = true;
	s->by_hand = s->asked;
	s->on_changes = false;
	s->asked = false;
	s->unfinished = false;
	s->retry_us = 0;
	s->started_us = now;
	if (s->since_us < now)
		s->since_us = now;
}

void
schedule_started_on_changes(struct schedule_state *s)
{
	s->running = true;
	s->by_hand = false;
	s->on_changes = true;
	s->retry_us = 0;
	s->changes_us = 0;
}

static int64_t
retry_wait_us(unsigned failures, uint64_t random)
{
	int64_t most = SCHEDULE_RETRY_BASE_US, wait;

	while (failures-- > 1 && most < SCHEDULE_RETRY_CAP_US)
		most *= 2;
	if (most > SCHEDULE_RETRY_CAP_US)
		most = SCHEDULE_RETRY_CAP_US;
	wait = (int64_t)(random % ((uint64_t)most + 1));
	return wait > RETRY_MIN_US ? wait : RETRY_MIN_US;
}

void
schedule_ended(const struct schedule *c, struct schedule_state *s,
    enum schedule_end end, int64_t now, uint64_t random)
{
	s->running = false;
	s->by_hand = false;
	/* times that passed meanwhile were of this run */
	if (!s->on_changes) {
		s->ended_us = now;
		if (s->since_us < now)
			s->since_us = now;
	}
	switch (end) {
	case SCHEDULE_DONE:
		s->failures = 0;
		break;
	case SCHEDULE_FAILED:
		s->failures++;
		s->held = c->hold_after > 0 && s->failures >= c->hold_after;
		if (!s->held)
			s->retry_us = now + retry_wait_us(s->failures, random);
		break;
	case SCHEDULE_HOPELESS:
		s->failures++;
		s->held = true;
		break;
	case SCHEDULE_CUT:
		s->unfinished = !s->on_changes;
		break;
	case SCHEDULE_CANCELLED:
	default:
		break;
	}
}

void
schedule_resume(struct schedule_state *s)
{
	s->paused = false;
	s->held = false;
	s->failures = 0;
}

void
schedule_ask(struct schedule_state *s)
{
	schedule_resume(s);
	s->asked = true;
}
