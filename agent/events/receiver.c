/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>

#include "agent/events/receiver.h"

struct bucket
bucket_new(uint64_t rate, uint64_t burst)
{
	return (struct bucket){.rate = rate, .burst = burst > 0 ? burst : rate};
}

unsigned
bucket_room(struct bucket *b, uint64_t mono_ms, unsigned most)
{
	uint64_t full = 1000 * b->burst, since = mono_ms - b->filled_ms;

	if (b->rate == 0)
		return most;
	b->filled_ms = mono_ms;
	/* Longer than it takes to fill it makes no difference. */
	if (since > full / b->rate + 1)
		since = full / b->rate + 1;
	b->tokens += since * b->rate;
	if (b->tokens > full)
		b->tokens = full;
	return b->tokens / 1000 < most ? (unsigned)(b->tokens / 1000) : most;
}

void
bucket_take(struct bucket *b)
{
	if (b->rate > 0)
		b->tokens -= 1000;
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
}

void
receiver_decided(struct receiver *r, const struct control_entry *entry)
{
	/* What this process decided counts until it is written. */
	if (r->undecided)
		return;
	if (!receiver_is_active(r) && entry->state == CONTROL_ACTIVE) {
		r->fails = r->opens = 0;
		r->hold_until_ms = r->fail_since_ms = 0;
	}
	r->control = *entry;
	if (r->fail_since_ms == 0 && r->fails == 0)
		r->fail_since_ms = entry->fail_since_ms;
}

static bool
is_breaking(const struct receiver *r)
{
	unsigned after = r->subscription->policy.breaker_after;

	return after > 0 && r->fails >= after;
}

unsigned
receiver_room(struct receiver *r, int64_t now_ms, uint64_t mono_ms)
{
	uint64_t most = is_breaking(r) ? 1 : r->concurrency;

	if (now_ms < r->hold_until_ms || !receiver_is_active(r) ||
	    most <= r->up)
		return 0;
	return bucket_room(&r->bucket, mono_ms, (unsigned)most - r->up);
}

void
receiver_take(struct receiver *r)
{
	r->up++;
	bucket_take(&r->bucket);
}

void
receiver_give_back(struct receiver *r)
{
	r->up--;
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
	r->fails++;
	if (r->fail_since_ms == 0)
		r->fail_since_ms = now_ms;
	/* Those that were up when it opened don't count again. */
	if (is_breaking(r) && now_ms >= r->hold_until_ms)
		r->hold_until_ms = now_ms +
		    (int64_t)policy_breaker_ms(
			&r->subscription->policy, ++r->opens, random);
}

bool
receiver_judge(struct receiver *r, const struct policy_verdict *v,
    int64_t now_ms, uint64_t random)
{
	uint64_t after = r->subscription->policy.disable_after_ms;

	if (!v->receiver_failed) {
		r->fails = r->opens = 0;
		r->fail_since_ms = 0;
	} else {
		note_failure(r, now_ms, random);
	}
	if (v->hold_ms > 0 && now_ms + (int64_t)v->hold_ms > r->hold_until_ms)
		r->hold_until_ms = now_ms + (int64_t)v->hold_ms;
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
