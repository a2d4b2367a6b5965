/* SPDX-License-Identifier: ISC */
/* Requests of a stream: how they leave, land, and what becomes of them. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/outbox_notice.h"
#include "agent/events/sender.h"
#include "agent/events/stream_in.h"
#include "base/text.h"

static uint64_t
next_random(struct stream *s)
{
	/* xorshift64; https://doi.org/10.18637/jss.v008.i14 */
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* In strict order, what can't be delivered may hold all that comes after. */
static void
hold_all(struct stream *s, struct flight *f, int64_t now)
{
	struct policy_verdict *v = &f->verdict;
	char reason[64];

	if (v->action != POLICY_DEAD || !v->exhausted ||
	    s->subscription->ordering != ORDERING_STRICT ||
	    s->subscription->skips)
		return;
	v->action = POLICY_RETRY;
	v->wait_ms = 0;
	if (!receiver_is_active(s->receiver))
		return;
	snprintf(reason, sizeof(reason), "not delivered: %s", v->reason);
	receiver_stop(s->receiver, CONTROL_PAUSED, reason, now);
	f->stops = true;
}

/* What the answer of F leads to. */
static void
judge(struct stream *s, struct flight *f)
{
	const struct outbox_batch *b = &f->parcel.events;
	int64_t now = now_ms();

	f->verdict = policy_judge(&s->subscription->policy, &f->answer,
	    b->items[0].attempts,
	    control_age_ms(&s->receiver->control, b->items[0].since_ms, now),
	    next_random(s));
	f->stops = !f->answer.unsent &&
	    receiver_judge(s->receiver, &f->verdict, now, next_random(s));
	f->halves = f->answer.status == 413 && b->n > 1;
	if (!f->halves)
		hold_all(s, f, now);
}

/* Writes down what became of D, one of those that F was. */
static int
settle_one(struct stream *s, const struct flight *f,
    const struct outbox_delivery *d, int64_t now, struct err *e)
{
	struct outbox_outcome how = {
	    .at_ms = now,
	    .took_ms = f->took_ms,
	    .status = f->answer.status,
	    .error = f->error,
	};
	struct outbox_notice notice = {
	    .task = s->task,
	    .about = &s->sub,
	    .now_ms = now,
	    .reason = f->verdict.reason,
	};

	switch (f->verdict.action) {
	case POLICY_DONE:
		return outbox_done(s->outbox, &s->sub, d, &how, e);
	case POLICY_DEAD:
		if (outbox_notice_dead(
			s->outbox, &notice, d, f->answer.status, e) == -1)
			return -1;
		return outbox_dead(
		    s->outbox, &s->sub, d, &how, f->verdict.reason, e);
	case POLICY_DISABLE:
	case POLICY_RETRY:
		break;
	}
	return outbox_retry(
	    s->outbox, &s->sub, d, &how, now + (int64_t)f->verdict.wait_ms, e);
}

/* As many were too much at once: half of them are tried. */
static int
halve(
    struct stream *s, const struct outbox_batch *b, int64_t now, struct err *e)
{
	if (s->batch_most > b->n / 2)
		s->batch_most = b->n / 2;
	return outbox_batch_open(s->outbox, &s->sub, b->items[0].seq, now, e);
}

static int
take_back(struct stream *s, const struct outbox_batch *b, struct err *e)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (outbox_take_back(s->outbox, &s->sub, &b->items[i], e) == -1)
			return -1;
	return 0;
}

int
stream_settle(struct stream *s, struct flight *f, int64_t now, struct err *e)
{
	const struct outbox_batch *b = &f->parcel.events;
	struct outbox_notice notice = {
	    .task = s->task,
	    .about = &s->sub,
	    .now_ms = now,
	    .reason = s->receiver->control.reason,
	};
	size_t i;

	if (f->put_off)
		return take_back(s, b, e);
	if (f->stops &&
	    outbox_notice_stopped(s->outbox, &notice,
		control_state_name(s->receiver->control.state), e) == -1)
		return -1;
	if (f->halves)
		return halve(s, b, now, e);
	for (i = 0; i < b->n; i++)
		if (settle_one(s, f, &b->items[i], now, e) == -1)
			return -1;
	return 0;
}

