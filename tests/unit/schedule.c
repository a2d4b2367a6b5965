/* SPDX-License-Identifier: ISC */
/* A task's days and years, with a clock that is told what time it is. */
#include "config.h"

#include "agent/daemon/civil.h"
#include "agent/daemon/schedule.h"
#include "tests/unit/check.h"

#define SECOND ((int64_t)1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define STARTS_MAX 2000

static int64_t
at(const char *text)
{
	struct civil c = {0};

	if (sscanf(text, "%d-%d-%d %d:%d:%d", &c.year, &c.month, &c.day,
		&c.hour, &c.minute, &c.second) < 5)
		abort();
	return civil_seconds(&c) * SECOND;
}

static uint64_t
some(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void
schedule_auto_free(struct schedule *c)
{
	schedule_free(c);
}
#define AUTO_SCHEDULE __attribute__((cleanup(schedule_auto_free)))

static void
set(struct schedule *c, const char *key, const char *value)
{
	struct err e = ERR_INIT;

	if (schedule_set(c, key, value, &e) == -1) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
}

static struct schedule
schedule(const char *text)
{
	struct err e = ERR_INIT;
	struct schedule c;

	if (schedule_init(&c, "task", "machine", &e) == -1)
		abort();
	set(&c, "timezone", "UTC");
	if (text != NULL)
		set(&c, "schedule", text);
	return c;
}

/* A task, and the daemon that does what it is told */
struct sim {
	const struct schedule *c;
	struct schedule_state s;
	int64_t now;
	int64_t takes;		/* a run, or the rest of one that was cut */
	int64_t left;		/* of the run */
	enum schedule_end ends; /* what becomes of runs */
	unsigned starts, stops, looks;
	int64_t start[STARTS_MAX];
};

static struct sim
sim(const struct schedule *c, const char *now)
{
	struct sim m = {.c = c, .now = at(now), .takes = MINUTE};

	schedule_begin(&m.s, m.now);
	return m;
}

static void
run_to_end(struct sim *m, enum schedule_end end)
{
	schedule_ended(m->c, &m->s, end, m->now, some());
}

/* Lets it run until END. */
static void
until(struct sim *m, int64_t end)
{
	while (m->now < end) {
		struct schedule_next n =
		    schedule_decide(m->c, &m->s, m->now, NULL);
		int64_t wake = n.at_us;

		m->looks++;
		if (n.act == SCHEDULE_START) {
			if (m->starts < STARTS_MAX)
				m->start[m->starts] = m->now;
			m->starts++;
			if (!m->s.unfinished || m->left <= 0)
				m->left = m->takes;
			schedule_started(&m->s, m->now);
			continue;
		}
		if (n.act == SCHEDULE_STOP) {
			m->stops++;
			run_to_end(m, SCHEDULE_CUT);
			continue;
		}
		CHECK(wake > m->now);
		if (m->s.running && m->now + m->left <= wake)
			wake = m->now + m->left;
		if (wake > end)
			wake = end;
		if (m->s.running)
			m->left -= wake - m->now;
		m->now = wake;
		if (m->s.running && m->left <= 0)
			run_to_end(m, m->ends);
	}
}

static void
a_day_of_every_15_minutes_has_96_runs(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("every 15m");
	struct sim m = sim(&c, "2024-01-01 00:00");
	unsigned i;

	until(&m, m.now + DAY);
	CHECK_UINT(m.starts, 96);
	CHECK(m.looks < 4 * 96);
	for (i = 0; i < m.starts; i++)
		CHECK(m.start[i] ==
		    at("2024-01-01 00:00") + (int64_t)i * 15 * MINUTE);
}

static void
a_run_that_takes_longer_leaves_some_out(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("every 15m");
	AUTO_SCHEDULE struct schedule hourly = schedule("hourly");
	struct sim m = sim(&c, "2024-01-01 00:00");

	m.takes = 20 * MINUTE;
	until(&m, m.now + DAY);
	CHECK_UINT(m.starts, 48);
	m = sim(&hourly, "2024-01-01 00:30");
	m.takes = 70 * MINUTE;
	until(&m, m.now + DAY);
	CHECK_UINT(m.starts, 12);
	CHECK(m.start[1] - m.start[0] == 2 * HOUR);
}

static void
a_year_of_nights_follows_the_clock_on_the_wall(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("Mon..Fri 22:00");
	struct sim m = sim(&c, "2024-01-01 00:00");
	unsigned i, summer = 0;

	set(&c, "timezone", "Europe/Berlin");
	until(&m, at("2025-01-01 00:00"));
	CHECK_UINT(m.starts, 262);
	for (i = 0; i < m.starts; i++) {
		struct civil t = civil_of(m.start[i] / SECOND);

		CHECK(t.hour == 20 || t.hour == 21);
		summer += t.hour == 20;
		CHECK(civil_weekday(m.start[i] / DAY) < 5);
	}
	CHECK_UINT(summer, 150);
}

static void
without_a_schedule_it_runs_by_hand_only(void)
{
	AUTO_SCHEDULE struct schedule c = schedule(NULL);
	struct sim m = sim(&c, "2024-01-01 00:00");
	struct schedule_next n;

	until(&m, m.now + 365 * DAY);
	CHECK_UINT(m.starts, 0);
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.at_us == SCHEDULE_NEVER);
	CHECK(n.why == SCHEDULE_NO_TIME);
	schedule_ask(&m.s);
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_START && n.why == SCHEDULE_BY_HAND);
	until(&m, m.now + DAY);
	CHECK_UINT(m.starts, 1);
}

