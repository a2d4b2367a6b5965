/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/retry.h"

static const struct retry_policy policy = {
    .attempts = 5,
    .base_ms = 100,
    .cap_ms = 500,
};

static void
only_what_can_go_away_is_tried_again(void)
{
	int k;

	for (k = 0; k < ERR_KIND_COUNT; k++) {
		struct err e = {.kind = (enum err_kind)k};
		bool again =
		    k == ERR_NET || k == ERR_THROTTLE || k == ERR_SERVER;

		CHECK(retry_makes_sense(e.kind) == again);
		CHECK((retry_delay_ms(&policy, 1, &e, 7) >= 0) == again);
	}
}

static void
the_delay_doubles_up_to_its_cap(void)
{
	static const uint64_t most[] = {100, 200, 400, 500};
	struct err e = {.kind = ERR_SERVER};
	unsigned a;

	for (a = 1; a <= 4; a++) {
		CHECK_UINT(
		    retry_delay_ms(&policy, a, &e, most[a - 1]), most[a - 1]);
		CHECK_UINT(retry_delay_ms(&policy, a, &e, most[a - 1] + 1), 0);
	}
	CHECK(retry_delay_ms(&policy, 5, &e, 0) == -1);
	CHECK(retry_delay_ms(&policy, 4000000000, &e, 0) == -1);
}

static void
the_store_has_its_wish(void)
{
	struct err e = {.kind = ERR_THROTTLE, .retry_after_ms = 9000};

	CHECK_UINT(retry_delay_ms(&policy, 1, &e, 0), 9000);
	CHECK_UINT(retry_delay_ms(&policy, 1, &e, 100), 9100);
}

static void
no_policy_overflows(void)
{
	struct retry_policy p = {
	    .attempts = UINT32_MAX,
	    .base_ms = UINT64_MAX,
	    .cap_ms = UINT64_MAX,
	};
	struct err e = {.kind = ERR_NET, .retry_after_ms = UINT32_MAX};

	CHECK(retry_delay_ms(&p, 1000, &e, UINT64_MAX) >= 0);
	p.base_ms = 0;
	CHECK_UINT(retry_delay_ms(&p, 1000, &e, UINT64_MAX), UINT32_MAX);
	p = (struct retry_policy){.attempts = 1, .base_ms = 1, .cap_ms = 1};
	CHECK(retry_delay_ms(&p, 1, &e, 0) == -1);
}

int
main(void)
{
	RUN(only_what_can_go_away_is_tried_again);
	RUN(the_delay_doubles_up_to_its_cap);
	RUN(the_store_has_its_wish);
	RUN(no_policy_overflows);
	return check_end();
}
