/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/policy.h"
#include "tests/unit/check.h"

static struct policy_verdict
judge(int status, unsigned attempt, uint64_t age_ms)
{
	struct policy_answer a = {.status = status};

	return policy_judge(&policy_default, &a, attempt, age_ms, 12345);
}

static void
only_success_is_success(void)
{
	int s;

	for (s = 0; s < 600; s = s == 0 ? 100 : s + 1)
		CHECK((judge(s, 1, 0).action == POLICY_DONE) == (s / 100 == 2));
	CHECK(judge(302, 1, 0).action == POLICY_RETRY);
	CHECK(judge(302, 1, 0).receiver_failed);
}

static void
a_refused_message_gets_three_attempts(void)
{
	static const int refusals[] = {400, 413, 415, 422};
	size_t i;

	for (i = 0; i < 4; i++) {
		struct policy_verdict v = judge(refusals[i], 2, 0);

		CHECK(v.action == POLICY_RETRY && !v.receiver_failed);
		v = judge(refusals[i], 3, 0);
		CHECK(v.action == POLICY_DEAD && !v.receiver_failed);
		CHECK_STR(v.reason, "permanent");
	}
	CHECK(judge(401, 1000, 0).action == POLICY_RETRY);
	CHECK(judge(401, 1000, 0).receiver_failed);
}

static void
the_receiver_can_end_it(void)
{
	struct policy_answer abort = {.status = 500, .abort = true};
	struct policy_answer disable = {.status = 500, .disable = true};
	struct policy_verdict v = judge(410, 1, 0);

	CHECK(v.action == POLICY_DISABLE);
	CHECK_STR(v.reason, "gone");
	v = policy_judge(&policy_default, &abort, 1, 0, 0);
	CHECK(v.action == POLICY_DEAD);
	CHECK_STR(v.reason, "aborted");
	v = policy_judge(&policy_default, &disable, 1, 0, 0);
	CHECK(v.action == POLICY_DISABLE);
}

static void
age_and_attempts_have_an_end(void)
{
	struct policy p = policy_default;
	struct policy_answer a = {.status = 500};
	struct policy_verdict v = judge(503, 7, 72 * 3600000ULL);

	CHECK(v.action == POLICY_DEAD && v.receiver_failed);
	CHECK_STR(v.reason, "max_age");
	CHECK(judge(503, 4000000000U, 72 * 3600000ULL - 1).action ==
	    POLICY_RETRY);
	p.max_attempts = 4;
	CHECK(policy_judge(&p, &a, 3, 0, 0).action == POLICY_RETRY);
	v = policy_judge(&p, &a, 4, 0, 0);
	CHECK(v.action == POLICY_DEAD && v.receiver_failed);
	CHECK_STR(v.reason, "max_attempts");
}

static void
waits_grow_up_to_an_hour(void)
{
	struct policy_answer a = {.status = 0};
	uint64_t most = 1000, r;
	unsigned n;

	for (n = 1; n < 40; n++) {
		for (r = 0; r < 50; r++) {
			struct policy_verdict v = policy_judge(
			    &policy_default, &a, n, 0, r * 0x9e3779b97f4a7c15U);

			CHECK(v.wait_ms >= 100 && v.wait_ms <= most);
		}
		CHECK_UINT(
		    policy_judge(&policy_default, &a, n, 0, most).wait_ms,
		    most);
		most = most * 2 < 3600000 ? most * 2 : 3600000;
	}
}

static void
retry_after_holds_all(void)
{
	struct policy_answer a = {.status = 429, .retry_after_ms = 20000};
	struct policy_verdict v = policy_judge(&policy_default, &a, 1, 0, 0);

	CHECK(v.action == POLICY_RETRY);
	CHECK_UINT(v.hold_ms, 20000);
	CHECK_UINT(v.wait_ms, 20000);
	a.retry_after_ms = 2000000000;
	v = policy_judge(&policy_default, &a, 1, 0, 0);
	CHECK_UINT(v.hold_ms, POLICY_HOLD_MAX_MS);
	a.status = 500;
	CHECK_UINT(policy_judge(&policy_default, &a, 1, 0, 0).hold_ms, 0);
}

static void
the_breaker_opens_longer_each_time(void)
{
	unsigned n;

	CHECK_UINT(policy_breaker_ms(&policy_default, 1, 0), 500);
	CHECK_UINT(policy_breaker_ms(&policy_default, 1, 500), 1000);
	for (n = 1; n < 100; n++)
		CHECK(policy_breaker_ms(&policy_default, n, 500) <= 900000);
	CHECK_UINT(policy_breaker_ms(&policy_default, 99, 0), 450000);
}

static void
a_schedule_is_kept_and_its_last_wait_stays(void)
{
	struct policy p = policy_default;
	struct policy_answer a = {.status = 500};
	uint64_t r;
	unsigned n;

	p.schedule_ms[0] = 0;
	p.schedule_ms[1] = 5000;
	p.schedule_ms[2] = 300000;
	p.schedule_n = 3;
	CHECK_UINT(policy_judge(&p, &a, 1, 0, 99).wait_ms, 100);
	for (n = 3; n < 9; n++)
		for (r = 0; r < 300000; r += 777) {
			uint64_t w = policy_judge(&p, &a, n, 0, r).wait_ms;

			CHECK(w >= 240000 && w <= 360000);
		}
	CHECK_UINT(policy_judge(&p, &a, 2, 0, 0).wait_ms, 4000);
	CHECK_UINT(policy_judge(&p, &a, 2, 0, 2000).wait_ms, 6000);
}

static void
what_is_permanent_is_a_setting(void)
{
	struct policy p = policy_default;
	struct policy_answer a = {.status = 404};

	CHECK(policy_judge(&p, &a, 9, 0, 0).action == POLICY_RETRY);
	p.permanent[0] = 404;
	p.permanent_n = 1;
	CHECK(policy_judge(&p, &a, 3, 0, 0).action == POLICY_DEAD);
	CHECK(policy_judge(&p, &a, 3, 0, 0).exhausted);
	a.status = 400;
	CHECK(policy_judge(&p, &a, 9, 0, 0).action == POLICY_RETRY);
	a.abort = true;
	CHECK(!policy_judge(&p, &a, 1, 0, 0).exhausted);
}

int
main(void)
{
	RUN(only_success_is_success);
	RUN(a_refused_message_gets_three_attempts);
	RUN(the_receiver_can_end_it);
	RUN(age_and_attempts_have_an_end);
	RUN(waits_grow_up_to_an_hour);
	RUN(retry_after_holds_all);
	RUN(the_breaker_opens_longer_each_time);
	RUN(a_schedule_is_kept_and_its_last_wait_stays);
	RUN(what_is_permanent_is_a_setting);
	return check_end();
}
