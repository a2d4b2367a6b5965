/* SPDX-License-Identifier: ISC */
/* Orders, notices and replays of an outbox; who owns it. */
#include "config.h"

#include <string.h>

#include "agent/events/outbox_notice.h"
#include "agent/events/outbox_replay.h"
#include "base/jdoc.h"
#include "tests/unit/outbox_at.h"

static void
fails(struct fixture *f, struct outbox_delivery *d, int64_t next_ms)
{
	CHECK(outbox_retry(f->box, &f->sub, d, &bad, next_ms, &f->e) == 0);
	outbox_delivery_clear(d);
}

static void
strict_order_holds_the_whole_queue(void)
{
	struct fixture f;
	struct outbox_delivery d, none;
	uint64_t a, b, c;

	begin_with(&f, OUTBOX_STRICT);
	a = happens(&f, "a", false);
	b = happens(&f, "b", false);
	c = happens(&f, "run", true);
	CHECK_UINT(route(&f), 3);
	CHECK(claim(&f, 1, &d) == a);
	CHECK(claim(&f, 1, &none) == 0);
	fails(&f, &d, 5000);
	CHECK(claim(&f, 4999, &none) == 0);
	CHECK(claim(&f, 5000, &d) == a);
	arrives(&f, &d);
	CHECK(claim(&f, 5000, &d) == b);
	/* What can't be delivered lets the next one go. */
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(claim(&f, 5000, &d) == c);
	arrives(&f, &d);
	CHECK_UINT(f.sub.live, 0);
	end(&f);
}

static void
without_order_only_the_end_of_a_run_waits(void)
{
	struct fixture f;
	struct outbox_delivery a1, a2, over;
	uint64_t last;

	begin_with(&f, OUTBOX_NONE);
	happens(&f, "a", false);
	happens(&f, "a", false);
	last = happens(&f, "run", true);
	CHECK_UINT(route(&f), 3);
	CHECK(claim(&f, 1, &a1) != 0 && claim(&f, 1, &a2) != 0);
	CHECK(claim(&f, 1, &over) == 0);
	arrives(&f, &a2);
	CHECK(claim(&f, 1, &over) == 0);
	arrives(&f, &a1);
	CHECK(claim(&f, 1, &over) == last);
	arrives(&f, &over);
	end(&f);
}

static void
another_order_is_for_what_waits_already(void)
{
	struct fixture f;
	struct outbox_delivery d, none;
	uint64_t a, b;

	begin_with(&f, OUTBOX_NONE);
	a = happens(&f, "a", false);
	b = happens(&f, "b", false);
	happens(&f, "a", false);
	CHECK_UINT(route(&f), 3);
	f.ordering = OUTBOX_STRICT;
	close_all(&f);
	open_all(&f);
	CHECK(claim(&f, 1, &d) == a);
	CHECK(claim(&f, 1, &none) == 0);
	outbox_delivery_clear(&d);
	f.ordering = OUTBOX_KEY;
	close_all(&f);
	open_all(&f);
	CHECK(claim(&f, 1, &d) == a);
	CHECK(claim(&f, 1, &none) == b);
	outbox_delivery_clear(&none);
	CHECK(claim(&f, 1, &none) == 0);
	outbox_delivery_clear(&d);
	end(&f);
}

static void
an_outbox_has_one_owner(void)
{
	struct fixture f;
	struct outbox *other;

	begin(&f);
	other = outbox_open(f.task, true, &f.e);
	CHECK(outbox_own(f.box, &f.e) == 1 && outbox_own(f.box, &f.e) == 1);
	CHECK(outbox_own(other, &f.e) == 0);
	outbox_changed(f.box, &f.e);
	CHECK(outbox_changed(f.box, &f.e) == 0);
	CHECK(outbox_begin(other, &f.e) == 0);
	CHECK(outbox_unsubscribe(other, "s", &f.e) == 0);
	CHECK(outbox_commit(other, &f.e) == 0);
	CHECK(outbox_changed(f.box, &f.e) == 1);
	outbox_close(f.box);
	CHECK(outbox_own(other, &f.e) == 1);
	f.box = other;
	end(&f);
}

