/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/outbox_at.h"

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
another_order_opens_what_was_sealed(void)
{
	struct fixture f;
	struct outbox_batch b;
	struct outbox_delivery d1, d2;
	uint64_t first;

	begin_with(&f, OUTBOX_NONE);
	first = happens(&f, "a", false);
	happens(&f, "b", false);
	happens(&f, "c", false);
	route(&f);
	/* The first goes with the third. */
	CHECK(claim(&f, 1, &d1) == first && claim(&f, 1, &d2) == first + 1);
	CHECK(outbox_retry(f.box, &f.sub, &d1, &bad, 1, &f.e) == 0);
	CHECK(claim_batch(&f, 1, 2, 1000, 0, &b) == 2);
	CHECK(outbox_retry(f.box, &f.sub, &d2, &bad, 1, &f.e) == 0);
	outbox_delivery_clear(&d1);
	outbox_delivery_clear(&d2);
	settle_batch(&f, &b, 100);
	close_all(&f);
	f.ordering = OUTBOX_STRICT;
	open_all(&f);
	CHECK(claim_batch(&f, INT64_MAX / 2, 9, 1000, 0, &b) == 3);
	settle_batch(&f, &b, 0);
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

static void
any_order_has_its_batches(void)
{
	static const enum outbox_ordering orderings[] = {
	    OUTBOX_KEY, OUTBOX_NONE, OUTBOX_STRICT};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct outbox_batch b, other;
		struct outbox_delivery d;
		struct fixture f;
		uint64_t last;

		begin_with(&f, orderings[i]);
		happens(&f, "a", false);
		happens(&f, "run", false);
		happens(&f, "a", false);
		last = happens(&f, "run", true);
		route(&f);
		/* All but the end; and nothing more while it is under way,
		 * in strict order. */
		if (orderings[i] == OUTBOX_KEY)
			CHECK(claim(&f, 1, &d) != 0);
		CHECK(claim_batch(&f, 1, 9, 1000, 0, &b) ==
		    (orderings[i] == OUTBOX_KEY ? 1 : 3));
		CHECK(claim_batch(&f, 1, 9, 1000, 0, &other) == 0);
		/* Taken apart, they wait for each other as before. */
		CHECK(outbox_batch_open(
			  f.box, &f.sub, b.items[0].seq, 1, &f.e) == 0);
		outbox_batch_clear(&b);
		CHECK(claim_batch(&f, 1, 1, 1000, 0, &b) == 1);
		CHECK(claim_batch(&f, 1, 9, 1000, 0, &other) ==
		    (orderings[i] == OUTBOX_NONE ? 2 : 0));
		settle_batch(&f, &b, 0);
		settle_batch(&f, &other, 0);
		if (orderings[i] == OUTBOX_KEY)
			arrives(&f, &d);
		while (f.sub.live > 1 && claim_batch(&f, 1, 9, 1000, 0, &b) > 0)
			settle_batch(&f, &b, 0);
		CHECK(claim(&f, 1, &d) == last);
		arrives(&f, &d);
		end(&f);
	}
}

int
main(void)
{
	RUN(a_batch_has_what_waits_for_nothing_else);
	RUN(another_order_opens_what_was_sealed);
	RUN(a_sealed_batch_stays_as_it_is);
	RUN(a_batch_has_its_limits);
	RUN(what_no_batch_can_have_is_dead);
	RUN(any_order_has_its_batches);
	return check_end();
}
