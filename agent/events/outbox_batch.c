/* SPDX-License-Identifier: ISC */
/* Deliveries that go together, in one request, and stay together. */
#include "config.h"

#include <string.h>

#include "agent/events/outbox_db.h"

/* A batch that is being put together. */
struct gathering {
	struct outbox *o;
	struct outbox_sub *sub;
	const struct outbox_limits *limits;
	int64_t now_ms;
	struct outbox_batch *out;
	uint64_t bytes;
	bool full;
};

void
outbox_batch_clear(struct outbox_batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		outbox_delivery_clear(&b->items[i]);
	free(b->items);
	*b = (struct outbox_batch){0};
}

/* The next row of S, which has ROW_COLUMNS, into *D, without its body: 1, 0,
 * -1. */
static int
next_row(
    struct outbox *o, sqlite3_stmt *s, struct outbox_delivery *d, struct err *e)
{
	int rc = outbox_row(o, s, e);

	*d = (struct outbox_delivery){0};
	if (rc != 1)
		return rc;
	d->seq = (uint64_t)sqlite3_column_int64(s, 0);
	d->run = (uint64_t)sqlite3_column_int64(s, 1);
	d->attempts = (unsigned)sqlite3_column_int(s, 2) + 1;
	d->since_ms = sqlite3_column_int64(s, 4);
	d->key = strdup(column_str(s, 3));
	return d->key != NULL ? 1 : err_set(e, ERR_NOMEM, "out of memory");
}

/* All rows of S, which is reset: LIST, malloc'd. */
static int
read_rows(struct outbox *o, sqlite3_stmt *s, size_t max,
    struct outbox_batch *list, struct err *e)
{
	int rc;

	list->items = calloc(max, sizeof(*list->items));
	if (list->items == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (list->n < max &&
	    (rc = next_row(o, s, &list->items[list->n], e)) != 0) {
		if (rc == -1) {
			sqlite3_reset(s);
			return -1;
		}
		list->n++;
	}
	sqlite3_reset(s);
	return 0;
}

/* 1: D can go, as *BYTES; 0: it is dead; -1. */
static int
look_at(struct gathering *g, struct outbox_delivery *d, size_t *bytes,
    struct err *e)
{
	int rc = outbox_read_event(g->o, g->sub, d, g->now_ms, e);

	return rc == 1 ? g->limits->measure(g->limits->arg, d, bytes, e) : rc;
}

/* The event of *D, which moves into the batch, or dies, or waits for another
 * one as this is full. */
static int
take(struct gathering *g, struct outbox_delivery *d, struct err *e)
{
	struct outbox_batch *b = g->out;
	size_t bytes = 0;
	int rc = look_at(g, d, &bytes, e);

	if (rc == 1 && b->n > 0 && g->bytes + bytes + 1 > g->limits->bytes) {
		g->full = true;
	} else if (rc == 1) {
		g->bytes += bytes + 1;
		b->items[b->n++] = *d;
		*d = (struct outbox_delivery){0};
		g->full = b->n == g->limits->events;
	}
	return rc == -1 ? -1 : 0;
}

/* Those that wait for nothing but what comes before them here: of KEY, or, in
 * strict order, of any. */
static int
take_followers(
    struct gathering *g, const char *key, uint64_t seq, struct err *e)
{
	sqlite3_stmt *s;
	int rc = 1;

