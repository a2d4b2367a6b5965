/* SPDX-License-Identifier: ISC */
/*
 * When a task runs: what its file says (struct schedule), what happened so far
 * (struct schedule_state, which the daemon keeps durable) and the time decide.
 * Pure; all times are microseconds since 1970 by the wall clock.  The keys are
 * described in dray-task(5):
 *
 *	schedule = CALENDAR EXPRESSION		calendar.h; several lines
 *	schedule = every DURATION		from the start of a run
 *	random-delay = DURATION
 *	window = [WEEKDAYS] BEGIN-END [ZONE]	window.h; several lines
 *	timezone = ZONE				of all that names none
 *	hold-after = N				failures in a row; 0: never
 *
 * The daemon calls schedule_decide() at start, after each change and at the
 * time that it named, and at least once a minute, as the clock may be set.
 */
#ifndef AGENT_DAEMON_SCHEDULE_H
#define AGENT_DAEMON_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/daemon/calendar.h"
#include "agent/daemon/window.h"
#include "agent/daemon/zone.h"
#include "base/err.h"

#define SCHEDULE_NEVER INT64_MAX
#define SCHEDULE_LINES_MAX 64
#define SCHEDULE_HOLD_AFTER 20 /* failures: about seven hours of them */
#define SCHEDULE_RETRY_BASE_US ((int64_t)60 * 1000000)
#define SCHEDULE_RETRY_CAP_US ((int64_t)3600 * 1000000)
/* A clock that is put back by less waits until it is where it was. */
#define SCHEDULE_SLACK_US ((int64_t)3600 * 1000000)

struct schedule {
	struct zone *zone; /* never NULL once schedule_init() succeeded */
	size_t n;
	struct calendar **calendars;
	int64_t every_us; /* 0: not so */
	int64_t random_delay_us;
	uint64_t seed;
	struct windows windows;
	unsigned hold_after;
};

/*
 * An empty schedule: never by itself, at any time of day.  TASK and MACHINE
 * choose its delay out of random-delay, the same each time: so next runs that
 * were shown hold after a restart, and machines don't come all at once.
 */
int schedule_init(
    struct schedule *c, const char *task, const char *machine, struct err *e);
void schedule_free(struct schedule *c);

/* Whether KEY is one of those above. */
bool schedule_has_key(const char *key);
/* Takes a line of the task's file; ERR_CONFIG says what is wrong with VALUE. */
int schedule_set(
    struct schedule *c, const char *key, const char *value, struct err *e);

/* All of it is durable.  Zero-initialize, then schedule_begin(). */
struct schedule_state {
	int64_t since_us;   /* calendar times until then are done with */
	int64_t started_us; /* the last run; 0: none yet */
	int64_t ended_us;   /* 0: none yet */
	int64_t retry_us;   /* a failed run is tried again then; 0: none */
	unsigned failures;  /* in a row */
	bool running;
	bool by_hand;	 /* the run that runs, or asked: no window holds */
	bool asked;	 /* a start by hand is wanted */
	bool unfinished; /* it was stopped and is to go on */
	bool paused;	 /* by an administrator */
	bool held;	 /* after too many failures */
	/* Not durable: */
	int64_t changes_us; /* what a watch has seen is for then; 0: nothing */
	bool on_changes;    /* the last run was for these only */
};

enum schedule_act {
	SCHEDULE_WAIT,
	SCHEDULE_START,
	SCHEDULE_STOP, /* the run: it goes on in the next window */
};

enum schedule_why {
	SCHEDULE_NO_TIME, /* WAIT: never by itself */
	SCHEDULE_TIME,	  /* a time of the schedule */
	SCHEDULE_RETRY,	  /* after a failure */
	SCHEDULE_GOES_ON, /* what was stopped */
	SCHEDULE_CHANGES, /* that a watch has seen */
	SCHEDULE_BY_HAND,
	SCHEDULE_RUNNING, /* WAIT: for its end, or the window's */
	SCHEDULE_WINDOW,  /* WAIT: for one to open; STOP: it closed */
	SCHEDULE_PAUSED,
	SCHEDULE_HELD,
};

struct schedule_next {
	enum schedule_act act;
	enum schedule_why why;
	int64_t at_us; /* WAIT: until then, or SCHEDULE_NEVER; else now */
};

/* A lower-case word for WHY, as status shows it. */
const char *schedule_why_name(enum schedule_why why);

enum schedule_end {
	SCHEDULE_DONE,
	SCHEDULE_FAILED,    /* tried again, later each time */
	SCHEDULE_HOPELESS,  /* as configuration or credentials: held at once */
	SCHEDULE_CUT,	    /* by its window, or the daemon's end: goes on */
	SCHEDULE_CANCELLED, /* by hand: the next time of the schedule */
};

/* A task that is seen for the first time, or has another schedule now: what was
 * before is not missed. */
void schedule_begin(struct schedule_state *s, int64_t now_us);
/* A run was under way as the daemon died. */
void schedule_interrupted(struct schedule_state *s, int64_t now_us);

/*
 * What to do now, or until when there is nothing to do.  Times that passed
 * while nobody looked count as one.  Where the clock has been put back so far
 * that S lies in the future, S is set right; *CHANGED (may be NULL) says so.
 */
struct schedule_next schedule_decide(const struct schedule *c,
    struct schedule_state *s, int64_t now_us, bool *changed);

void schedule_started(struct schedule_state *s, int64_t now_us);
/* A run for changes only: no time of the schedule is done with by it, nor does
 * it go on after it was cut: its changes come again. */
void schedule_started_on_changes(struct schedule_state *s);
/* RANDOM is any 64 random bits: the wait before a retry is any time up to one
 * minute that doubles with each failure, an hour at most. */
void schedule_ended(const struct schedule *c, struct schedule_state *s,
    enum schedule_end end, int64_t now_us, uint64_t random);

/* By hand: ends a hold and a pause.  What was missed meanwhile is one run. */
void schedule_resume(struct schedule_state *s);
/* By hand: a run as soon as may be, which ends a hold and a pause. */
void schedule_ask(struct schedule_state *s);

#endif
