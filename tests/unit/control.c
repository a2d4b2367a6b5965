/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/control.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static void
age_stands_still_in_times_of_rest(void)
{
	struct control_entry c = {
	    .idle = {{.from_ms = 200, .to_ms = 300},
		{.from_ms = 50, .to_ms = 110}},
	    .idle_n = 2,
	};

	CHECK_UINT(control_age_ms(&c, 400, 500), 100);
	CHECK_UINT(control_age_ms(&c, 100, 500), 400 - 100 - 10);
	CHECK_UINT(control_age_ms(&c, 250, 500), 200);
	CHECK_UINT(control_age_ms(&c, 220, 260), 0);
	CHECK_UINT(control_age_ms(&c, 0, 40), 40);
	CHECK_UINT(control_age_ms(&c, 500, 400), 0);
	/* It still rests. */
	c.idle[0].to_ms = 0;
	CHECK_UINT(control_age_ms(&c, 150, 100000), 50);
}

static void
what_nobody_decided_is_active(void)
{
	int fd = tree_begin();
	struct control_entry entry;
	struct err e = ERR_INIT;
	AUTO(control) struct control *c = control_open(tree_path, false, &e);

	CHECK(c != NULL && control_changed(c, &e) == 0);
	CHECK(control_get(c, "x", &entry, &e) == 0);
	CHECK(entry.state == CONTROL_ACTIVE && entry.idle_n == 0);
	tree_end(fd);
}

static void
decisions_stay_and_are_seen_by_others(void)
{
	int fd = tree_begin();
	struct control_entry entry;
	struct err e = ERR_INIT;
	AUTO(control) struct control *a = control_open(tree_path, true, &e);
	AUTO(control) struct control *b = control_open(tree_path, false, &e);

	CHECK(a != NULL && b != NULL);
	control_changed(b, &e);
	CHECK(control_changed(b, &e) == 0);
	CHECK(control_set(a, "x", CONTROL_PAUSED, "by hand", 100, &e) == 1);
	CHECK(control_changed(b, &e) == 1);
	CHECK(control_changed(b, &e) == 0);
	CHECK(control_get(b, "x", &entry, &e) == 0);
	CHECK(entry.state == CONTROL_PAUSED && entry.since_ms == 100);
	CHECK_STR(entry.reason, "by hand");
	CHECK(entry.idle_n == 1 && entry.idle[0].to_ms == 0);
	/* The same once more changes nothing. */
	CHECK(control_set(a, "x", CONTROL_PAUSED, "again", 150, &e) == 1);
	CHECK(control_get(b, "x", &entry, &e) == 0);
	CHECK(entry.since_ms == 100);
	/* Disabled is more than paused; the rest goes on. */
	CHECK(control_set(a, "x", CONTROL_DISABLED, "gone", 200, &e) == 1);
	CHECK(control_set(a, "x", CONTROL_PAUSED, "", 250, &e) == 0);
	CHECK(control_set(a, "x", CONTROL_ACTIVE, "", 300, &e) == 1);
	CHECK(control_get(b, "x", &entry, &e) == 0);
	CHECK(entry.state == CONTROL_ACTIVE && entry.idle_n == 1);
	CHECK(entry.idle[0].from_ms == 100 && entry.idle[0].to_ms == 300);
	CHECK(control_get(b, "y", &entry, &e) == 0 && entry.since_ms == 0);
	tree_end(fd);
}

static void
a_new_state_begins_a_new_series_of_failures(void)
{
	int fd = tree_begin();
	struct control_entry entry;
	struct err e = ERR_INIT;
	AUTO(control) struct control *c = control_open(tree_path, true, &e);

	CHECK(control_failing(c, "x", 77, &e) == 0);
	CHECK(control_get(c, "x", &entry, &e) == 0);
	CHECK_UINT(entry.fail_since_ms, 77);
	CHECK(control_set(c, "x", CONTROL_DISABLED, "gone", 100, &e) == 1);
	CHECK(control_get(c, "x", &entry, &e) == 0);
	CHECK_UINT(entry.fail_since_ms, 0);
	tree_end(fd);
}

static void
only_the_last_times_of_rest_are_kept(void)
{
	int fd = tree_begin();
	struct control_entry entry;
	struct err e = ERR_INIT;
	AUTO(control) struct control *c = control_open(tree_path, true, &e);
	int i;

	for (i = 0; i < CONTROL_IDLE_MAX + 10; i++) {
		CHECK(control_set(c, "x", CONTROL_PAUSED, "", 10 * i + 1, &e) ==
		    1);
		CHECK(control_set(c, "x", CONTROL_ACTIVE, "", 10 * i + 5, &e) ==
		    1);
	}
	CHECK(control_get(c, "x", &entry, &e) == 0);
	CHECK_UINT(entry.idle_n, CONTROL_IDLE_MAX);
	CHECK_UINT(entry.idle[0].from_ms, 10 * (CONTROL_IDLE_MAX + 9) + 1);
	tree_end(fd);
}

int
main(void)
{
	RUN(age_stands_still_in_times_of_rest);
	RUN(what_nobody_decided_is_active);
	RUN(decisions_stay_and_are_seen_by_others);
	RUN(a_new_state_begins_a_new_series_of_failures);
	RUN(only_the_last_times_of_rest_are_kept);
	return check_end();
}
