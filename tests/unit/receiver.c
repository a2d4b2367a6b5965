/* SPDX-License-Identifier: ISC */
/* The state machine of a receiver, by a clock that is told. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/events/receiver.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define SECOND 1000
#define HOUR (3600 * INT64_C(1000))

/* A receiver, and the time. */
struct rig {
	struct subscription *s;
	struct receiver r;
	int64_t now;
	uint64_t mono;
};

static void
begin(struct rig *g, const char *const settings[][2])
{
	struct err e = ERR_INIT;

	g->s = subscription_new("x", &e);
	CHECK(subscription_set(g->s, "url", "https://h/", &e) == 0);
	for (; settings != NULL && (*settings)[0] != NULL; settings++)
		CHECK(subscription_set(
			  g->s, (*settings)[0], (*settings)[1], &e) == 0);
	CHECK(subscription_finish(g->s, &e) == 0);
	receiver_init(&g->r, g->s, NULL);
	g->now = 1000 * HOUR;
	g->mono = 5000;
}

static void
end(struct rig *g)
{
	subscription_free(g->s);
}

static void
wait_ms(struct rig *g, int64_t ms)
{
	g->now += ms;
	g->mono += (uint64_t)ms;
}

static unsigned
room(struct rig *g)
{
	return receiver_room(&g->r, g->now, g->mono);
}

/* One request whose answer is STATUS; true if the receiver stops. */
static bool
answer(struct rig *g, int status)
{
	struct policy_answer a = {.status = status};
	struct policy_verdict v =
	    policy_judge(&g->s->policy, &a, 1, 0, UINT64_C(1) << 40);

	CHECK(receiver_take(&g->r, g->mono));
	receiver_give_back(&g->r);
	return receiver_judge(&g->r, &v, g->now, 0);
}

static void
no_more_requests_than_it_may_have(void)
{
	struct rig g;
	unsigned i;

	begin(&g, NULL);
	CHECK_UINT(room(&g), 16);
	for (i = 0; i < 16; i++)
		CHECK(receiver_take(&g.r, g.mono));
	CHECK_UINT(room(&g), 0);
	receiver_give_back(&g.r);
	CHECK_UINT(room(&g), 1);
	end(&g);
}

static void
a_rate_holds_on_average_and_a_burst_at_once(void)
{
	static const char *const settings[][2] = {{"rate", "10"},
	    {"burst", "3"}, {"concurrency", "200"}, {NULL, NULL}};
	struct rig g;
	unsigned sent = 0, i;

	begin(&g, settings);
	CHECK_UINT(room(&g), 3);
	for (i = 0; i < 1000; i++, wait_ms(&g, 10))
		for (; room(&g) > 0; sent++) {
			CHECK(receiver_take(&g.r, g.mono));
			receiver_give_back(&g.r);
		}
	/* Ten seconds of ten, and those three. */
	CHECK(sent >= 101 && sent <= 103);
	wait_ms(&g, HOUR);
	CHECK_UINT(room(&g), 3);
	end(&g);
}

static void
an_open_breaker_lets_one_through_at_a_time(void)
{
	struct rig g;
	unsigned i;

	begin(&g, NULL);
	for (i = 0; i < 4; i++)
		answer(&g, 500);
	CHECK_UINT(room(&g), 16);
	answer(&g, 500);
	CHECK_UINT(room(&g), 0);
	CHECK_UINT(shared_read(&g.r.shared).opens, 1);
	/* Those that were up by then don't open it further. */
	answer(&g, 500);
	CHECK_UINT(shared_read(&g.r.shared).opens, 1);
	wait_ms(&g, SECOND);
	CHECK_UINT(room(&g), 1);
	CHECK(receiver_take(&g.r, g.mono));
	CHECK_UINT(room(&g), 0);
	receiver_give_back(&g.r);
	answer(&g, 500);
	CHECK_UINT(shared_read(&g.r.shared).opens, 2);
	CHECK_UINT(room(&g), 0);
	wait_ms(&g, 2 * SECOND);
	answer(&g, 204);
	CHECK_UINT(room(&g), 16);
	CHECK_UINT(shared_read(&g.r.shared).opens, 0);
	end(&g);
}

static void
without_a_breaker_failures_hold_nothing(void)
{
	static const char *const settings[][2] = {
	    {"breaker-after", "0"}, {NULL, NULL}};
	struct rig g;
	unsigned i;

	begin(&g, settings);
	for (i = 0; i < 100; i++)
		answer(&g, 500);
	CHECK_UINT(room(&g), 16);
	end(&g);
}

