/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <sys/random.h>

#include "agent/events/sender.h"
#include "agent/events/stream_in.h"

#define ROUTE_MAX 256 /* events looked at in one transaction */
/* Places for requests whose data isn't at its claim check yet. */
#define CHECKED_IN_MAX 64

void
stream_free(struct stream *s)
{
	uint64_t i;

	if (s == NULL)
		return;
	keeper_free(s->keeper);
	for (i = 0; i < s->flights_n; i++) {
		if (s->flights[i].state == FLIGHT_CLAIMED ||
		    s->flights[i].state == FLIGHT_UP)
			receiver_give_back(s->receiver);
		parcel_clear(&s->flights[i].parcel);
	}
	free(s->flights);
	outbox_replay_clear(&s->replay);
	pattern_free(s->pattern);
	free(s);
}

/* The event after which it begins if it is new. */
static int
start_of(struct stream *s, uint64_t *after, struct err *e)
{
	const struct subscription_start *start = &s->subscription->start;
	int rc = 1;

	*after = OUTBOX_START_NOW;
	if (start->with == START_BEGINNING)
		*after = 0;
	else if (start->with == START_SEQ)
		*after = start->seq - 1;
	else if (start->with == START_TIME)
		rc = outbox_is_subscribed(s->outbox, s->subscription->name, e);
	return rc == 0 ? outbox_before(s->outbox, start->time_ms, after, e)
		       : rc;
}

/* Where it is, within a transaction. */
static int
find_place(struct stream *s, struct err *e)
{
	const struct subscription *of = s->subscription;
	static const enum outbox_ordering orderings[] = {
	    [ORDERING_KEY] = OUTBOX_KEY,
	    [ORDERING_NONE] = OUTBOX_NONE,
	    [ORDERING_STRICT] = OUTBOX_STRICT,
	};
	enum outbox_ordering ordering = orderings[of->ordering];
	uint64_t after;

	if (s->replay.id == 0)
		return start_of(s, &after, e) == -1
		    ? -1
		    : outbox_subscribe(
			  s->outbox, of->name, ordering, after, &s->sub, e);
	if (s->replay.pattern[0] != '\0') {
		s->pattern = pattern_new(
		    s->replay.pattern, strlen(s->replay.pattern), e);
		if (s->pattern == NULL)
			return -1;
	}
	return outbox_resume(s->outbox, s->replay.id, ordering, &s->sub, e);
}

static void
wake(void *http)
{
	http_many_wake(http);
}

/* What its format asks for. */
static int
begin_format(struct stream *s, const struct stream_setup *setup, struct err *e)
{
	const struct format *f = &s->subscription->format;

	s->batch_most = f->batch_events;
	if (f->claim_check != NULL &&
	    (s->keeper = keeper_new(setup->claims, f, wake, setup->http, e)) ==
		NULL)
		return -1;
	/* Batches of a time when they were wanted. */
	if (f->kind != FORMAT_BATCH &&
	    outbox_batch_open(s->outbox, &s->sub, 0, now_ms(), e) == -1)
		return -1;
	return 0;
}