static int
send_one(struct stream *s, struct flight *f, struct err *e)
{
	const struct parcel *p = &f->parcel;
	AUTO(buf) struct buf headers = BUF_INIT(1 << 16);

	if (subscription_headers(s->subscription, p->id, now_ms() / 1000,
		p->body, p->len, &headers, e) == -1)
		return -1;
	if (s->replay.id != 0) {
		buf_addf(&headers, "x-dray-replay: %s", s->replay.name);
		buf_addc(&headers, '\0');
	}
	if (buf_failed(&headers))
		return err_set(e, ERR_NOMEM, "out of memory");
	return sender_post(
	    s->receiver->sender, &headers, p->body, p->len, f, e);
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

/* Why F was not taken. */
static void
explain(struct flight *f, const struct http_many_reply *r)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	if (r->refused)
		buf_adds(&text,
		    "the receiver's address is private or reserved, and its "
		    "network not allowed");
	else if (r->status == 0)
		text_escape(&text, r->err.msg, strlen(r->err.msg));
	else
		text_escape(&text, r->text, r->text_len);
	snprintf(f->error, sizeof(f->error), "%s", buf_str(&text));
}

/* What became of F; UNSENT: it never left. */
static void
land(struct flight *f, const struct http_many_reply *r, bool unsent)
{
	f->state = FLIGHT_LANDED;
	f->put_off = false;
	f->took_ms = r->took_ms;
	f->error[0] = '\0';
	set_answer(f, r);
	f->answer.unsent = unsent;
	judge(f->stream, f);
	if (r->status / 100 != 2)
		explain(f, r);
}

void
stream_land(void *tag, const struct http_many_reply *r)
{
	struct flight *f = tag;

	receiver_give_back(f->stream->receiver);
	land(f, r, false);
}

static void
begin(struct stream *s, struct flight *f)
{
	struct http_many_reply r = {.status = 0};

	f->state = FLIGHT_UP;
	if (send_one(s, f, &r.err) == -1)
		stream_land(f, &r);
}

/* Meanwhile others may go. */
static void
check_in(struct stream *s, struct flight *f)
{
	struct http_many_reply r = {.status = 0};

	receiver_take_back(s->receiver);
	f->state = FLIGHT_CHECKED_IN;
	if (keeper_put(s->keeper, &f->parcel, f, &r.err) == -1)
		land(f, &r, true);
}

void
stream_launch(struct stream *s, struct flight *f)
{
	if (f->parcel.claimed)
		check_in(s, f);
	else
		begin(s, f);
}

void
stream_collect(struct stream *s)
{
	struct http_many_reply r = {.status = 0};
	uint64_t i, mono = clock_mono_ms();
	void *tag;
	int rc;

	if (s->keeper == NULL)
		return;
	while (keeper_next(s->keeper, &tag, &rc, &r.err))
		if (rc == 0) {
			((struct flight *)tag)->state = FLIGHT_KEPT;
			s->kept++;
		} else {
			land(tag, &r, true);
		}
	for (i = 0; s->kept > 0 && i < s->flights_n; i++) {
		struct flight *f = &s->flights[i];

		if (f->state != FLIGHT_KEPT)
			continue;
		if (s->closing || !receiver_is_active(s->receiver)) {
			stream_put_off(f);
		} else if (receiver_room(s->receiver, now_ms(), mono) > 0 &&
		    receiver_take(s->receiver, mono)) {
			s->kept--;
			begin(s, f);
		}
	}
}

void
stream_put_off(struct flight *f)
{
	f->stream->kept -= f->state == FLIGHT_KEPT;
	f->state = FLIGHT_LANDED;
	f->put_off = true;
}