static void
who_is_removed_begins_anew(void)
{
	struct fixture f;
	uint64_t n;

	begin(&f);
	happens(&f, "a", false);
	happens(&f, "b", false);
	route(&f);
	CHECK_UINT(f.sub.live, 2);
	CHECK(outbox_unsubscribe(f.box, "s", &f.e) == 0);
	n = happens(&f, "c", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(outbox_subscribe(
		  f.box, "s", OUTBOX_KEY, OUTBOX_START_NOW, &f.sub, &f.e) == 0);
	CHECK(f.sub.live == 0 && f.sub.routed == n && !f.sub.removed);
	end(&f);
}

struct told {
	unsigned n;
	char body[2000];
};

static int
note(void *arg, const struct outbox_event *event, struct err *e)
{
	struct told *t = arg;

	(void)e;
	t->n++;
	snprintf(t->body, sizeof(t->body), "%s", event->body);
	return 0;
}

static void
the_others_are_told_once_an_hour_what_was_given_up(void)
{
	struct fixture f;
	struct outbox_sub other;
	struct outbox_delivery d = {.seq = 7, .attempts = 3};
	struct outbox_notice n = {.task = "t", .reason = "permanent"};
	struct told t = {.n = 0};
	unsigned seen;
	int64_t hour = 3600000;

	begin(&f);
	CHECK(outbox_subscribe(f.box, "o", OUTBOX_KEY, 0, &other, &f.e) == 0);
	n.about = &f.sub;
	n.now_ms = 1000 * hour;
	CHECK(outbox_notice_dead(f.box, &n, &d, 400, &f.e) == 0);
	CHECK(outbox_notice_dead(f.box, &n, &d, 400, &f.e) == 0);
	n.now_ms += hour - 1;
	CHECK(outbox_notice_dead(f.box, &n, &d, 400, &f.e) == 0);
	CHECK(outbox_notices(f.box, 0, note, &t, &f.e) == 0 && t.n == 1);
	CHECK(strstr(t.body, "\"type\":\"dray.delivery.dead.v1\"") != NULL);
	CHECK(strstr(t.body, "\"event\":\"evt_00000000000000000007\"") != NULL);
	n.now_ms += 1;
	CHECK(outbox_notice_dead(f.box, &n, &d, 400, &f.e) == 0);
	CHECK(outbox_notice_stopped(f.box, &n, "disabled", &f.e) == 0);
	CHECK(outbox_has_news(f.box, &other, &f.e) == 1);
	CHECK(outbox_route(f.box, &other, &everything, &seen, &f.e) == 0);
	CHECK_UINT(other.live, 3);
	/* Not whom they are about. */
	CHECK(outbox_route(f.box, &f.sub, &everything, &seen, &f.e) == 0);
	CHECK_UINT(f.sub.live, 0);
	CHECK(outbox_has_news(f.box, &f.sub, &f.e) == 0);
	/* They go as events do. */
	f.sub = other;
	CHECK(claim(&f, 1, &d) >= (UINT64_C(1) << 62));
	CHECK(strstr(d.body, "delivery.dead") != NULL);
	arrives(&f, &d);
	/* What somebody waits for is kept. */
	CHECK(outbox_notice_prune(f.box, INT64_MAX, &f.e) == 0);
	t.n = 0;
	CHECK(outbox_notices(f.box, 0, note, &t, &f.e) == 0 && t.n == 2);
	end(&f);
}

/* Deliveries of R's, as numbers in *SEQS; how many. */
static unsigned
replayed(struct fixture *f, const struct outbox_replay *r, uint64_t *seqs)
{
	struct outbox_routing how = everything;
	struct outbox_delivery d;
	unsigned seen, n = 0;

	how.until = r->until;
	how.fresh = true;
	how.now_ms = 77;
	CHECK(outbox_resume(f->box, r->id, OUTBOX_KEY, &f->sub, &f->e) == 0);
	CHECK_STR(f->sub.replay, r->name);
	CHECK(outbox_route(f->box, &f->sub, &how, &seen, &f->e) == 0);
	while (claim(f, 77, &d) != 0) {
		CHECK_UINT(d.since_ms, 77);
		seqs[n++] = d.seq;
		arrives(f, &d);
	}
	CHECK(outbox_sub_save(f->box, &f->sub, &f->e) == 0);
	return n;
}

static void
a_replay_is_a_cursor_with_an_end(void)
{
	struct fixture f;
	AUTO(outbox_replay) struct outbox_replay r = {.id = 0};
	struct outbox_replay plan = {
	    .sub = "s", .name = "r", .to_ms = INT64_MAX, .made_us = 5};
	uint64_t a, b, n = 0, seqs[10];

	begin(&f);
	CHECK(outbox_replay_add(f.box, &plan, &n, &f.e) == 0 && n == 0);
	a = happens(&f, "a", false);
	b = happens(&f, "b", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(outbox_replay_add(f.box, &plan, &n, &f.e) == 0 && n == 2);
	CHECK(outbox_replay_add(f.box, &plan, &n, &f.e) == -1);
	CHECK(f.e.kind == ERR_EXISTS);
	/* What happens later is not in it. */
	happens(&f, "c", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(outbox_replay_next(f.box, 0, &r, &f.e) == 1);
	CHECK_STR(r.state, "active");
	CHECK(r.until == b && r.made_us == 5);
	CHECK_UINT(replayed(&f, &r, seqs), 2);
	CHECK(seqs[0] == a && seqs[1] == b);
	CHECK(outbox_replay_end(f.box, r.id, "done", &f.e) == 0);
	CHECK(outbox_replay_end(f.box, r.id, "cancelled", &f.e) == 0);
	CHECK(outbox_replay_next(f.box, 0, &r, &f.e) == 1);
	CHECK_STR(r.state, "done");
	CHECK(outbox_replay_next(f.box, r.id, &r, &f.e) == 0);
	end(&f);
}

static void
a_replay_and_its_subscription_don_t_wait_for_each_other(void)
{
	struct fixture f;
	AUTO(outbox_replay) struct outbox_replay r = {.id = 0};
	struct outbox_replay plan = {
	    .sub = "s", .name = "r", .to_ms = INT64_MAX};
	struct outbox_sub live;
	struct outbox_delivery d;
	uint64_t a, n = 0, seqs[10];

	begin(&f);
	a = happens(&f, "a", false);
	route(&f);
	CHECK(claim(&f, 1, &d) == a);
	live = f.sub;
	CHECK(outbox_replay_add(f.box, &plan, &n, &f.e) == 0 && n == 1);
	CHECK(outbox_replay_next(f.box, 0, &r, &f.e) == 1);
	CHECK_UINT(replayed(&f, &r, seqs), 1);
	f.sub = live;
	arrives(&f, &d);
	CHECK_UINT(f.sub.live, 0);
	end(&f);
}

static void
what_waits_is_told(void)
{
	struct fixture f;
	struct outbox_delivery d;
	struct outbox_status st;

	begin(&f);
	CHECK(outbox_status(f.box, &f.sub, &st, &f.e) == 0);
	CHECK(st.waiting == 0 && st.lag == 0 && st.oldest_ms == 0);
	happens(&f, "a", false);
	happens(&f, "b", false);
	route(&f);
	happens(&f, "c", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(claim(&f, 1, &d) != 0);
	fails(&f, &d, 5000);
	CHECK(outbox_status(f.box, &f.sub, &st, &f.e) == 0);
	CHECK(st.waiting == 2 && st.retrying == 1 && st.lag == 1);
	CHECK(st.oldest_ms > 0);
	end(&f);
}

static void
letters_are_chosen_by_whom_and_why(void)
{
	struct outbox_choice why = {.reason = "max_age"}, who = {.sub = "o"};
	struct outbox_choice all_of_s = {.sub = "s"};
	struct fixture f;
	struct outbox_delivery d;
	uint64_t n;

	begin(&f);
	happens(&f, "a", false);
	happens(&f, "b", false);
	route(&f);
	CHECK(claim(&f, 1, &d) != 0);
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "max_age", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(claim(&f, 1, &d) != 0);
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(outbox_redrive(f.box, &who, 50, 0, &n, &f.e) == 0 && n == 0);
	CHECK(outbox_redrive(f.box, &why, 50, 0, &n, &f.e) == 0 && n == 1);
	/* It is young again. */
	CHECK(claim(&f, 50, &d) != 0);
	CHECK(d.since_ms == 50 && d.attempts == 1);
	arrives(&f, &d);
	CHECK(outbox_dead_drop(f.box, &all_of_s, &n, &f.e) == 0 && n == 1);
	end(&f);
}

int
main(void)
{
	RUN(strict_order_holds_the_whole_queue);
	RUN(without_order_only_the_end_of_a_run_waits);
	RUN(another_order_is_for_what_waits_already);
	RUN(an_outbox_has_one_owner);
	RUN(who_is_removed_begins_anew);
	RUN(the_others_are_told_once_an_hour_what_was_given_up);
	RUN(a_replay_is_a_cursor_with_an_end);
	RUN(a_replay_and_its_subscription_don_t_wait_for_each_other);
	RUN(what_waits_is_told);
	RUN(letters_are_chosen_by_whom_and_why);
	return check_end();
}