static void
missed_runs_are_made_up_for_once(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("hourly");
	struct sim m = sim(&c, "2024-01-01 00:30");

	until(&m, at("2024-01-01 05:30"));
	CHECK_UINT(m.starts, 5);
	m.now = at("2024-02-01 12:20"); /* a month without a daemon */
	until(&m, at("2024-02-01 14:30"));
	CHECK_UINT(m.starts, 8);
	CHECK(m.start[5] == at("2024-02-01 12:20"));
	CHECK(m.start[6] == at("2024-02-01 13:00"));
}

static void
a_run_that_died_goes_on(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("daily");
	struct sim m = sim(&c, "2024-01-01 12:00");
	struct schedule_next n;

	m.takes = 5 * HOUR;
	until(&m, at("2024-01-02 02:00"));
	CHECK(m.s.running);
	m.now += HOUR;
	schedule_interrupted(&m.s, m.now);
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_START && n.why == SCHEDULE_GOES_ON);
	until(&m, at("2024-01-03 23:00"));
	CHECK_UINT(m.starts, 3);
}

static void
a_window_cuts_a_run_that_goes_on_the_next_night(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("Mon 20:00");
	struct sim m = sim(&c, "2024-01-01 12:00");
	struct schedule_next n;

	set(&c, "window", "20:00-06:00");
	m.takes = 25 * HOUR;
	until(&m, at("2024-01-07 00:00"));
	CHECK_UINT(m.starts, 3);
	CHECK_UINT(m.stops, 2);
	CHECK(m.start[1] == at("2024-01-02 20:00"));
	CHECK(m.start[2] == at("2024-01-03 20:00"));
	CHECK(m.s.ended_us == at("2024-01-04 01:00"));
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.at_us == at("2024-01-08 20:00") && n.why == SCHEDULE_TIME);
}

static void
what_is_due_waits_for_a_window(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("12:00");
	struct sim m = sim(&c, "2024-01-01 00:00");
	struct schedule_next n;

	set(&c, "window", "20:00-06:00");
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.why == SCHEDULE_WINDOW);
	CHECK(n.at_us == at("2024-01-01 20:00"));
	until(&m, at("2024-01-04 00:00"));
	CHECK_UINT(m.starts, 3);
	CHECK(m.start[2] == at("2024-01-03 20:00"));
	/* by hand no window holds */
	m.now = at("2024-01-04 10:00");
	schedule_ask(&m.s);
	m.takes = HOUR;
	until(&m, at("2024-01-04 11:30"));
	CHECK_UINT(m.starts, 4);
	CHECK_UINT(m.stops, 0);
}

