/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/events/outbox_keep.h"
#include "tests/unit/outbox_at.h"

static void
an_event_is_there_only_if_its_transaction_is(void)
{
	struct fixture f;
	uint64_t first;

	begin(&f);
	happens(&f, "a", false);
	ledger_rollback(f.ledger);
	ledger_accept(f.ledger);
	CHECK_UINT(route(&f), 0);
	first = happens(&f, "a", false);
	CHECK(outbox_has_news(f.box, &f.sub, &f.e) == 0);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(outbox_has_news(f.box, &f.sub, &f.e) == 1);
	CHECK_UINT(route(&f), 1);
	CHECK(f.sub.routed == first);
	end(&f);
}

static void
numbers_only_grow(void)
{
	struct fixture f;
	uint64_t first, second, third;
	uint64_t now_us = (uint64_t)(clock_wall_ns() / 1000);

	begin(&f);
	first = happens(&f, "a", false);
	second = happens(&f, "a", false);
	CHECK(first > now_us && second == first + 1);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	close_all(&f);
	/* The ledger is lost; what was delivered isn't. */
	tree_clear(f.dir_fd);
	open_all(&f);
	third = happens(&f, "a", false);
	CHECK(third > second);
	end(&f);
}

static void
one_key_goes_in_order(void)
{
	struct fixture f;
	struct outbox_delivery d1, d2, d3;
	uint64_t a1, a2, b1;

	begin(&f);
	a1 = happens(&f, "a", false);
	a2 = happens(&f, "a", false);
	b1 = happens(&f, "b", false);
	CHECK_UINT(route(&f), 3);
	CHECK(claim(&f, 1, &d1) == a1);
	CHECK_STR(d1.body, "{}");
	CHECK_UINT(d1.attempts, 1);
	CHECK(claim(&f, 1, &d2) == b1);
	CHECK(claim(&f, 1, &d3) == 0);
	CHECK(outbox_retry(f.box, &f.sub, &d1, &bad, 5000, &f.e) == 0);
	outbox_delivery_clear(&d1);
	arrives(&f, &d2);
	CHECK(claim(&f, 4999, &d1) == 0);
	CHECK_UINT(outbox_due(f.box, &f.sub, &f.e), 5000);
	CHECK(claim(&f, 5000, &d1) == a1);
	CHECK_UINT(d1.attempts, 2);
	arrives(&f, &d1);
	CHECK(claim(&f, 5000, &d1) == a2);
	arrives(&f, &d1);
	CHECK_UINT(outbox_due(f.box, &f.sub, &f.e), 0);
	CHECK_UINT(f.sub.live, 0);
	CHECK_UINT(f.sub.delivered, 3);
	end(&f);
}

