/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/ramp.h"
#include "tests/unit/check.h"

/* MS of a line where each of up to BEST carries 1 byte a ms.  When it ends. */
static uint64_t
run(struct ramp *r, unsigned best, uint64_t now, unsigned ms)
{
	uint64_t end = now + ms;

	for (; now < end; now++)
		ramp_sent(r, r->limit < best ? r->limit : best, now);
	return now;
}

static void
it_climbs_as_long_as_that_is_faster(void)
{
	struct ramp r;

	ramp_init(&r, 1, 16, RAMP_UP, 0);
	run(&r, 8, 0, 2000);
	CHECK_UINT(r.limit, 8);
}

static void
it_stays_where_more_gain_nothing(void)
{
	struct ramp r;

	ramp_init(&r, 2, 16, RAMP_UP, 0);
	run(&r, 2, 0, 2000);
	CHECK_UINT(r.limit, 2);
}

static void
it_descends_to_what_is_as_fast(void)
{
	struct ramp r;

	ramp_init(&r, 16, 16, RAMP_DOWN, 0);
	run(&r, 2, 0, 5000);
	CHECK_UINT(r.limit, 2);
}

static void
it_tries_again_later(void)
{
	struct ramp r;
	uint64_t now;

	ramp_init(&r, 1, 16, RAMP_UP, 0);
	now = run(&r, 1, 0, 2000);
	CHECK_UINT(r.limit, 1);
	/* The line is better now. */
	run(&r, 16, now, 20000);
	CHECK_UINT(r.limit, 16);
}

static void
nothing_is_tried_before_its_time(void)
{
	struct ramp r;

	ramp_init(&r, 2, 16, RAMP_UP, 0);
	r.next_ms = 500;
	run(&r, 16, 0, 400);
	CHECK_UINT(r.limit, 2);
	run(&r, 16, 400, 1000);
	CHECK_UINT(r.limit, 16);
}

int
main(void)
{
	RUN(it_climbs_as_long_as_that_is_faster);
	RUN(it_stays_where_more_gain_nothing);
	RUN(it_descends_to_what_is_as_fast);
	RUN(it_tries_again_later);
	RUN(nothing_is_tried_before_its_time);
	return check_end();
}