static void
a_wrong_message_is_not_its_failure(void)
{
	struct rig g;
	unsigned i;

	begin(&g, NULL);
	for (i = 0; i < 4; i++)
		answer(&g, 500);
	answer(&g, 400);
	answer(&g, 500);
	CHECK_UINT(room(&g), 16);
	end(&g);
}

static void
failing_for_too_long_disables_it(void)
{
	struct rig g;

	begin(&g, NULL);
	CHECK(!answer(&g, 500));
	wait_ms(&g, 120 * HOUR);
	CHECK(!answer(&g, 500));
	wait_ms(&g, 1);
	CHECK(answer(&g, 500));
	CHECK(g.r.undecided && g.r.control.state == CONTROL_DISABLED);
	CHECK_STR(g.r.control.reason, "failing too long");
	CHECK_UINT(room(&g), 0);
	/* It is told once. */
	CHECK(!answer(&g, 500));
	end(&g);
}

static void
one_success_begins_a_new_series(void)
{
	struct rig g;

	begin(&g, NULL);
	answer(&g, 500);
	wait_ms(&g, 119 * HOUR);
	answer(&g, 204);
	answer(&g, 500);
	wait_ms(&g, 2 * HOUR);
	CHECK(!answer(&g, 500));
	end(&g);
}

static void
a_series_goes_on_from_what_is_known(void)
{
	struct control_entry known = {.state = CONTROL_ACTIVE};
	struct rig g;

	begin(&g, NULL);
	known.fail_since_ms = g.now - 121 * HOUR;
	receiver_decided(&g.r, &known);
	CHECK(answer(&g, 500));
	end(&g);
}

static void
gone_is_disabled_at_once(void)
{
	struct control_entry again = {.state = CONTROL_ACTIVE};
	struct rig g;

	begin(&g, NULL);
	CHECK(answer(&g, 410));
	CHECK_STR(g.r.control.reason, "gone");
	CHECK_UINT(room(&g), 0);
	/* What isn't written yet counts more than what was read. */
	receiver_decided(&g.r, &again);
	CHECK_UINT(room(&g), 0);
	g.r.undecided = false;
	receiver_decided(&g.r, &again);
	CHECK_UINT(room(&g), 16);
	end(&g);
}

static void
a_pause_holds_and_ends_all(void)
{
	struct control_entry paused = {.state = CONTROL_PAUSED};
	struct control_entry active = {.state = CONTROL_ACTIVE};
	struct rig g;
	unsigned i;

	begin(&g, NULL);
	for (i = 0; i < 5; i++)
		answer(&g, 500);
	receiver_decided(&g.r, &paused);
	wait_ms(&g, HOUR);
	CHECK_UINT(room(&g), 0);
	/* Whoever resumes it doesn't wait for the breaker. */
	receiver_decided(&g.r, &active);
	CHECK_UINT(room(&g), 16);
	end(&g);
}

static void
retry_after_holds_all_of_them(void)
{
	struct policy_answer a = {.status = 429, .retry_after_ms = 5000};
	struct policy_verdict v;
	struct rig g;

	begin(&g, NULL);
	v = policy_judge(&g.s->policy, &a, 1, 0, 0);
	receiver_judge(&g.r, &v, g.now, 0);
	wait_ms(&g, 4999);
	CHECK_UINT(room(&g), 0);
	wait_ms(&g, 1);
	CHECK_UINT(room(&g), 16);
	end(&g);
}

/* As another process's, of the same subscription. */
static struct receiver *
open_in(struct rig *g, const char *dir, uint64_t receiver)
{
	struct err e = ERR_INIT;

	CHECK(shared_open(&g->r.shared, dir, "x", receiver, &e) == 0);
	return &g->r;
}

static void
processes_share_places(void)
{
	static const char *const settings[][2] = {
	    {"concurrency", "100"}, {NULL, NULL}};
	int fd = tree_begin();
	struct rig a, b;
	unsigned i;

	begin(&a, settings);
	begin(&b, settings);
	open_in(&a, tree_path, 1);
	open_in(&b, tree_path, 1);
	for (i = 0; i < 90; i++)
		CHECK(receiver_take(&a.r, a.mono));
	for (i = 0; i < 10; i++)
		CHECK(receiver_take(&b.r, b.mono));
	CHECK(!receiver_take(&b.r, b.mono) && !receiver_take(&a.r, a.mono));
	CHECK_UINT(room(&b), 0); /* it doesn't ask all the time */
	receiver_give_back(&a.r);
	wait_ms(&b, 20);
	CHECK(room(&b) > 0 && receiver_take(&b.r, b.mono));
	CHECK(!receiver_take(&b.r, b.mono));
	/* Whoever dies gives them back. */
	shared_close(&a.r.shared);
	for (i = 0; i < 89; i++)
		CHECK(receiver_take(&b.r, b.mono));
	shared_close(&b.r.shared);
	end(&a);
	end(&b);
	tree_end(fd);
}