static void
failures_wait_longer_each_time_and_end_in_a_hold(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("2024-01-01 01:00");
	int64_t longest = 0, most = MINUTE;
	unsigned round, i;

	for (round = 0; round < 50; round++) {
		struct sim m = sim(&c, "2024-01-01 00:00");

		m.ends = SCHEDULE_FAILED;
		until(&m, at("2024-01-10 00:00"));
		CHECK(m.s.held && m.s.failures == SCHEDULE_HOLD_AFTER);
		CHECK_UINT(m.starts, SCHEDULE_HOLD_AFTER);
		most = MINUTE;
		for (i = 1; i < m.starts; i++) {
			int64_t wait = m.start[i] - m.start[i - 1] - m.takes;

			CHECK(wait >= SECOND && wait <= most);
			longest = wait > longest ? wait : longest;
			most = most < HOUR / 2 ? 2 * most : HOUR;
		}
		CHECK(schedule_decide(&c, &m.s, m.now, NULL).why ==
		    SCHEDULE_HELD);
		schedule_ask(&m.s);
		m.ends = SCHEDULE_DONE;
		until(&m, m.now + HOUR);
		CHECK(!m.s.held && m.s.failures == 0);
	}
	CHECK(longest > HOUR / 2);
}

static void
success_forgets_failures_and_hopeless_holds_at_once(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("daily");
	struct sim m = sim(&c, "2024-01-01 12:00");

	set(&c, "hold-after", "0");
	m.ends = SCHEDULE_FAILED;
	until(&m, at("2024-02-01 12:00"));
	CHECK(!m.s.held && m.s.failures > 500);
	m.ends = SCHEDULE_DONE;
	until(&m, at("2024-02-03 12:00"));
	CHECK_UINT(m.s.failures, 0);
	CHECK(m.s.retry_us == 0);
	m.ends = SCHEDULE_HOPELESS;
	until(&m, at("2024-02-05 12:00"));
	CHECK(m.s.held);
	CHECK_UINT(m.s.failures, 1);
	schedule_resume(&m.s);
	CHECK(!m.s.held && m.s.failures == 0);
	m.s.paused = true;
	until(&m, at("2024-02-08 12:00"));
	CHECK(schedule_decide(&c, &m.s, m.now, NULL).why == SCHEDULE_PAUSED);
	/* three nights are missed: one run, and those of the next two nights */
	m.starts = 0;
	m.ends = SCHEDULE_DONE;
	schedule_resume(&m.s);
	until(&m, at("2024-02-10 12:00"));
	CHECK_UINT(m.starts, 3);
}

static void
a_cancelled_run_waits_for_the_schedule(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("daily");
	struct sim m = sim(&c, "2024-01-01 12:00");

	m.ends = SCHEDULE_CANCELLED;
	until(&m, at("2024-01-04 12:00"));
	CHECK_UINT(m.starts, 3);
}

static void
runs_for_changes_use_no_time_of_the_schedule_up(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("hourly");
	struct sim m = sim(&c, "2024-01-01 00:10");
	struct schedule_next n;

	m.s.changes_us = at("2024-01-01 00:20");
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.why == SCHEDULE_CHANGES);
	CHECK(n.at_us == m.s.changes_us);
	m.now = at("2024-01-01 00:59");
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_START && n.why == SCHEDULE_CHANGES);
	schedule_started_on_changes(&m.s);
	CHECK(m.s.running && m.s.changes_us == 0);
	m.now = at("2024-01-01 01:30");
	run_to_end(&m, SCHEDULE_DONE);
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_START && n.why == SCHEDULE_TIME);
	schedule_started(&m.s, m.now);
	m.now = at("2024-01-01 01:40");
	run_to_end(&m, SCHEDULE_DONE);
	/* One that was cut doesn't go on: its changes come again. */
	schedule_started_on_changes(&m.s);
	run_to_end(&m, SCHEDULE_CUT);
	CHECK(!m.s.unfinished);
	/* After a failure they wait for the retry. */
	schedule_started_on_changes(&m.s);
	run_to_end(&m, SCHEDULE_FAILED);
	m.s.changes_us = m.now;
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.why == SCHEDULE_RETRY);
}

