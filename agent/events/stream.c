/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/events/cloudevent.h"
#include "agent/events/sender.h"
#include "agent/events/stream.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/text.h"

#define ROUTE_MAX 256 /* events looked at in one transaction */
#define DISABLE_MS (120 * INT64_C(3600000)) /* of failure without a break */

enum flight_state { FLIGHT_FREE, FLIGHT_CLAIMED, FLIGHT_UP, FLIGHT_LANDED };

/* A request, from its claim to the transaction that settles it. */
struct flight {
	enum flight_state state;
	struct stream *stream;
	struct outbox_delivery delivery;
	struct policy_answer answer;
	uint64_t took_ms;
	char error[400];
};

/* How the receiver does. */
struct health {
	int64_t hold_until_ms; /* by Retry-After or the breaker */
	unsigned fails;	       /* in a row */
	unsigned opens;	       /* of the breaker, in a row */
};

struct stream {
	const struct subscription *subscription;
	struct outbox *outbox;
	struct sender *sender;
	/* Twice concurrency: where one landed is free only once that has been
	 * committed, and others are claimed in the same transaction. */
	struct flight *flights;
	uint64_t flights_n;
	unsigned claimed; /* of them: not FREE */
	unsigned settled; /* of them: in the transaction under way */
	bool closing;
	uint64_t random;
	/* A token bucket that holds those of a second: thousandths of
	 * requests that may be begun. */
	uint64_t tokens, filled_ms;
	struct err last;

	/* What a transaction changes, and as it was before. */
	struct outbox_sub sub, sub_before, sub_first;
	struct health health, health_before;
};

static int64_t
now_ms(void)
{
	return clock_wall_ns() / 1000000;
}

static uint64_t
next_random(struct stream *s)
{
	/* xorshift64; https://doi.org/10.18637/jss.v008.i14 */
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static void
set_answer(struct flight *f, const struct http_many_reply *r)
{
	const char *word = NULL;

	f->answer = (struct policy_answer){.status = r->status};
	if (r->status != 0) {
		word = http_header(r->headers, "webhook-delivery");
		f->answer.retry_after_ms =
		    http_retry_after_ms(r->headers, clock_wall_ns());
	}
	f->answer.abort = word != NULL && strcmp(word, "abort-message") == 0;
	f->answer.disable = word != NULL && strcmp(word, "disable") == 0;
}

/* F has its answer. */
static void
land(void *tag, const struct http_many_reply *r)
{
	struct flight *f = tag;
	struct err *last = &f->stream->last;
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	f->state = FLIGHT_LANDED;
	f->took_ms = r->took_ms;
	f->error[0] = '\0';
	set_answer(f, r);
	if (r->status / 100 == 2)
		return;
	if (r->refused)
		buf_adds(&text,
		    "the receiver's address is private or reserved, and its "
		    "network not allowed");
	else if (r->status == 0)
		text_escape(&text, r->err.msg, strlen(r->err.msg));
	else
		text_escape(&text, r->text, r->text_len);
	snprintf(f->error, sizeof(f->error), "%s", buf_str(&text));
	if (r->status == 0)
		err_set(last, ERR_NET, "%s", f->error);
	else
		err_set(last, ERR_SERVER, "HTTP %d %s", r->status, f->error);
}

void
stream_free(struct stream *s)
{
	uint64_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->flights_n; i++)
		outbox_delivery_clear(&s->flights[i].delivery);
	free(s->flights);
	sender_free(s->sender);
	free(s);
}

