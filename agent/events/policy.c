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
    .permanent = {400, 413, 415, 422},
    .permanent_n = 4,
    .disable_after_ms = HOURS(120),
    .breaker_after = 5,
    .breaker_base_ms = 1000,
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
is_permanent(const struct policy *p, int status)
{
	unsigned i;

	for (i = 0; i < p->permanent_n; i++)
		if (p->permanent[i] == status)
			return true;
	return false;
}

/* Before the attempt after number ATTEMPT. */
static uint64_t
wait_after(const struct policy *p, unsigned attempt, uint64_t random)
{
	unsigned n = attempt > 0 ? attempt - 1 : 0;
	uint64_t most, ms;

	if (p->schedule_n > 0) {
		if (n >= p->schedule_n)
			n = p->schedule_n - 1;
		most = p->schedule_ms[n] * 2 / 5;
		ms = p->schedule_ms[n] * 4 / 5 + random % (most + 1);
	} else {
		most = doubled(p->base_ms, n, p->cap_ms);
		ms = random % (most + 1);
	}
	return ms > WAIT_MIN_MS ? ms : WAIT_MIN_MS;
}

static struct policy_verdict
dead(const char *reason, bool exhausted)
{
	return (struct policy_verdict){
	    .action = POLICY_DEAD, .reason = reason, .exhausted = exhausted};
}

struct policy_verdict
policy_judge(const struct policy *p, const struct policy_answer *a,
    unsigned attempt, uint64_t age_ms, uint64_t random)
{
	struct policy_verdict v = {.action = POLICY_RETRY};
	bool permanent = is_permanent(p, a->status);

	if (a->status / 100 == 2)
		return (struct policy_verdict){.action = POLICY_DONE};
	if (a->status == 410 || a->disable)
		return (struct policy_verdict){.action = POLICY_DISABLE,
		    .reason = a->disable ? "disabled by the receiver" : "gone"};
	if (a->abort)
		return dead("aborted", false);
	if (permanent && attempt >= PERMANENT_ATTEMPTS)
		return dead("permanent", true);
	if (age_ms >= p->max_age_ms)
		v = dead("max_age", true);
	else if (p->max_attempts > 0 && attempt >= p->max_attempts)
		v = dead("max_attempts", true);
	v.receiver_failed = !permanent;
	v.wait_ms = wait_after(p, attempt, random);
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
	uint64_t most = doubled(
	    p->breaker_base_ms, opens > 0 ? opens - 1 : 0, p->breaker_cap_ms);

	/* Half of it at least: a receiver that is down is left alone. */
	return most / 2 + random % (most / 2 + 1);
}