static void
changes_wait_for_a_window_and_while_paused(void)
{
	AUTO_SCHEDULE struct schedule c = schedule(NULL);
	struct sim m = sim(&c, "2024-01-01 12:00");
	struct schedule_next n;

	set(&c, "window", "20:00-06:00");
	m.s.changes_us = m.now;
	n = schedule_decide(&c, &m.s, m.now, NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.why == SCHEDULE_WINDOW);
	CHECK(n.at_us == at("2024-01-01 20:00"));
	m.s.paused = true;
	n = schedule_decide(&c, &m.s, at("2024-01-01 21:00"), NULL);
	CHECK(n.act == SCHEDULE_WAIT && n.why == SCHEDULE_PAUSED);
}

static void
the_delay_is_the_tasks_own(void)
{
	struct err e = ERR_INIT;
	int64_t seen[20], distinct = 0;
	unsigned i, k;
	char name[20];

	for (i = 0; i < 20; i++) {
		struct schedule c, again;
		struct schedule_state s = {0};

		snprintf(name, sizeof(name), "task%u", i);
		CHECK(schedule_init(&c, name, "machine", &e) == 0);
		CHECK(schedule_init(&again, name, "machine", &e) == 0);
		set(&c, "timezone", "UTC");
		set(&c, "schedule", "hourly");
		set(&c, "random-delay", "90m");
		CHECK(c.seed == again.seed);
		schedule_begin(&s, at("2024-01-01 00:00"));
		seen[i] = schedule_decide(&c, &s, s.since_us, NULL).at_us;
		CHECK(seen[i] % SECOND == 0);
		for (k = 0; k < i && seen[k] != seen[i]; k++)
			;
		distinct += k == i;
		/* an hourly task stays hourly, though the delay is longer */
		schedule_started(&s, seen[i]);
		schedule_ended(&c, &s, SCHEDULE_DONE, seen[i] + SECOND, 0);
		CHECK(schedule_decide(&c, &s, seen[i] + SECOND, NULL).at_us ==
		    seen[i] + HOUR);
		schedule_free(&c);
		schedule_free(&again);
	}
	CHECK(distinct >= 18);
}

static void
a_clock_that_jumps_makes_no_storm_and_no_stall(void)
{
	static const char *const texts[] = {
	    "every 15m", "*:0/15", "*:0/15:00 Europe/Berlin"};
	static const int64_t jumps[] = {5 * SECOND, 10 * MINUTE, 59 * MINUTE,
	    61 * MINUTE, DAY, 400 * DAY, 20000 * DAY};
	unsigned i, k, back;

	for (i = 0; i < 3; i++) {
		for (k = 0; k < 2 * sizeof(jumps) / sizeof(jumps[0]); k++) {
			AUTO_SCHEDULE struct schedule c = schedule(texts[i]);
			struct sim m = sim(&c, "2024-10-26 12:01");
			int64_t day;

			back = k % 2;
			m.takes = 20 * SECOND;
			until(&m, m.now + DAY + 7 * MINUTE + 30 * SECOND);
			CHECK(m.starts >= 92 && m.starts <= 97);
			m.starts = m.looks = 0;
			m.now += back ? -jumps[k / 2] : jumps[k / 2];
			/* a day, but for an hour that comes twice, and the
			 * hour that a clock may lag behind */
			day = m.now;
			until(&m, m.now + DAY);
			CHECK(m.starts >= 96 - 4 - 5 && m.starts <= 98);
			CHECK(m.looks < 5 * m.starts);
			CHECK(m.start[0] - day <= HOUR + 15 * MINUTE);
		}
	}
}