struct stream *
stream_new(const struct subscription *subscription, uint64_t start,
    struct outbox *outbox, struct http_many *http, struct err *e)
{
	AUTO(stream) struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->subscription = subscription;
	s->outbox = outbox;
	s->flights = calloc(2 * subscription->concurrency, sizeof(*s->flights));
	s->sender = sender_new(subscription, http, land, e);
	if (s->flights == NULL || s->sender == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->flights_n = 2 * subscription->concurrency;
	if (getrandom(&s->random, sizeof(s->random), 0) == -1)
		s->random = (uint64_t)clock_wall_ns();
	s->random |= 1;
	if (outbox_subscribe(outbox, subscription->name, start, &s->sub, e) ==
	    -1)
		return NULL;
	s->sub_first = s->sub;
	return TAKE(s);
}

static int
wanted(void *arg, const struct outbox_event *event, struct err *e)
{
	const struct stream *s = arg;
	AUTO(jdoc) struct jdoc *doc = NULL;
	int rc;

	if (s->subscription->pattern == NULL)
		return 1;
	doc = jdoc_parse(event->body, event->len, e);
	rc = doc == NULL
	    ? -1
	    : pattern_match(s->subscription->pattern, jdoc_root(doc), e);
	/* What can't be judged is rather told than lost. */
	return rc == -1 && e->kind != ERR_NOMEM ? 1 : rc;
}

static bool
is_active(const struct stream *s)
{
	return strcmp(s->sub.state, "active") == 0;
}

static bool
is_breaking(const struct stream *s)
{
	return s->health.fails >= s->subscription->policy.breaker_after;
}

static void
disable(struct stream *s, const char *reason)
{
	snprintf(s->sub.state, sizeof(s->sub.state), "disabled");
	snprintf(s->sub.reason, sizeof(s->sub.reason), "%s", reason);
}

/* How the receiver does, as a whole. */
static void
judge_receiver(struct stream *s, const struct policy_verdict *v, int64_t now)
{
	struct health *h = &s->health;

	if (!v->receiver_failed) {
		h->fails = h->opens = 0;
		s->sub.fail_since_ms = 0;
	} else {
		h->fails++;
		if (s->sub.fail_since_ms == 0)
			s->sub.fail_since_ms = now;
		/* Those that were up when it opened don't count again. */
		if (is_breaking(s) && now >= h->hold_until_ms)
			h->hold_until_ms = now +
			    (int64_t)policy_breaker_ms(&s->subscription->policy,
				++h->opens, next_random(s));
		if (now - s->sub.fail_since_ms > DISABLE_MS)
			disable(s, "failing for 120 hours");
	}
	if (v->hold_ms > 0 && now + (int64_t)v->hold_ms > h->hold_until_ms)
		h->hold_until_ms = now + (int64_t)v->hold_ms;
}

/* Writes down what became of F. */
static int
settle(struct stream *s, struct flight *f, int64_t now, struct err *e)
{
	const struct outbox_delivery *d = &f->delivery;
	int64_t age = now - d->time_ms;
	struct policy_verdict v =
	    policy_judge(&s->subscription->policy, &f->answer, d->attempts,
		age > 0 ? (uint64_t)age : 0, next_random(s));
	struct outbox_outcome how = {
	    .at_ms = now,
	    .took_ms = f->took_ms,
	    .status = f->answer.status,
	    .error = f->error,
	};

	judge_receiver(s, &v, now);
	switch (v.action) {
	case POLICY_DONE:
		return outbox_done(s->outbox, &s->sub, d, &how, e);
	case POLICY_DEAD:
		return outbox_dead(s->outbox, &s->sub, d, &how, v.reason, e);
	case POLICY_DISABLE:
		disable(s, v.reason);
		return outbox_retry(s->outbox, &s->sub, d, &how, now, e);
	case POLICY_RETRY:
		break;
	}
	return outbox_retry(
	    s->outbox, &s->sub, d, &how, now + (int64_t)v.wait_ms, e);
}

static void
fill_bucket(struct stream *s)
{
	uint64_t rate = s->subscription->rate, now = clock_mono_ms();
	uint64_t since = now - s->filled_ms < 1000 ? now - s->filled_ms : 1000;

	s->tokens += since * rate;
	if (s->tokens > 1000 * rate)
		s->tokens = 1000 * rate;
	s->filled_ms = now;
}

/* Requests that may be begun now. */
static unsigned
room(struct stream *s, int64_t now)
{
	uint64_t most = is_breaking(s) ? 1 : s->subscription->concurrency;
	unsigned up = s->claimed - s->settled;

	if (s->closing || now < s->health.hold_until_ms || !is_active(s) ||
	    most <= up)
		return 0;
	most -= up;
	if (most > sender_room(s->sender))
		most = sender_room(s->sender);
	if (s->subscription->rate > 0) {
		fill_bucket(s);
		if (most > s->tokens / 1000)
			most = s->tokens / 1000;
	}
	return (unsigned)most;
}

static int
claim(struct stream *s, int64_t now, struct err *e)
{
	unsigned want = room(s, now);
	uint64_t i;
	int rc = 1;

	for (i = 0; want > 0 && i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];

		if (f->state != FLIGHT_FREE)
			continue;
		rc = outbox_claim(s->outbox, &s->sub, now, &f->delivery, e);
		if (rc != 1)
			break;
		f->state = FLIGHT_CLAIMED;
		f->stream = s;
		s->claimed++;
		want--;
		if (s->subscription->rate > 0)
			s->tokens -= 1000;
	}
	return rc == -1 ? -1 : 0;
}