struct stream *
stream_new(const struct stream_setup *setup, struct err *e)
{
	AUTO(stream) struct stream *s = calloc(1, sizeof(*s));
	const struct subscription *of = setup->receiver->subscription;
	uint64_t places = 2 * of->concurrency +
	    (of->format.claim_check != NULL ? CHECKED_IN_MAX : 0);

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->receiver = setup->receiver;
	s->subscription = of;
	s->outbox = setup->outbox;
	s->task = setup->task;
	if (setup->replay != NULL) {
		s->replay = *setup->replay;
		s->replay.pattern = strdup(setup->replay->pattern);
	}
	s->bucket = bucket_new(s->replay.rate, 0);
	s->flights = calloc(places, sizeof(*s->flights));
	if (s->flights == NULL ||
	    (s->replay.id != 0 && s->replay.pattern == NULL)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->flights_n = places;
	if (getrandom(&s->random, sizeof(s->random), 0) == -1)
		s->random = (uint64_t)clock_wall_ns();
	s->random |= 1;
	if (find_place(s, e) == -1 || begin_format(s, setup, e) == -1)
		return NULL;
	s->sub_first = s->sub;
	return TAKE(s);
}

static int
wanted(void *arg, const struct outbox_event *event, struct err *e)
{
	const struct stream *s = arg;

	if (s->replay.id != 0 &&
	    (event->time_ms < s->replay.from_ms ||
		event->time_ms >= s->replay.to_ms))
		return 0;
	return subscription_wants(
	    s->subscription, s->pattern, event->body, event->len, e);
}

/* Requests that may be begun now. */
static unsigned
room(struct stream *s, int64_t now)
{
	uint64_t mono = clock_mono_ms();
	unsigned most, consent;

	if (s->closing)
		return 0;
	most = receiver_room(s->receiver, now, mono);
	consent = most > 0 ? sender_room(s->receiver->sender) : 0;
	return bucket_room(
	    &s->bucket, s->spent_ns, mono, most < consent ? most : consent);
}

static int
claim(struct stream *s, int64_t now, struct err *e)
{
	struct parcel_order order = {
	    .subscription = s->subscription,
	    .outbox = s->outbox,
	    .sub = &s->sub,
	    .task = s->task,
	    .replay = s->replay.new_ids ? &s->replay : NULL,
	    .most = s->batch_most,
	    .hurry = s->hurries,
	    .now_ms = now,
	};
	unsigned want = room(s, now);
	uint64_t i, mono = clock_mono_ms();
	int rc = 1;

	for (i = 0; want > 0 && i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];

		if (f->state != FLIGHT_FREE)
			continue;
		if (!receiver_take(s->receiver, mono))
			break;
		rc = parcel_claim(&order, &f->parcel, &s->batch_later_ms, e);
		if (rc != 1) {
			receiver_take_back(s->receiver);
			break;
		}
		f->state = FLIGHT_CLAIMED;
		f->stream = s;
		s->claimed++;
		want--;
		bucket_take(&s->bucket, &s->spent_ns, mono);
	}
	return rc == -1 ? -1 : 0;
}

/* The last event of a replay has deliveries. */
static bool
is_routed(const struct stream *s)
{
	return s->replay.id != 0 && s->sub.routed >= s->replay.until;
}

/* To a receiver that gets nothing now, deliveries for a beginning are enough:
 * what it costs to make them is spent beside transfers. */
static bool
may_route(const struct stream *s)
{
	int64_t now = now_ms();

	return !s->closing && !is_routed(s) &&
	    receiver_is_active(s->receiver) &&
	    (s->sub.live < ROUTE_MAX ||
		(s->sub.live < OUTBOX_WINDOW &&
		    receiver_hold_until(s->receiver, now) <= now));
}

static int
route(struct stream *s, int64_t now, bool *busy, struct err *e)
{
	struct outbox_routing how = {
	    .filter = wanted,
	    .arg = s,
	    .max = ROUTE_MAX,
	    .until = s->replay.until,
	    .now_ms = now,
	    .fresh = s->replay.id != 0,
	};
	unsigned seen = 0;

	if (outbox_route(s->outbox, &s->sub, &how, &seen, e) == -1)
		return -1;
	*busy |= seen == ROUTE_MAX && s->sub.live < OUTBOX_WINDOW;
	/* Events behind the last one are nothing to a replay. */
	if (s->replay.id != 0 && seen < ROUTE_MAX)
		s->sub.routed = s->replay.until;
	return 0;
}

bool
stream_is_over(const struct stream *s)
{
	return is_routed(s) && s->sub.live == 0;
}

int64_t
stream_replay(const struct stream *s)
{
	return s->replay.id;
}

int
stream_refresh(struct stream *s, struct err *e)
{
	return outbox_sub_refresh(s->outbox, &s->sub, e);
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
	due = s->batch_later_ms;
	if (due == 0 || s->hurries)
		due = outbox_due(s->outbox, &s->sub, &e);
	return due == -1 || (due > 0 && due <= now);
}

bool
stream_is_crowded(struct stream *s)
{
	int64_t now = now_ms(), due;
	struct err e = ERR_INIT;

	if (s->closing || !receiver_is_active(s->receiver) ||
	    receiver_hold_until(s->receiver, now) > now || room(s, now) > 0)
		return false;
	due = outbox_due(s->outbox, &s->sub, &e);
	return due > 0 && due <= now;
}

