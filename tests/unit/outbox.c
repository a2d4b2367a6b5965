/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/outboxrig.h"

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
	uint64_t a1, needed = 0, n = 0;

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
	CHECK(outbox_needed(f.box, 0, &needed, &f.e) == 0 && needed == a1);
	CHECK(outbox_redrive(f.box, &another, 1, &n, &f.e) == 0 && n == 0);
	CHECK(outbox_redrive(f.box, &any, 1, &n, &f.e) == 0 && n == 1);
	CHECK(claim(&f, 1, &d) == a1);
	CHECK_UINT(d.attempts, 1);
	arrives(&f, &d);
	CHECK(outbox_needed(f.box, 0, &needed, &f.e) == 0 && needed == a1 + 1);
	end(&f);
}

static void
what_went_with_a_lost_ledger_is_dead(void)
{
	struct fixture f;
	struct outbox_delivery d;
	char path[4300];
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
	arrives(&f, &d);
	end(&f);
}

static void
old_events_that_nobody_needs_are_forgotten(void)
{
	struct fixture f;
	uint64_t a1;

	begin(&f);
	a1 = happens(&f, "a", false);
	happens(&f, "b", false);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	CHECK(ledger_event_forget(f.ledger, a1 + 1, 0, &f.e) == 0);
	CHECK(ledger_event_forget(f.ledger, a1 + 1, INT64_MAX, &f.e) == 0);
	CHECK_UINT(route(&f), 1);
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

/* Each event counts as 10 bytes; those of key "huge" are too large. */
static int
measure(void *arg, struct outbox_delivery *d, size_t *bytes, struct err *e)
{
	struct fixture *f = arg;

	*bytes = 10;
	return strcmp(d->key, "huge") != 0
	    ? 1
	    : outbox_dead(f->box, &f->sub, d, &bad, "too_large", e);
}

/* Takes a batch at NOW_MS: how many are in it. */
static size_t
claim_batch(struct fixture *f, int64_t now_ms, size_t events, uint64_t bytes,
    int64_t wait_ms, struct outbox_batch *out)
{
	struct outbox_limits limits = {.events = events,
	    .bytes = bytes,
	    .wait_ms = wait_ms,
	    .measure = measure,
	    .arg = f};
	int64_t later;
	int rc = outbox_claim_batch(
	    f->box, &f->sub, now_ms, &limits, out, &later, &f->e);

	CHECK(rc != -1 && (rc == 1) == (out->n > 0));
	CHECK(rc == 1 || later == 0 || later > now_ms);
	return out->n;
}

static void
settle_batch(struct fixture *f, struct outbox_batch *b, int64_t retry_ms)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (retry_ms > 0)
			CHECK(outbox_retry(f->box, &f->sub, &b->items[i], &bad,
				  retry_ms, &f->e) == 0);
		else
			CHECK(outbox_done(f->box, &f->sub, &b->items[i], &ok,
				  &f->e) == 0);
	outbox_batch_clear(b);
}

static void
a_batch_has_what_waits_for_nothing_else(void)
{
	struct fixture f;
	struct outbox_batch b, other;
	struct outbox_delivery d;
	uint64_t a1, b1, last;

	begin(&f);
	a1 = happens(&f, "a", false);
	b1 = happens(&f, "b", false);
	happens(&f, "a", false);
	happens(&f, "a", false);
	last = happens(&f, "run", true);
	route(&f);
	/* The first "a" is under way: the others can't go without it. */
	CHECK(claim(&f, 1, &d) == a1);
	CHECK(claim_batch(&f, 1, 10, 1000, 0, &b) == 1);
	CHECK(b.items[0].seq == b1);
	CHECK(claim_batch(&f, 1, 10, 1000, 0, &other) == 0);
	CHECK(outbox_retry(f.box, &f.sub, &d, &bad, 1, &f.e) == 0);
	outbox_delivery_clear(&d);
	/* Now they go together, by their numbers; the end of the run not. */
	CHECK(claim_batch(&f, 1, 10, 1000, 0, &other) == 3);
	CHECK(other.items[0].seq == a1 && other.items[2].seq == last - 1);
	CHECK_UINT(other.items[0].attempts, 2);
	CHECK_UINT(other.items[1].attempts, 1);
	settle_batch(&f, &other, 0);
	CHECK(claim(&f, 1, &d) == 0);
	settle_batch(&f, &b, 0);
	CHECK(claim_batch(&f, 1, 10, 1000, 0, &b) == 1);
	CHECK(b.items[0].seq == last);
	settle_batch(&f, &b, 0);
	CHECK_UINT(f.sub.live, 0);
	CHECK_UINT(f.sub.delivered, 5);
	end(&f);
}