static bool
may_route(const struct stream *s)
{
	return s->sub.live < OUTBOX_WINDOW && is_active(s) && !s->closing;
}

bool
stream_has_work(struct stream *s)
{
	int64_t now = now_ms(), due;
	struct err e = ERR_INIT;
	uint64_t i;

	for (i = 0; i < s->flights_n; i++)
		if (s->flights[i].state == FLIGHT_LANDED)
			return true;
	if (may_route(s) && outbox_has_news(s->outbox, &s->sub, &e) != 0)
		return true;
	if (room(s, now) == 0)
		return false;
	due = outbox_due(s->outbox, &s->sub, &e);
	return due == -1 || (due > 0 && due <= now);
}

int
stream_transact(struct stream *s, bool *busy, struct err *e)
{
	int64_t now = now_ms();
	unsigned seen = 0;
	uint64_t i;

	s->sub_before = s->sub;
	s->health_before = s->health;
	s->settled = 0;
	for (i = 0; i < s->flights_n; i++) {
		if (s->flights[i].state != FLIGHT_LANDED)
			continue;
		if (settle(s, &s->flights[i], now, e) == -1)
			return -1;
		s->settled++;
	}
	if (may_route(s)) {
		if (outbox_route(s->outbox, &s->sub, wanted, s, ROUTE_MAX, now,
			&seen, e) == -1)
			return -1;
		*busy |= seen == ROUTE_MAX && s->sub.live < OUTBOX_WINDOW;
	}
	if (claim(s, now, e) == -1)
		return -1;
	return outbox_sub_save(s->outbox, &s->sub, e);
}

static void
empty(struct stream *s, struct flight *f)
{
	outbox_delivery_clear(&f->delivery);
	f->state = FLIGHT_FREE;
	s->claimed--;
}

static int
send_one(struct stream *s, struct flight *f, struct err *e)
{
	const struct outbox_delivery *d = &f->delivery;
	AUTO(buf) struct buf headers = BUF_INIT(1 << 16);
	char id[CLOUDEVENT_ID_MAX];

	cloudevent_id(d->seq, id);
	if (subscription_headers(s->subscription, id, now_ms() / 1000, d->body,
		d->len, &headers, e) == -1)
		return -1;
	return sender_post(s->sender, &headers, d->body, d->len, f, e);
}

void
stream_committed(struct stream *s)
{
	uint64_t i;

	s->settled = 0;
	for (i = 0; i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];
		struct http_many_reply r = {.status = 0};

		if (f->state == FLIGHT_LANDED)
			empty(s, f);
		if (f->state != FLIGHT_CLAIMED)
			continue;
		f->state = FLIGHT_UP;
		if (send_one(s, f, &r.err) == -1)
			land(f, &r);
	}
}

void
stream_rolled_back(struct stream *s)
{
	uint64_t i;

	for (i = 0; i < s->flights_n; i++)
		if (s->flights[i].state == FLIGHT_CLAIMED)
			empty(s, &s->flights[i]);
	s->settled = 0;
	s->sub = s->sub_before;
	s->health = s->health_before;
}

bool
stream_is_up(const struct stream *s)
{
	return s->claimed > 0;
}

void
stream_close(struct stream *s)
{
	s->closing = true;
}

bool
stream_rests(struct stream *s, uint64_t ms)
{
	struct err e = ERR_INIT;
	int64_t due;

	if (s->claimed > 0)
		return false;
	if (!is_active(s))
		return true;
	due = outbox_due(s->outbox, &s->sub, &e);
	if (due == 0)
		return outbox_has_news(s->outbox, &s->sub, &e) != 1;
	if (due < s->health.hold_until_ms)
		due = s->health.hold_until_ms;
	return due - now_ms() >= (int64_t)ms;
}

void
stream_sum_up(struct stream *s, struct stream_result *out)
{
	struct err e = ERR_INIT;

	*out = (struct stream_result){
	    .subscription = s->subscription,
	    .sub = s->sub,
	    .delivered = s->sub.delivered - s->sub_first.delivered,
	    .dead = s->sub.dead - s->sub_first.dead,
	    .unrouted = outbox_has_news(s->outbox, &s->sub, &e) == 1,
	    .last = s->last,
	};
}