int
stream_transact(struct stream *s, bool *busy, struct err *e)
{
	int64_t now = now_ms();
	uint64_t i;

	s->sub_before = s->sub;
	for (i = 0; i < s->flights_n; i++)
		if (s->flights[i].state == FLIGHT_LANDED &&
		    stream_settle(s, &s->flights[i], now, e) == -1)
			return -1;
	if (may_route(s) && route(s, now, busy, e) == -1)
		return -1;
	if (claim(s, now, e) == -1)
		return -1;
	return outbox_sub_save(s->outbox, &s->sub, e);
}

static void
empty(struct stream *s, struct flight *f)
{
	parcel_clear(&f->parcel);
	f->state = FLIGHT_FREE;
	s->claimed--;
}

void
stream_committed(struct stream *s)
{
	uint64_t i;

	for (i = 0; i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];

		if (f->state == FLIGHT_LANDED)
			empty(s, f);
		if (f->state == FLIGHT_CLAIMED)
			stream_launch(s, f);
	}
}

void
stream_rolled_back(struct stream *s)
{
	uint64_t i;

	for (i = 0; i < s->flights_n; i++)
		if (s->flights[i].state == FLIGHT_CLAIMED) {
			empty(s, &s->flights[i]);
			receiver_take_back(s->receiver);
		}
	s->sub = s->sub_before;
}

bool
stream_is_up(const struct stream *s)
{
	return s->claimed > 0;
}

void
stream_hurry(struct stream *s)
{
	s->hurries = true;
}

void
stream_close(struct stream *s)
{
	s->closing = true;
}

void
stream_end(struct stream *s)
{
	uint64_t i;

	stream_close(s);
	keeper_free(TAKE(s->keeper));
	for (i = 0; i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];

		if (f->state == FLIGHT_CHECKED_IN || f->state == FLIGHT_KEPT)
			stream_put_off(f);
	}
}

bool
stream_rests(struct stream *s, uint64_t ms)
{
	struct err e = ERR_INIT;
	int64_t due, hold, now = now_ms();

	/* What is at its claim check may have to wait for long. */
	if (s->claimed > s->kept)
		return false;
	if (!receiver_is_active(s->receiver) || stream_is_over(s))
		return s->kept == 0;
	if (may_route(s) && outbox_has_news(s->outbox, &s->sub, &e) == 1)
		return false;
	due = s->kept > 0 ? now : outbox_due(s->outbox, &s->sub, &e);
	if (due == 0)
		return true;
	hold = receiver_hold_until(s->receiver, now);
	return (due < hold ? hold : due) - now >= (int64_t)ms;
}

static void
tell_failure(int status, const char *text, struct err *out)
{
	if (status != 0)
		err_set(out, ERR_SERVER, "HTTP %d %s", status, text);
	else
		err_set(out, ERR_NET, "%s", text);
}

/* Why something still waits. */
static void
explain(struct stream *s, struct err *out)
{
	int64_t now = now_ms(), until = receiver_hold_until(s->receiver, now);
	struct err e = ERR_INIT;
	char text[400], when[32];
	int status = 0;

	if (!receiver_is_active(s->receiver))
		err_set(out, ERR_BUSY, "it is %s",
		    control_state_name(s->receiver->control.state));
	else if (outbox_failure(s->outbox, &s->sub, &status, text, sizeof(text),
		     &e) == 1 &&
	    (status != 0 || text[0] != '\0'))
		tell_failure(status, text, out);
	else if (s->claimed > 0)
		err_set(out, ERR_NET, "no answer yet");
	else if (until > now) {
		clock_iso8601(until * 1000000, when, sizeof(when));
		err_set(out, ERR_BUSY,
		    "after failures, or as it asked, it gets nothing until %s",
		    when);
	} else
		err_set(out, ERR_STOPPED, "there was no time");
}

void
stream_sum_up(struct stream *s, struct stream_result *out)
{
	struct err e = ERR_INIT;

	/* Others may have dropped what waited. */
	stream_refresh(s, &e);
	*out = (struct stream_result){
	    .task = s->task,
	    .name = s->sub.name,
	    .replay = s->sub.replay,
	    .state = s->receiver->control.state,
	    .reason = s->receiver->control.reason,
	    .waiting = s->sub.live,
	    .delivered = s->sub.delivered - s->sub_first.delivered,
	    .dead = s->sub.dead - s->sub_first.dead,
	    .unrouted =
		!is_routed(s) && outbox_has_news(s->outbox, &s->sub, &e) == 1,
	};
	if (out->waiting > 0 || out->unrouted)
		explain(s, &out->last);
}