static void
a_clock_that_is_put_back_a_little_repeats_nothing(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("02:00");
	struct sim m = sim(&c, "2024-01-01 00:00");
	bool changed;

	until(&m, at("2024-01-01 02:10"));
	CHECK_UINT(m.starts, 1);
	m.now -= 20 * MINUTE;
	until(&m, at("2024-01-01 12:00"));
	CHECK_UINT(m.starts, 1);
	/* far: its days come again, and so do its runs, once each */
	m.now -= 3 * DAY;
	schedule_decide(&c, &m.s, m.now, &changed);
	CHECK(changed);
	schedule_decide(&c, &m.s, m.now, &changed);
	CHECK(!changed);
	until(&m, at("2024-01-01 12:00"));
	CHECK_UINT(m.starts, 4);
}

static void
a_retry_is_never_further_away_than_an_hour(void)
{
	AUTO_SCHEDULE struct schedule c = schedule("2024-01-01 01:00");
	struct sim m = sim(&c, "2024-01-01 00:00");

	m.s.failures = 3;
	m.ends = SCHEDULE_FAILED;
	until(&m, at("2024-01-01 01:01") + SECOND);
	CHECK(m.s.retry_us != 0);
	m.now -= 300 * DAY;
	CHECK(schedule_decide(&c, &m.s, m.now, NULL).at_us <= m.now + HOUR);
}

static void
values_that_make_no_sense_are_refused(void)
{
	static const char *const table[][3] = {
	    {"schedule", "25:00", "calendar expression \"25:00\""},
	    {"schedule", "every", "no weekday"},
	    {"schedule", "every 0s", "not between 1s and 366d"},
	    {"schedule", "every 400d", "not between 1s and 366d"},
	    {"schedule", "every now", "now"},
	    {"random-delay", "soon", "soon"},
	    {"random-delay", "400d", "not between 0s and 366d"},
	    {"window", "20:00", "\"20:00\": after its begin"},
	    {"timezone", "CEST", "no time zone \"CEST\""},
	    {"hold-after", "-1", "-1"},
	    {"hold-after", "99999999", "1000000"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		AUTO_SCHEDULE struct schedule c = schedule(NULL);
		struct err e = ERR_INIT;

		CHECK(schedule_has_key(table[i][0]));
		CHECK(schedule_set(&c, table[i][0], table[i][1], &e) == -1);
		CHECK(e.kind == ERR_CONFIG);
		/* The caller says which key. */
		if (strstr(e.msg, table[i][2]) == NULL ||
		    strstr(e.msg, "window: ") != NULL) {
			fprintf(stderr, "%s\n", e.msg);
			check_failures++;
		}
	}
	CHECK(!schedule_has_key("bwlimit"));
}

static void
every_reason_has_a_name(void)
{
	unsigned why;

	for (why = 0; why <= SCHEDULE_HELD; why++)
		CHECK(schedule_why_name((enum schedule_why)why)[0] != '\0');
}

int
main(void)
{
	RUN(a_day_of_every_15_minutes_has_96_runs);
	RUN(a_run_that_takes_longer_leaves_some_out);
	RUN(a_year_of_nights_follows_the_clock_on_the_wall);
	RUN(without_a_schedule_it_runs_by_hand_only);
	RUN(missed_runs_are_made_up_for_once);
	RUN(a_run_that_died_goes_on);
	RUN(a_window_cuts_a_run_that_goes_on_the_next_night);
	RUN(what_is_due_waits_for_a_window);
	RUN(failures_wait_longer_each_time_and_end_in_a_hold);
	RUN(success_forgets_failures_and_hopeless_holds_at_once);
	RUN(a_cancelled_run_waits_for_the_schedule);
	RUN(runs_for_changes_use_no_time_of_the_schedule_up);
	RUN(changes_wait_for_a_window_and_while_paused);
	RUN(the_delay_is_the_tasks_own);
	RUN(a_clock_that_jumps_makes_no_storm_and_no_stall);
	RUN(a_clock_that_is_put_back_a_little_repeats_nothing);
	RUN(a_retry_is_never_further_away_than_an_hour);
	RUN(values_that_make_no_sense_are_refused);
	RUN(every_reason_has_a_name);
	return check_end();
}