static void
processes_share_rate_and_breaker(void)
{
	static const char *const settings[][2] = {
	    {"rate", "10"}, {"burst", "4"}, {NULL, NULL}};
	int fd = tree_begin();
	struct rig a, b;
	unsigned i;

	begin(&a, settings);
	begin(&b, settings);
	open_in(&a, tree_path, 1);
	open_in(&b, tree_path, 1);
	CHECK(receiver_take(&a.r, a.mono) && receiver_take(&b.r, b.mono));
	CHECK(room(&a) == 2 && room(&b) == 2);
	receiver_take_back(&b.r); /* it was never begun */
	CHECK_UINT(room(&a), 3);
	wait_ms(&a, SECOND);
	wait_ms(&b, SECOND);
	for (i = 0; i < 3; i++)
		answer(i % 2 == 0 ? &a : &b, 500);
	wait_ms(&a, SECOND);
	wait_ms(&b, SECOND);
	answer(&b, 500);
	CHECK(room(&a) > 0);
	answer(&b, 500);
	CHECK(room(&a) == 0 && room(&b) == 0);
	/* A process that begins knows of it, but not of another receiver. */
	shared_close(&a.r.shared);
	open_in(&a, tree_path, 1);
	CHECK_UINT(room(&a), 0);
	shared_close(&a.r.shared);
	open_in(&a, tree_path, 2);
	CHECK_UINT(room(&a), 4);
	shared_close(&a.r.shared);
	shared_close(&b.r.shared);
	end(&a);
	end(&b);
	tree_end(fd);
}

static void
whoever_cuts_the_file_harms_nobody(void)
{
	static const char *const settings[][2] = {
	    {"rate", "10"}, {"burst", "4"}, {NULL, NULL}};
	int fd = tree_begin();
	char path[4200];
	struct rig a, b;

	begin(&a, settings);
	begin(&b, settings);
	open_in(&a, tree_path, 1);
	open_in(&b, tree_path, 1);
	CHECK(receiver_take(&a.r, a.mono));
	snprintf(path, sizeof(path), "%s/.receivers/x", tree_path);
	CHECK(truncate(path, 0) == 0);
	CHECK_UINT(room(&a), 3);
	/* What is known is written once more, and shared. */
	CHECK(receiver_take(&a.r, a.mono));
	CHECK(room(&a) == 2 && room(&b) == 2);
	CHECK(truncate(path, 9) == 0);
	CHECK(receiver_take(&b.r, b.mono));
	shared_close(&a.r.shared);
	shared_close(&b.r.shared);
	end(&a);
	end(&b);
	tree_end(fd);
}

static void
a_clock_that_was_wrong_holds_nothing(void)
{
	static const char *const settings[][2] = {{"rate", "10"}, {NULL, NULL}};
	struct rig g;

	begin(&g, settings);
	g.r.shared.own.hold_until_ms = g.now + 2 * HOUR;
	/* Of the time before the machine was started. */
	g.r.shared.own.spent_ns = UINT64_C(1) << 50;
	CHECK_UINT(room(&g), 10);
	CHECK(receiver_take(&g.r, g.mono));
	CHECK_UINT(room(&g), 9);
	end(&g);
}

int
main(void)
{
	RUN(no_more_requests_than_it_may_have);
	RUN(a_rate_holds_on_average_and_a_burst_at_once);
	RUN(an_open_breaker_lets_one_through_at_a_time);
	RUN(without_a_breaker_failures_hold_nothing);
	RUN(a_wrong_message_is_not_its_failure);
	RUN(failing_for_too_long_disables_it);
	RUN(one_success_begins_a_new_series);
	RUN(a_series_goes_on_from_what_is_known);
	RUN(gone_is_disabled_at_once);
	RUN(a_pause_holds_and_ends_all);
	RUN(retry_after_holds_all_of_them);
	RUN(processes_share_places);
	RUN(processes_share_rate_and_breaker);
	RUN(whoever_cuts_the_file_harms_nobody);
	RUN(a_clock_that_was_wrong_holds_nothing);
	return check_end();
}
