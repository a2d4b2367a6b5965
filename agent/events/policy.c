/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/policy.h"

#define WAIT_MIN_MS 100
#define PERMANENT_ATTEMPTS 3 /* a "no" might be a mistake once */
#define HOURS(n) ((uint64_t)(n)*3600000)

const struct policy policy_default = {
    .base_ms = 1000,
    .cap_ms = HOURS(1),
    .max_age_ms = HOURS(72),
    .breaker_after = 5,
    .breaker_cap_ms = HOURS(1) / 4,
};

/* BASE doubled N times, CAP at most. */
static uint64_t
doubled(uint64_t base, unsigned n, uint64_t cap)
{
	while (n-- > 0 && base < cap)
		base = base > cap / 2 ? cap : base * 2;
	return base < cap ? base : cap;
}

static bool
is_permanent(int status)
{
	return status == 400 || status == 413 || status == 415 || status == 422;
}

static struct policy_verdict
dead(const char *reason)
{
	return (struct policy_verdict){.action = POLICY_DEAD, .reason = reason};
}

struct policy_verdict
policy_judge(const struct policy *p, const struct policy_answer *a,
    unsigned attempt, uint64_t age_ms, uint64_t random)
{
	struct policy_verdict v = {.action = POLICY_RETRY};
	uint64_t most;

	if (a->status / 100 == 2)
		return (struct policy_verdict){.action = POLICY_DONE};
	if (a->status == 410 || a->disable)
		return (struct policy_verdict){.action = POLICY_DISABLE,
		    .reason = a->disable ? "disabled by the receiver" : "gone"};
	if (a->abort)
		return dead("aborted");
	if (is_permanent(a->status) && attempt >= PERMANENT_ATTEMPTS)
		return dead("permanent");
	if (age_ms >= p->max_age_ms)
		v = dead("max_age");
	else if (p->max_attempts > 0 && attempt >= p->max_attempts)
		v = dead("max_attempts");
	v.receiver_failed = !is_permanent(a->status);
	most = doubled(p->base_ms, attempt > 0 ? attempt - 1 : 0, p->cap_ms);
	v.wait_ms = random % (most + 1);
	if (v.wait_ms < WAIT_MIN_MS)
		v.wait_ms = WAIT_MIN_MS;
	if ((a->status == 429 || a->status == 503) && a->retry_after_ms > 0) {
		v.hold_ms = a->retry_after_ms < POLICY_HOLD_MAX_MS
		    ? a->retry_after_ms
		    : POLICY_HOLD_MAX_MS;
		if (v.wait_ms < v.hold_ms)
			v.wait_ms = v.hold_ms;
	}
	return v;
}

uint64_t
policy_breaker_ms(const struct policy *p, unsigned opens, uint64_t random)
{
	uint64_t most =
	    doubled(p->base_ms, opens > 0 ? opens - 1 : 0, p->breaker_cap_ms);

	/* Half of it at least: a receiver that is down is left alone. */
	return most / 2 + random % (most / 2 + 1);
}