static void
a_sealed_batch_stays_as_it_is(void)
{
	struct fixture f;
	struct outbox_batch b;
	uint64_t first;

	begin(&f);
	first = happens(&f, "a", false);
	happens(&f, "a", false);
	happens(&f, "b", false);
	route(&f);
	CHECK(claim_batch(&f, 1, 2, 1000, 0, &b) == 2);
	settle_batch(&f, &b, 100);
	/* Others go first, but not with it; with it goes nobody else. */
	CHECK(claim_batch(&f, 99, 9, 1000, 0, &b) == 1);
	settle_batch(&f, &b, 0);
	happens(&f, "c", false);
	route(&f);
	CHECK(claim_batch(&f, 1, 9, 1000, 0, &b) == 1);
	settle_batch(&f, &b, 200);
	CHECK(claim_batch(&f, 200, 1, 1, 0, &b) == 2);
	CHECK(b.items[0].seq == first);
	outbox_batch_clear(&b);
	/* Also after a crash. */
	close_all(&f);
	open_all(&f);
	CHECK(claim_batch(&f, 200, 1, 1, 0, &b) == 2);
	CHECK(b.items[0].seq == first && b.items[0].attempts == 3);
	/* Taken apart, they are as they were: the second waits. */
	CHECK(outbox_batch_open(f.box, &f.sub, first, 150, &f.e) == 0);
	outbox_batch_clear(&b);
	CHECK(claim_batch(&f, 150, 1, 1000, 0, &b) == 1);
	CHECK(b.items[0].seq == first && b.items[0].attempts == 1);
	settle_batch(&f, &b, 0);
	CHECK(claim_batch(&f, 150, 9, 1000, 0, &b) == 1);
	CHECK(b.items[0].seq == first + 1);
	settle_batch(&f, &b, 0);
	end(&f);
}

static void
a_batch_has_its_limits(void)
{
	struct fixture f;
	struct outbox_batch b;
	unsigned i;

	begin(&f);
	for (i = 0; i < 7; i++)
		happens(&f, i % 2 == 0 ? "a" : "b", false);
	route(&f); /* at 1 */
	/* With room for more, it waits. */
	CHECK(claim_batch(&f, 5, 8, 1000, 10, &b) == 0);
	CHECK(claim_batch(&f, 5, 3, 1000, 10, &b) == 3);
	settle_batch(&f, &b, 0);
	/* 10 bytes each, and a comma. */
	CHECK(claim_batch(&f, 5, 8, 32, 10, &b) == 2);
	settle_batch(&f, &b, 0);
	/* One that is too much by itself goes alone. */
	CHECK(claim_batch(&f, 5, 8, 1, 10, &b) == 1);
	settle_batch(&f, &b, 0);
	CHECK(claim_batch(&f, 11, 8, 1000, 10, &b) == 1);
	settle_batch(&f, &b, 0);
	CHECK(claim_batch(&f, 11, 8, 1000, 10, &b) == 0);
	end(&f);
}

static void
what_no_batch_can_have_is_dead(void)
{
	struct fixture f;
	struct outbox_batch b;
	uint64_t a1;

	begin(&f);
	happens(&f, "huge", false);
	happens(&f, "huge", false);
	a1 = happens(&f, "a", false);
	happens(&f, "run", true);
	route(&f);
	CHECK(claim_batch(&f, 1, 9, 1000, 0, &b) == 1);
	CHECK(b.items[0].seq == a1);
	settle_batch(&f, &b, 0);
	CHECK(claim_batch(&f, 1, 9, 1000, 0, &b) == 1);
	settle_batch(&f, &b, 0);
	CHECK_UINT(f.sub.dead, 2);
	CHECK_UINT(f.sub.live, 0);
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
	RUN(what_went_with_a_lost_ledger_is_dead);
	RUN(old_events_that_nobody_needs_are_forgotten);
	RUN(a_subscription_begins_where_it_is_told);
	RUN(a_batch_has_what_waits_for_nothing_else);
	RUN(a_sealed_batch_stays_as_it_is);
	RUN(a_batch_has_its_limits);
	RUN(what_no_batch_can_have_is_dead);
	return check_end();
}