	while (rc == 1 && !g->full) {
		struct outbox_delivery d = {0};

		s = outbox_prepare(g->o,
		    g->sub->ordering == OUTBOX_STRICT ? OB_BATCH_NEXT
						      : OB_BATCH_FOLLOWER,
		    e);
		if (s == NULL)
			return -1;
		sqlite3_bind_int64(s, 1, g->sub->id);
		sqlite3_bind_int64(s, 2, (sqlite3_int64)seq);
		if (g->sub->ordering != OUTBOX_STRICT)
			sqlite3_bind_text(s, 3, key, -1, SQLITE_STATIC);
		rc = next_row(g->o, s, &d, e);
		sqlite3_reset(s);
		seq = d.seq;
		if (rc == 1 && take(g, &d, e) == -1)
			rc = -1;
		outbox_delivery_clear(&d);
	}
	return rc == -1 ? -1 : 0;
}

static int
gather(struct gathering *g, struct err *e)
{
	struct outbox_batch ready = {0};
	sqlite3_stmt *s = outbox_prepare(g->o, OB_BATCH_READY, e);
	int rc = s != NULL ? 0 : -1;
	size_t i;

	if (rc == 0) {
		sqlite3_bind_int64(s, 1, g->sub->id);
		sqlite3_bind_int64(s, 2, g->now_ms);
		sqlite3_bind_int64(s, 3, (sqlite3_int64)g->limits->events);
		rc = read_rows(g->o, s, g->limits->events, &ready, e);
	}
	for (i = 0; rc == 0 && i < ready.n && !g->full; i++) {
		AUTO(free) char *key = strdup(ready.items[i].key);
		uint64_t seq = ready.items[i].seq;
		size_t before = g->out->n;

		rc = key != NULL ? take(g, &ready.items[i], e)
				 : err_set(e, ERR_NOMEM, "out of memory");
		/* What waited for a dead one is ready in its own right. */
		if (rc == 0 && g->out->n > before)
			rc = take_followers(g, key, seq, e);
	}
	outbox_batch_clear(&ready);
	return rc;
}

static int
by_number(const void *a, const void *b)
{
	const struct outbox_delivery *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Under way, together from now on. */
static int
seal(struct outbox *o, const struct outbox_sub *sub, struct outbox_batch *b,
    struct err *e)
{
	size_t i;

	qsort(b->items, b->n, sizeof(*b->items), by_number);
	for (i = 0; i < b->n; i++) {
		sqlite3_stmt *s = outbox_prepare(o, OB_BATCH_SEAL, e);

		if (s == NULL)
			return -1;
		sqlite3_bind_int64(s, 1, sub->id);
		sqlite3_bind_int64(s, 2, (sqlite3_int64)b->items[i].seq);
		sqlite3_bind_int64(s, 3, (sqlite3_int64)b->items[0].seq);
		if (outbox_step(o, s, e) == -1)
			return -1;
	}
	return 0;
}

/* What was sealed as BATCH, but for what is dead meanwhile. */
static int
load(struct gathering *g, int64_t batch, struct err *e)
{
	struct outbox_batch all = {0};
	sqlite3_stmt *s = outbox_prepare(g->o, OB_BATCH_MEMBERS, e);
	int rc = s != NULL ? 0 : -1;
	size_t bytes, i;

	if (rc == 0) {
		sqlite3_bind_int64(s, 1, g->sub->id);
		sqlite3_bind_int64(s, 2, batch);
		rc = read_rows(g->o, s, OUTBOX_BATCH_MAX, &all, e);
	}
	for (i = 0; rc == 0 && i < all.n; i++) {
		rc = look_at(g, &all.items[i], &bytes, e);
		if (rc == 1) {
			g->out->items[g->out->n++] = all.items[i];
			all.items[i] = (struct outbox_delivery){0};
			rc = 0;
		}
	}
	outbox_batch_clear(&all);
	return rc;
}

/* What is due first: 1, since when and in which batch; 0; -1. */
static int
find_first(
    struct gathering *g, int64_t *since_ms, int64_t *batch, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(g->o, OB_BATCH_FIRST, e);
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, g->sub->id);
	sqlite3_bind_int64(s, 2, g->now_ms);
	rc = outbox_row(g->o, s, e);
	if (rc != 1)
		return rc;
	*since_ms = sqlite3_column_int64(s, 0);
	*batch = sqlite3_column_int64(s, 1);
	sqlite3_reset(s);
	return 1;
}

static int
claim(struct gathering *g, int64_t *later_ms, struct err *e)
{
	int64_t since, batch;
	int rc;

	while ((rc = find_first(g, &since, &batch, e)) == 1) {
		if ((batch != 0 ? load(g, batch, e) : gather(g, e)) == -1)
			return -1;
		if (batch == 0 && !g->full &&
		    since + g->limits->wait_ms > g->now_ms && g->out->n > 0) {
			*later_ms = since + g->limits->wait_ms;
			return 0;
		}
		/* All that was due first may be dead by now. */
		if (g->out->n > 0)
			return seal(g->o, g->sub, g->out, e) == -1 ? -1 : 1;
	}
	return rc;
}

int
outbox_claim_batch(struct outbox *o, struct outbox_sub *sub, int64_t now_ms,
    const struct outbox_limits *limits, struct outbox_batch *out,
    int64_t *later_ms, struct err *e)
{
	struct gathering g = {
	    .o = o,
	    .sub = sub,
	    .limits = limits,
	    .now_ms = now_ms,
	    .out = out,
	};
	struct outbox_delivery *fewer;
	int rc;

	*later_ms = 0;
	*out = (struct outbox_batch){
	    .items = calloc(OUTBOX_BATCH_MAX, sizeof(*out->items))};
	if (out->items == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = claim(&g, later_ms, e);
	if (rc != 1) {
		outbox_batch_clear(out);
		return rc;
	}
	fewer = realloc(out->items, out->n * sizeof(*out->items));
	if (fewer != NULL)
		out->items = fewer;
	return 1;
}

int
outbox_batch_open(struct outbox *o, const struct outbox_sub *sub,
    uint64_t first, int64_t now_ms, struct err *e)
{
	sqlite3_stmt *s = outbox_prepare(o, OB_BATCH_OPEN, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, sub->id);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)first);
	sqlite3_bind_int64(s, 3, now_ms);
	sqlite3_bind_int(s, 4, (int)sub->ordering);
	return outbox_step(o, s, e);
}
