/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>

#include "agent/events/receiver.h"

#define CROWDED_MS 20 /* until others are asked for a place again */

struct bucket
bucket_new(uint64_t rate, uint64_t burst)
{
	return (struct bucket){.rate = rate, .burst = burst > 0 ? burst : rate};
}

/* What one request spends. */
static uint64_t
price_ns(const struct bucket *b)
{
	return 1000000000 / b->rate;
}

/* SPENT_NS as it counts at NOW_NS: what lies behind is none; so is what lies
 * farther ahead than could be spent, as after the machine was started anew. */
static uint64_t
spent(const struct bucket *b, uint64_t spent_ns, uint64_t now_ns)
{
	bool possible = spent_ns <= now_ns + (b->burst + 1) * price_ns(b);

	return possible && spent_ns > now_ns ? spent_ns : now_ns;
}

unsigned
bucket_room(const struct bucket *b, const _Atomic uint64_t *spent_ns,
    uint64_t mono_ms, unsigned most)
{
	uint64_t now_ns = mono_ms * 1000000, end_ns, at_ns, n;

	if (b->rate == 0)
		return most;
	end_ns = now_ns + b->burst * price_ns(b);
	at_ns = spent(b, atomic_load(spent_ns), now_ns);
	n = at_ns < end_ns ? (end_ns - at_ns) / price_ns(b) : 0;
	return n < most ? (unsigned)n : most;
}

bool
bucket_take(
    const struct bucket *b, _Atomic uint64_t *spent_ns, uint64_t mono_ms)
{
	uint64_t was = atomic_load(spent_ns);

	if (b->rate == 0)
		return true;
	do {
		const _Atomic uint64_t now = was;

		if (bucket_room(b, &now, mono_ms, 1) == 0)
			return false;
	} while (!atomic_compare_exchange_weak(
	    spent_ns, &was, spent(b, was, mono_ms * 1000000) + price_ns(b)));
	return true;
}

void
bucket_give_back(const struct bucket *b, _Atomic uint64_t *spent_ns)
{
	if (b->rate > 0)
		atomic_fetch_sub(spent_ns, price_ns(b));
}

void
receiver_init(
    struct receiver *r, const struct subscription *s, struct sender *sender)
{
	*r = (struct receiver){
	    .subscription = s,
	    .sender = sender,
	    .bucket = bucket_new(s->rate, s->burst),
	    .concurrency = s->concurrency,
	};
	shared_init(&r->shared);
}

void
receiver_begin_anew(struct receiver *r)
{
	struct shared_numbers *n = r->shared.now;

	atomic_store(&n->fails, 0);
	atomic_store(&n->opens, 0);
	r->fail_since_ms = 0;
}

/* Nothing before UNTIL_MS. */
static void
hold(struct receiver *r, int64_t until_ms)
{
	atomic_store(&r->shared.now->hold_until_ms, until_ms);
}

void
receiver_decided(struct receiver *r, const struct control_entry *entry)
{
	/* What this process decided counts until it is written. */
	if (r->undecided)
		return;
	if (!receiver_is_active(r) && entry->state == CONTROL_ACTIVE) {
		receiver_begin_anew(r);
		hold(r, 0);
	}
	r->control = *entry;
	if (r->fail_since_ms == 0 && !r->answered)
		r->fail_since_ms = entry->fail_since_ms;
}

static bool
is_breaking(const struct receiver *r)
{
	unsigned after = r->subscription->policy.breaker_after;

	return after > 0 && atomic_load(&r->shared.now->fails) >= after;
}

int64_t
receiver_hold_until(const struct receiver *r, int64_t now_ms)
{
	int64_t until = atomic_load(&r->shared.now->hold_until_ms);
	uint64_t most = r->subscription->policy.breaker_cap_ms;

	if (most < POLICY_HOLD_MAX_MS)
		most = POLICY_HOLD_MAX_MS;
	/* By a clock that was wrong. */
	return until - now_ms > (int64_t)most ? 0 : until;
}

/* Requests that there may be at a time. */
static uint64_t
places(const struct receiver *r)
{
	return is_breaking(r) ? 1 : r->concurrency;
}

unsigned
receiver_room(struct receiver *r, int64_t now_ms, uint64_t mono_ms)
{
	uint64_t most = places(r);

	if (now_ms < receiver_hold_until(r, now_ms) || !receiver_is_active(r) ||
	    most <= r->up || mono_ms < r->crowded_ms)
		return 0;
	return bucket_room(&r->bucket, &r->shared.now->spent_ns, mono_ms,
	    (unsigned)most - r->up);
}

bool
receiver_take(struct receiver *r, uint64_t mono_ms)
{
	if (!shared_take(&r->shared, places(r))) {
		r->crowded_ms = mono_ms + CROWDED_MS;
		return false;
	}
	if (!bucket_take(&r->bucket, &r->shared.now->spent_ns, mono_ms)) {
		shared_give_back(&r->shared);
		return false;
	}
	r->up++;
	return true;
}

void
receiver_give_back(struct receiver *r)
{
	shared_give_back(&r->shared);
	r->up--;
}

void
receiver_take_back(struct receiver *r)
{
	bucket_give_back(&r->bucket, &r->shared.now->spent_ns);
	receiver_give_back(r);
}

void
receiver_stop(struct receiver *r, enum control_state state, const char *reason,
    int64_t now_ms)
{
	r->control.state = state;
	snprintf(r->control.reason, sizeof(r->control.reason), "%s", reason);
	r->control.since_ms = now_ms;
	r->undecided = true;
}

static void
note_failure(struct receiver *r, int64_t now_ms, uint64_t random)
{
	struct shared_numbers *n = r->shared.now;

	atomic_fetch_add(&n->fails, 1);
	if (r->fail_since_ms == 0)
		r->fail_since_ms = now_ms;
	/* Those that were up when it opened don't count again. */
	if (is_breaking(r) && now_ms >= receiver_hold_until(r, now_ms))
		hold(r,
		    now_ms +
			(int64_t)policy_breaker_ms(&r->subscription->policy,
			    atomic_fetch_add(&n->opens, 1) + 1, random));
}

bool
receiver_judge(struct receiver *r, const struct policy_verdict *v,
    int64_t now_ms, uint64_t random)
{
	uint64_t after = r->subscription->policy.disable_after_ms;

	r->answered = true;
	if (!v->receiver_failed) {
		atomic_store(&r->shared.now->fails, 0);
		atomic_store(&r->shared.now->opens, 0);
		r->fail_since_ms = 0;
	} else {
		note_failure(r, now_ms, random);
	}
	if (v->hold_ms > 0 &&
	    now_ms + (int64_t)v->hold_ms > receiver_hold_until(r, now_ms))
		hold(r, now_ms + (int64_t)v->hold_ms);
	if (!receiver_is_active(r))
		return false;
	if (v->action == POLICY_DISABLE) {
		receiver_stop(r, CONTROL_DISABLED, v->reason, now_ms);
		return true;
	}
	if (v->receiver_failed && after > 0 &&
	    now_ms - r->fail_since_ms > (int64_t)after) {
		receiver_stop(r, CONTROL_DISABLED, "failing too long", now_ms);
		return true;
	}
	return false;
}