static void
the_end_of_a_run_goes_last(void)
{
	struct fixture f;
	struct outbox_delivery a, b, over;
	uint64_t last;

	begin(&f);
	happens(&f, "a", false);
	happens(&f, "b", false);
	last = happens(&f, "run", true);
	CHECK_UINT(route(&f), 3);
	CHECK(claim(&f, 1, &a) != 0 && claim(&f, 1, &b) != 0);
	CHECK(claim(&f, 1, &over) == 0);
	arrives(&f, &b);
	CHECK(claim(&f, 1, &over) == 0);
	/* What is dead isn't waited for. */
	CHECK(outbox_dead(f.box, &f.sub, &a, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&a);
	CHECK(claim(&f, 1, &over) == last);
	arrives(&f, &over);
	end(&f);
}

static void
what_was_under_way_is_sent_again(void)
{
	struct fixture f;
	struct outbox_delivery d;
	uint64_t a1;

	begin(&f);
	a1 = happens(&f, "a", false);
	route(&f);
	CHECK(claim(&f, 1, &d) == a1);
	outbox_delivery_clear(&d);
	close_all(&f);
	open_all(&f);
	CHECK_UINT(f.sub.live, 1);
	CHECK(claim(&f, 1, &d) == a1);
	CHECK_UINT(d.attempts, 2);
	arrives(&f, &d);
	end(&f);
}

static int
count_letters(void *arg, const struct outbox_letter *l, struct err *e)
{
	unsigned *n = arg;

	(void)e;
	CHECK_STR(l->sub, "s");
	++*n;
	return 0;
}

static void
dead_letters_are_kept_and_driven_again(void)
{
	struct fixture f;
	struct outbox_delivery d;
	struct outbox_choice any = {.seq = 0}, another;
	unsigned letters = 0, attempts = 0;
	uint64_t a1, kept = 0, n = 0;

	begin(&f);
	a1 = happens(&f, "a", false);
	route(&f);
	another = (struct outbox_choice){.seq = a1 + 1};
	CHECK(claim(&f, 1, &d) == a1);
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK_UINT(f.sub.dead, 1);
	CHECK(outbox_sub_save(f.box, &f.sub, &f.e) == 0);
	CHECK(outbox_dead_letters(f.box, &any, count_letters, &letters, &f.e) ==
	    0);
	CHECK(
	    outbox_attempts(f.box, &any, count_letters, &attempts, &f.e) == 0);
	CHECK(letters == 1 && attempts == 1);
	CHECK(outbox_keep_referred(f.box, 0, 0, &kept, &f.e) == 0);
	CHECK_UINT(kept, a1);
	CHECK(outbox_redrive(f.box, &another, 1, 0, &n, &f.e) == 0 && n == 0);
	CHECK(outbox_redrive(f.box, &any, 1, 0, &n, &f.e) == 0 && n == 1);
	CHECK(claim(&f, 1, &d) == a1);
	CHECK_UINT(d.attempts, 1);
	arrives(&f, &d);
	CHECK(outbox_keep_referred(f.box, 0, 0, &kept, &f.e) == 0);
	CHECK_UINT(kept, INT64_MAX);
	end(&f);
}

static void
the_end_of_a_run_is_driven_again_last(void)
{
	struct fixture f;
	struct outbox_delivery d;
	struct outbox_choice any = {.seq = 0};
	uint64_t file, over, n = 0;

	begin(&f);
	file = happens(&f, "a", false);
	over = happens(&f, "run", true);
	route(&f);
	CHECK(claim(&f, 1, &d) == file);
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(claim(&f, 1, &d) == over);
	CHECK(outbox_dead(f.box, &f.sub, &d, &bad, "permanent", &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(outbox_sub_save(f.box, &f.sub, &f.e) == 0);
	CHECK(outbox_redrive(f.box, &any, 1, 0, &n, &f.e) == 0 && n == 2);
	CHECK(claim(&f, 1, &d) == file);
	outbox_delivery_clear(&d);
	CHECK(claim(&f, 1, &d) == 0);
	end(&f);
}

static int
count_dead(void *arg, const struct outbox_event *event, struct err *e)
{
	(void)e;
	CHECK(strstr(event->body, ".delivery.dead.") != NULL);
	CHECK(strstr(event->body, "\"reason\":\"lost\"") != NULL);
	++*(unsigned *)arg;
	return 0;
}

static void
what_went_with_a_lost_ledger_is_dead(void)
{
	struct fixture f;
	struct outbox_delivery d;
	char path[4300];
	unsigned notices = 0;
	uint64_t a2;

	begin(&f);
	happens(&f, "a", false);
	route(&f);
	close_all(&f);
	snprintf(path, sizeof(path), "%s/ledger.db", f.task);
	CHECK(unlink(path) == 0);
	open_all(&f);
	a2 = happens(&f, "a", false);
	route(&f);
	CHECK(claim(&f, 1, &d) == a2);
	CHECK_UINT(f.sub.dead, 1);
	CHECK(outbox_notices(f.box, 0, count_dead, &notices, &f.e) == 0);
	CHECK_UINT(notices, 1);
	arrives(&f, &d);
	end(&f);
}

static void
a_subscription_begins_where_it_is_told(void)
{
	struct fixture f;
	struct outbox_sub other;
	unsigned seen;

	begin(&f);
	happens(&f, "a", false);
	route(&f);
	CHECK(outbox_subscribe(
		  f.box, "other", OUTBOX_KEY, f.sub.routed, &other, &f.e) == 0);
	CHECK(outbox_route(f.box, &other, &everything, &seen, &f.e) == 0);
	CHECK_UINT(seen, 0);
	happens(&f, "a", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(outbox_route(f.box, &other, &everything, &seen, &f.e) == 0);
	CHECK_UINT(seen, 1);
	end(&f);
}

static void
no_subscription_begins_behind_the_last_event(void)
{
	struct fixture f;
	struct outbox_sub other;
	uint64_t newest;

	begin(&f);
	happens(&f, "a", false);
	route(&f);
	CHECK(outbox_subscribe(f.box, "other", OUTBOX_KEY, UINT64_MAX - 1,
		  &other, &f.e) == 0);
	CHECK_UINT(other.routed, f.sub.routed);
	CHECK(outbox_newest(f.box, &newest, &f.e) == 0);
	CHECK_UINT(newest, f.sub.routed);
	end(&f);
}

int
main(void)
{
	RUN(an_event_is_there_only_if_its_transaction_is);
	RUN(numbers_only_grow);
	RUN(one_key_goes_in_order);
	RUN(the_end_of_a_run_goes_last);
	RUN(what_was_under_way_is_sent_again);
	RUN(dead_letters_are_kept_and_driven_again);
	RUN(the_end_of_a_run_is_driven_again_last);
	RUN(what_went_with_a_lost_ledger_is_dead);
	RUN(a_subscription_begins_where_it_is_told);
	RUN(no_subscription_begins_behind_the_last_event);
	return check_end();
}
