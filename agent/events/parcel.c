/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/outbox_notice.h"
#include "agent/events/parcel.h"
#include "base/text.h"
#include "verify/digest.h"

/* Of those that were sealed under other limits, too. */
#define BATCH_MAX ((size_t)1 << 30)

#define TOO_LARGE "too_large"

void
parcel_clear(struct parcel *p)
{
	outbox_batch_clear(&p->events);
	free(p->made);
	*p = (struct parcel){0};
}

/* Nobody can be sent it: D is dead. */
static int
give_up(const struct parcel_order *order, const struct outbox_delivery *d,
    const struct err *why, struct err *e)
{
	struct outbox_outcome how = {.at_ms = order->now_ms, .error = why->msg};
	struct outbox_notice notice = {
	    .task = order->task,
	    .about = order->sub,
	    .now_ms = order->now_ms,
	    .reason = TOO_LARGE,
	};

	if (outbox_notice_dead(order->outbox, &notice, d, 0, e) == -1)
		return -1;
	return outbox_dead(order->outbox, order->sub, d, &how, TOO_LARGE, e);
}

/* The id of D into ID; a new one, in its body as well, where that is asked
 * for. */
static int
dress(const struct parcel_order *order, struct outbox_delivery *d, char *id,
    struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1 << 20);

	cloudevent_id(d->seq, id);
	if (order->replay == NULL)
		return 0;
	cloudevent_new_id(d->seq, order->replay->made_us, id);
	cloudevent_reissue(&body, d->body, d->len, id);
	if (buf_failed(&body))
		return err_set(e, ERR_NOMEM, "out of memory");
	free(d->body);
	d->len = body.len;
	d->body = buf_take(&body);
	return 0;
}

/* The same events as the same bytes have the same one, and no others do: also
 * after a batch was taken apart, or the outbox lost. */
static int
name_batch(struct parcel *p, struct err *e)
{
	AUTO(digester) struct digester *digester = digester_new(e);
	struct digest digest;
	char first[CLOUDEVENT_ID_MAX], last[CLOUDEVENT_ID_MAX], hex[17];

	if (digester == NULL)
		return -1;
	digester_start(digester, DIGEST_XXH3);
	digester_update(digester, p->body, p->len);
	digester_finish(digester, &digest);
	text_hex(digest.xxh3, 8, hex);
	cloudevent_id(p->events.items[0].seq, first);
	cloudevent_id(p->events.items[p->events.n - 1].seq, last);
	snprintf(p->id, sizeof(p->id), "bat_%s_%s_%s", strchr(first, '_') + 1,
	    strchr(last, '_') + 1, hex);
	return 0;
}

static int
form_batch(struct parcel *p, const struct subscription *s, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(BATCH_MAX);
	size_t i;

	for (i = 0; i < p->events.n; i++) {
		const struct outbox_delivery *d = &p->events.items[i];
		AUTO(free) char *made = NULL;
		bool claimed;
		size_t len;
		int rc = format_event(&s->format, s->name, d->body, d->len,
		    &made, &len, &claimed, e);

		if (rc != 1)
			return rc;
		p->claimed |= claimed;
		buf_addc(&body, i == 0 ? '[' : ',');
		buf_add(&body, made != NULL ? made : d->body, len);
	}
	buf_addc(&body, ']');
	p->len = body.len;
	p->made = buf_take(&body);
	if (p->made == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->body = p->made;
	return name_batch(p, e) == -1 ? -1 : 1;
}

/* The rest of P, whose events are there: 1; 0 if one of them is too large, and
 * *E says so; -1. */
static int
form(struct parcel *p, const struct subscription *s, struct err *e)
{
	const struct outbox_delivery *d = &p->events.items[0];
	int rc;

	if (s->format.kind == FORMAT_BATCH)
		return form_batch(p, s, e);
	rc = format_event(&s->format, s->name, d->body, d->len, &p->made,
	    &p->len, &p->claimed, e);
	p->body = p->made != NULL ? p->made : d->body;
	return rc;
}

int
parcel_of(struct parcel *p, const struct subscription *s, uint64_t seq,
    const char *body, size_t len, struct err *e)
{
	struct outbox_delivery *d = calloc(1, sizeof(*d));

	*p = (struct parcel){.events = {.items = d, .n = d != NULL}};
	if (d == NULL || (d->body = strndup(body, len)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->seq = seq;
	d->len = len;
	cloudevent_id(seq, p->id);
	return form(p, s, e) == 1 ? 0 : -1;
}

static int
claim_one(const struct parcel_order *order, struct parcel *p, struct err *e)
{
	struct outbox_delivery *d = calloc(1, sizeof(*d));
	struct err why = ERR_INIT;
	int rc;

	if (d == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->events = (struct outbox_batch){.items = d, .n = 1};
	while ((rc = outbox_claim(
		    order->outbox, order->sub, order->now_ms, d, e)) == 1) {
		if (dress(order, d, p->id, e) == -1)
			return -1;
		rc = form(p, order->subscription, &why);
		if (rc == 1)
			return 1;
		if (rc == -1)
			*e = why;
		else
			rc = give_up(order, d, &why, e);
		if (rc == -1)
			return -1;
		outbox_delivery_clear(d);
	}
	return rc;
}

static int
measure(void *arg, struct outbox_delivery *d, size_t *bytes, struct err *e)
{
	const struct parcel_order *order = arg;
	AUTO(free) char *made = NULL;
	char id[CLOUDEVENT_ID_MAX];
	struct err why = ERR_INIT;
	bool claimed;
	int rc;

	if (dress(order, d, id, e) == -1)
		return -1;
	rc = format_event(&order->subscription->format,
	    order->subscription->name, d->body, d->len, &made, bytes, &claimed,
	    &why);
	if (rc == 0)
		return give_up(order, d, &why, e);
	if (rc == -1)
		*e = why;
	return rc;
}

static int
claim_batch(const struct parcel_order *order, struct parcel *p,
    int64_t *later_ms, struct err *e)
{
	const struct format *f = &order->subscription->format;
	struct parcel_order measured = *order;
	struct outbox_limits limits = {
	    .events = order->most,
	    .bytes = f->batch_bytes - 1,
	    .wait_ms = order->hurry ? 0 : (int64_t)f->batch_wait_ms,
	    .measure = measure,
	    .arg = &measured,
	};
	int rc = outbox_claim_batch(order->outbox, order->sub, order->now_ms,
	    &limits, &p->events, later_ms, e);

	/* Each was measured: none is too large now. */
	return rc == 1 ? form(p, order->subscription, e) : rc;
}

int
parcel_claim(const struct parcel_order *order, struct parcel *p,
    int64_t *later_ms, struct err *e)
{
	int rc;

	*later_ms = 0;
	*p = (struct parcel){0};
	rc = order->subscription->format.kind == FORMAT_BATCH
	    ? claim_batch(order, p, later_ms, e)
	    : claim_one(order, p, e);
	if (rc != 1)
		parcel_clear(p);
	return rc;
}
