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
bucket_room(
    const struct bucket *b, uint64_t spent_ns, uint64_t mono_ms, unsigned most)
{
	uint64_t now_ns = mono_ms * 1000000, end_ns, at_ns, n;

	if (b->rate == 0)
		return most;
	end_ns = now_ns + b->burst * price_ns(b);
	at_ns = spent(b, spent_ns, now_ns);
	n = at_ns < end_ns ? (end_ns - at_ns) / price_ns(b) : 0;
	return n < most ? (unsigned)n : most;
}

bool
bucket_take(const struct bucket *b, uint64_t *spent_ns, uint64_t mono_ms)
{
	if (b->rate == 0)
		return true;
	if (bucket_room(b, *spent_ns, mono_ms, 1) == 0)
		return false;
	*spent_ns = spent(b, *spent_ns, mono_ms * 1000000) + price_ns(b);
	return true;
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

static void
forget_failures(struct shared_numbers *n, void *arg)
{
	(void)arg;
	n->fails = n->opens = 0;
}

void
receiver_begin_anew(struct receiver *r)
{
	struct shared_numbers n = shared_read(&r->shared);

	if (n.fails > 0 || n.opens > 0)
		shared_change(&r->shared, forget_failures, NULL);
	r->fail_since_ms = 0;
}

static void
set_hold(struct shared_numbers *n, void *until_ms)
{
	n->hold_until_ms = *(const int64_t *)until_ms;
}

/* Nothing before UNTIL_MS. */
static void
hold(struct receiver *r, int64_t until_ms)
{
	shared_change(&r->shared, set_hold, &until_ms);
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
is_breaking(const struct receiver *r, const struct shared_numbers *n)
{
	unsigned after = r->subscription->policy.breaker_after;

	return after > 0 && n->fails >= after;
}

/* Until when nothing is sent. */
static int64_t
held_until(
    const struct receiver *r, const struct shared_numbers *n, int64_t now_ms)
{
	uint64_t most = r->subscription->policy.breaker_cap_ms;

	if (most < POLICY_HOLD_MAX_MS)
		most = POLICY_HOLD_MAX_MS;
	/* By a clock that was wrong. */
	return n->hold_until_ms - now_ms > (int64_t)most ? 0 : n->hold_until_ms;
}

int64_t
receiver_hold_until(const struct receiver *r, int64_t now_ms)
{
	struct shared_numbers n = shared_read(&r->shared);

	return held_until(r, &n, now_ms);
}

/* Requests that there may be at a time. */
static uint64_t
places(const struct receiver *r, const struct shared_numbers *n)
{
	return is_breaking(r, n) ? 1 : r->concurrency;
}

unsigned
receiver_room(struct receiver *r, int64_t now_ms, uint64_t mono_ms)
{
	struct shared_numbers n = shared_read(&r->shared);
	uint64_t most = places(r, &n);

	if (now_ms < held_until(r, &n, now_ms) || !receiver_is_active(r) ||
	    most <= r->up || mono_ms < r->crowded_ms)
		return 0;
	return bucket_room(
	    &r->bucket, n.spent_ns, mono_ms, (unsigned)most - r->up);
}

/* One that is to be spent. */
struct spending {
	const struct bucket *bucket;
	uint64_t mono_ms;
	bool done;
};

static void
spend(struct shared_numbers *n, void *arg)
{
	struct spending *s = arg;

	s->done = bucket_take(s->bucket, &n->spent_ns, s->mono_ms);
}

static void
spend_less(struct shared_numbers *n, void *bucket)
{
	n->spent_ns -= price_ns(bucket);
}

bool
receiver_take(struct receiver *r, uint64_t mono_ms)
{
	struct shared_numbers n = shared_read(&r->shared);
	struct spending s = {.bucket = &r->bucket, .mono_ms = mono_ms};

	if (!shared_take(&r->shared, places(r, &n))) {
		r->crowded_ms = mono_ms + CROWDED_MS;
		return false;
	}
	if (r->bucket.rate > 0)
		shared_change(&r->shared, spend, &s);
	if (r->bucket.rate > 0 && !s.done) {
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
	if (r->bucket.rate > 0)
		shared_change(&r->shared, spend_less, &r->bucket);
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

/* A failure of a receiver. */
struct failing {
	const struct receiver *r;
	int64_t now_ms;
	uint64_t random;
};

static void
add_failure(struct shared_numbers *n, void *arg)
{
	const struct failing *f = arg;

	n->fails++;
	/* Those that were up when it opened don't count again. */
	if (!is_breaking(f->r, n) || f->now_ms < held_until(f->r, n, f->now_ms))
		return;
	n->opens++;
	n->hold_until_ms = f->now_ms +
	    (int64_t)policy_breaker_ms(
		&f->r->subscription->policy, (unsigned)n->opens, f->random);
}

bool
receiver_judge(struct receiver *r, const struct policy_verdict *v,
    int64_t now_ms, uint64_t random)
{
	uint64_t after = r->subscription->policy.disable_after_ms;
	struct failing f = {.r = r, .now_ms = now_ms, .random = random};

	r->answered = true;
	if (!v->receiver_failed) {
		receiver_begin_anew(r);
	} else {
		shared_change(&r->shared, add_failure, &f);
		if (r->fail_since_ms == 0)
			r->fail_since_ms = now_ms;
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
