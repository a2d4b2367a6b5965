/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/events/cloudevent.h"
#include "agent/events/dispatch.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/text.h"
#include "transfer/http_many.h"

#define ROUTE_MAX 256	 /* events looked at in one transaction */
#define LOOK_MS 50	 /* between looks for new events */
#define WAIT_MS 100	 /* the longest sleep */
#define AGAIN_MS 1000	 /* after the database failed */
#define CONNECT_MS 10000 /* for a connection to come about */
#define DISABLE_MS (120 * INT64_C(3600000)) /* of failure without a break */

enum flight_state { FLIGHT_FREE, FLIGHT_CLAIMED, FLIGHT_UP, FLIGHT_LANDED };

/* A request, from its claim to the transaction that settles it. */
struct flight {
	enum flight_state state;
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

struct dispatch {
	const struct dispatch_config *config;
	struct outbox *outbox;
	struct http_many *http;
	struct outbox_sub sub;
	pthread_t thread;

	/* The thread's own. */
	struct flight *flights; /* config->concurrency of them */
	unsigned claimed;	/* of them: not FREE */
	struct health health;
	bool closing; /* nothing more is begun */
	uint64_t random;
	struct dispatch_result result;

	/* Shared. */
	_Atomic uint64_t deadline_ms; /* clock_mono_ms(); 0: none yet */
	_Atomic(const atomic_bool *) stop;
};

static int64_t
now_ms(void)
{
	return clock_wall_ns() / 1000000;
}

static uint64_t
next_random(struct dispatch *d)
{
	/* xorshift64; https://doi.org/10.18637/jss.v008.i14 */
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return d->random;
}

static bool
may_connect(void *arg, const struct sockaddr *addr)
{
	const struct dispatch *d = arg;

	return guard_passes(d->config->guard, addr);
}

static int
wanted(void *arg, const struct outbox_event *event, struct err *e)
{
	const struct dispatch *d = arg;
	AUTO(jdoc) struct jdoc *doc = NULL;

	if (d->config->pattern == NULL)
		return 1;
	doc = jdoc_parse(event->body, event->len, e);
	return doc == NULL
	    ? -1
	    : pattern_match(d->config->pattern, jdoc_root(doc), e);
}

static bool
is_active(const struct dispatch *d)
{
	return strcmp(d->sub.state, "active") == 0;
}

static bool
is_breaking(const struct dispatch *d)
{
	return d->health.fails >= d->config->policy->breaker_after;
}

static void
disable(struct dispatch *d, const char *reason)
{
	snprintf(d->sub.state, sizeof(d->sub.state), "disabled");
	snprintf(d->sub.reason, sizeof(d->sub.reason), "%s", reason);
}

/* How the receiver does, as a whole. */
static void
judge_receiver(struct dispatch *d, const struct policy_verdict *v, int64_t now)
{
	struct health *h = &d->health;

	if (!v->receiver_failed) {
		h->fails = h->opens = 0;
		d->sub.fail_since_ms = 0;
	} else {
		h->fails++;
		if (d->sub.fail_since_ms == 0)
			d->sub.fail_since_ms = now;
		/* Those that were up when it opened don't count again. */
		if (is_breaking(d) && now >= h->hold_until_ms)
			h->hold_until_ms = now +
			    (int64_t)policy_breaker_ms(
				d->config->policy, ++h->opens, next_random(d));
		if (now - d->sub.fail_since_ms > DISABLE_MS)
			disable(d, "failing for 120 hours");
	}
	if (v->hold_ms > 0 && now + (int64_t)v->hold_ms > h->hold_until_ms)
		h->hold_until_ms = now + (int64_t)v->hold_ms;
}

/* Writes down what became of F. */
static int
settle(struct dispatch *d, struct flight *f, int64_t now, struct err *e)
{
	const struct outbox_delivery *del = &f->delivery;
	int64_t age = now - del->time_ms;
	struct policy_verdict v = policy_judge(d->config->policy, &f->answer,
	    del->attempts, age > 0 ? (uint64_t)age : 0, next_random(d));
	struct outbox_outcome how = {
	    .at_ms = now,
	    .took_ms = f->took_ms,
	    .status = f->answer.status,
	    .error = f->error,
	};

	judge_receiver(d, &v, now);
	switch (v.action) {
	case POLICY_DONE:
		return outbox_done(d->outbox, &d->sub, del, &how, e);
	case POLICY_DEAD:
		return outbox_dead(d->outbox, &d->sub, del, &how, v.reason, e);
	case POLICY_DISABLE:
		disable(d, v.reason);
		return outbox_retry(d->outbox, &d->sub, del, &how, now, e);
	case POLICY_RETRY:
		break;
	}
	return outbox_retry(
	    d->outbox, &d->sub, del, &how, now + (int64_t)v.wait_ms, e);
}

/* Requests that may be begun now. */
static unsigned
room(const struct dispatch *d, int64_t now)
{
	unsigned most = is_breaking(d) ? 1 : d->config->concurrency;

	if (d->closing || now < d->health.hold_until_ms || !is_active(d))
		return 0;
	return most > d->claimed ? most - d->claimed : 0;
}

static int
claim(struct dispatch *d, int64_t now, struct err *e)
{
	unsigned want = room(d, now), i;
	int rc = 1;

	for (i = 0; want > 0 && i < d->config->concurrency; i++) {
		struct flight *f = &d->flights[i];

		if (f->state != FLIGHT_FREE)
			continue;
		rc = outbox_claim(d->outbox, &d->sub, now, &f->delivery, e);
		if (rc != 1)
			break;
		f->state = FLIGHT_CLAIMED;
		d->claimed++;
		want--;
	}
	return rc == -1 ? -1 : 0;
}

static bool
may_route(const struct dispatch *d)
{
	return d->sub.live < OUTBOX_WINDOW && is_active(d) && !d->closing;
}

static int
write_down(struct dispatch *d, int64_t now, bool *busy, struct err *e)
{
	unsigned seen = 0, i;

	for (i = 0; i < d->config->concurrency; i++)
		if (d->flights[i].state == FLIGHT_LANDED &&
		    settle(d, &d->flights[i], now, e) == -1)
			return -1;
	if (may_route(d)) {
		if (outbox_route(d->outbox, &d->sub, wanted, d, ROUTE_MAX, now,
			&seen, e) == -1)
			return -1;
		*busy = seen == ROUTE_MAX;
	}
	/* Where they land is free only once this is committed. */
	if (outbox_sub_save(d->outbox, &d->sub, e) == -1)
		return -1;
	return claim(d, now, e);
}

static void
free_landed(struct dispatch *d)
{
	unsigned i;

	for (i = 0; i < d->config->concurrency; i++) {
		if (d->flights[i].state != FLIGHT_LANDED)
			continue;
		outbox_delivery_clear(&d->flights[i].delivery);
		d->flights[i].state = FLIGHT_FREE;
		d->claimed--;
	}
}

/* Claims that were never committed. */
static void
drop_claims(struct dispatch *d)
{
	unsigned i;

	for (i = 0; i < d->config->concurrency; i++) {
		if (d->flights[i].state != FLIGHT_CLAIMED)
			continue;
		outbox_delivery_clear(&d->flights[i].delivery);
		d->flights[i].state = FLIGHT_FREE;
		d->claimed--;
	}
}

/*
 * One transaction: what landed is settled, new events get deliveries, those
 * that are due are claimed.  *BUSY: there is more to be done at once.
 */
static int
transact(struct dispatch *d, bool *busy, struct err *e)
{
	struct outbox_sub before = d->sub;
	struct health health = d->health;
	int64_t now = now_ms();

	if (outbox_begin(d->outbox, e) == -1)
		return -1;
	if (write_down(d, now, busy, e) == 0 &&
	    outbox_commit(d->outbox, e) == 0) {
		free_landed(d);
		return 0;
	}
	outbox_rollback(d->outbox);
	drop_claims(d);
	d->sub = before;
	d->health = health;
	return -1;
}

static void
land(struct dispatch *d, struct flight *f, const struct http_many_reply *r)
{
	const char *word = NULL;
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	f->state = FLIGHT_LANDED;
	f->took_ms = r->took_ms;
	f->answer = (struct policy_answer){.status = r->status};
	f->error[0] = '\0';
	if (r->status != 0) {
		word = http_header(r->headers, "webhook-delivery");
		f->answer.retry_after_ms =
		    http_retry_after_ms(r->headers, clock_wall_ns());
	}
	f->answer.abort = word != NULL && strcmp(word, "abort-message") == 0;
	f->answer.disable = word != NULL && strcmp(word, "disable") == 0;
	if (r->status / 100 == 2)
		return;
	if (r->refused)
		buf_adds(&text,
		    "the receiver's address is private or reserved; "
		    "--webhook-allow NETWORK opens it");
	else if (r->status == 0)
		text_escape(&text, r->err.msg, strlen(r->err.msg));
	else
		text_escape(&text, r->text, r->text_len);
	snprintf(f->error, sizeof(f->error), "%s", buf_str(&text));
	if (r->status == 0)
		err_set(&d->result.last, ERR_NET, "%s", f->error);
	else
		err_set(&d->result.last, ERR_SERVER, "HTTP %d %s", r->status,
		    f->error);
}

static int
send_one(struct dispatch *d, struct flight *f, struct err *e)
{
	const struct outbox_delivery *del = &f->delivery;
	AUTO(buf) struct buf headers = BUF_INIT(1 << 16);
	char id[CLOUDEVENT_ID_MAX];
	size_t count;

	cloudevent_id(del->seq, id);
	buf_adds(&headers, "content-type: " CLOUDEVENT_CONTENT_TYPE);
	buf_addc(&headers, '\0');
	if (signature_headers(d->config->keys, id, now_ms() / 1000, del->body,
		del->len, &headers, &count, e) == -1)
		return -1;
	return http_many_post(d->http, d->config->url, headers.data,
	    headers.len, del->body, del->len, f, e);
}

/* Only after their claims are committed. */
static void
send_claimed(struct dispatch *d)
{
	unsigned i;

	for (i = 0; i < d->config->concurrency; i++) {
		struct flight *f = &d->flights[i];
		struct http_many_reply r = {.headers = NULL};

		if (f->state != FLIGHT_CLAIMED)
			continue;
		f->state = FLIGHT_UP;
		if (send_one(d, f, &r.err) == -1)
			land(d, f, &r);
	}
}

static bool
landed(struct dispatch *d)
{
	struct http_many_reply r;
	bool any = false;

	while (http_many_next(d->http, &r)) {
		land(d, r.tag, &r);
		any = true;
	}
	return any;
}

/* Whether a transaction has anything to do but to settle. */
static bool
has_work(struct dispatch *d)
{
	int64_t now = now_ms(), due;
	struct err e = ERR_INIT;

	if (may_route(d) && outbox_has_news(d->outbox, &d->sub, &e) != 0)
		return true;
	if (room(d, now) == 0)
		return false;
	due = outbox_due(d->outbox, &d->sub, &e);
	return due == -1 || (due > 0 && due <= now);
}

/* Nothing is left, or nothing that could be sent before the deadline. */
static bool
is_over(struct dispatch *d)
{
	uint64_t deadline = atomic_load(&d->deadline_ms), now = clock_mono_ms();
	const atomic_bool *stop = atomic_load(&d->stop);
	struct err e = ERR_INIT;
	int64_t due;

	if (deadline == 0)
		return false;
	if (now >= deadline || (stop != NULL && atomic_load(stop)))
		return true;
	if (d->claimed > 0)
		return false;
	if (!is_active(d))
		return true;
	due = outbox_due(d->outbox, &d->sub, &e);
	if (due == 0)
		return outbox_has_news(d->outbox, &d->sub, &e) != 1;
	if (due < d->health.hold_until_ms)
		due = d->health.hold_until_ms;
	return due - now_ms() >= (int64_t)(deadline - now);
}

static void
sum_up(struct dispatch *d, const struct outbox_sub *before)
{
	struct dispatch_result *r = &d->result;
	struct err e = ERR_INIT;

	r->sub = d->sub;
	r->delivered = d->sub.delivered - before->delivered;
	r->dead = d->sub.dead - before->dead;
	r->left = d->sub.live;
	r->unrouted = outbox_has_news(d->outbox, &d->sub, &e) == 1;
}

/* Until something may move. */
static unsigned
sleep_ms(const struct dispatch *d, bool busy, bool failing)
{
	if (failing)
		return AGAIN_MS;
	if (busy && room(d, now_ms()) > 0)
		return 0;
	return atomic_load(&d->deadline_ms) != 0 || d->claimed > 0 ? LOOK_MS
								   : WAIT_MS;
}

static void *
dispatcher(void *arg)
{
	struct dispatch *d = arg;
	struct outbox_sub before = d->sub;
	bool busy = true, failing = false;

	while (!is_over(d)) {
		if (landed(d) || busy || failing || has_work(d)) {
			busy = false;
			failing = transact(d, &busy, &d->result.last) == -1;
			if (!failing)
				send_claimed(d);
		}
		http_many_wait(d->http, sleep_ms(d, busy, failing));
	}
	/* What landed in the last moment counts. */
	d->closing = true;
	if (landed(d))
		transact(d, &busy, &d->result.last);
	sum_up(d, &before);
	return NULL;
}

static void
dispatch_free(struct dispatch *d)
{
	unsigned i;

	if (d == NULL)
		return;
	http_many_free(d->http);
	for (i = 0; d->flights != NULL && i < d->config->concurrency; i++)
		outbox_delivery_clear(&d->flights[i].delivery);
	free(d->flights);
	outbox_close(d->outbox);
	free(d);
}
AUTO_DEFINE(dispatch, struct dispatch, dispatch_free)

static int
subscribe(struct dispatch *d, struct err *e)
{
	if (outbox_begin(d->outbox, e) == -1)
		return -1;
	if (outbox_subscribe(
		d->outbox, d->config->name, d->config->start, &d->sub, e) == 0)
		return outbox_commit(d->outbox, e);
	outbox_rollback(d->outbox);
	return -1;
}

struct dispatch *
dispatch_start(const struct dispatch_config *config, struct err *e)
{
	AUTO(dispatch) struct dispatch *d = calloc(1, sizeof(*d));
	struct http_many_config http = {
	    .ca_bundle = config->ca_bundle,
	    .plain = config->guard->plain,
	    .timeout_ms = config->timeout_ms,
	    .connect_timeout_ms = CONNECT_MS,
	    .connections = config->concurrency,
	    .may_connect = may_connect,
	    .arg = d,
	};
	int rc;

	if (d != NULL)
		d->flights = calloc(config->concurrency, sizeof(*d->flights));
	if (d == NULL || d->flights == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	d->config = config;
	if (getrandom(&d->random, sizeof(d->random), 0) == -1)
		d->random = (uint64_t)clock_wall_ns();
	d->random |= 1;
	d->outbox = outbox_open(config->dir, true, e);
	if (d->outbox == NULL || subscribe(d, e) == -1)
		return NULL;
	d->http = http_many_new(&http, e);
	if (d->http == NULL)
		return NULL;
	rc = pthread_create(&d->thread, NULL, dispatcher, d);
	if (rc != 0) {
		err_set(e, ERR_SYS, "no thread for events: error %d", rc);
		return NULL;
	}
	return TAKE(d);
}

void
dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    struct dispatch_result *out)
{
	atomic_store(&d->stop, stop);
	atomic_store(&d->deadline_ms, clock_mono_ms() + ms);
	http_many_wake(d->http);
	pthread_join(d->thread, NULL);
	*out = d->result;
	dispatch_free(d);
}
