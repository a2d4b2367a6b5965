/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/events/dispatch_in.h"
#include "agent/events/outbox_notice.h"
#include "base/buf.h"
#include "base/clock.h"

#define NOTICES_KEPT_MS (14 * INT64_C(86400000))

int
box_open(struct box *b, const char *state_dir, struct err *e)
{
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);

	buf_addf(&dir, "%s/%s", state_dir, b->task);
	if (buf_failed(&dir))
		return err_set(e, ERR_NOMEM, "out of memory");
	b->outbox = outbox_open_soon(buf_str(&dir), true, e);
	if (b->outbox == NULL)
		return -1;
	b->state = BOX_OPEN;
	b->opened_ms = clock_mono_ms();
	b->leaving = false;
	return 0;
}

static struct tally *
tally_of(struct box *b, const struct stream_result *r)
{
	struct tally *more;
	size_t i;

	for (i = 0; i < b->tallies_n; i++)
		if (strcmp(b->tallies[i].name, r->name) == 0 &&
		    strcmp(b->tallies[i].replay, r->replay) == 0)
			return &b->tallies[i];
	more = realloc(b->tallies, (b->tallies_n + 1) * sizeof(*more));
	if (more == NULL)
		return NULL;
	b->tallies = more;
	more += b->tallies_n++;
	*more = (struct tally){.waiting = 0};
	snprintf(more->name, sizeof(more->name), "%s", r->name);
	snprintf(more->replay, sizeof(more->replay), "%s", r->replay);
	return more;
}

/* What can't be kept is not told, as there is no memory. */
static void
take_stock(struct box *b, struct stream *s)
{
	struct stream_result r;
	struct tally *t;

	stream_sum_up(s, &r);
	t = tally_of(b, &r);
	if (t == NULL)
		return;
	t->delivered += r.delivered;
	t->dead += r.dead;
	t->waiting = r.waiting;
	t->unrouted = r.unrouted;
	t->last = r.last;
}

void
box_tally(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		take_stock(b, b->streams[i]);
}

void
box_close(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		stream_free(b->streams[i]);
	free(TAKE(b->streams));
	b->n = 0;
	outbox_close(TAKE(b->outbox));
	b->owned = b->busy = b->failing = false;
}

void
box_free(struct box *b)
{
	box_close(b);
	free(b->tallies);
}

static int
add_stream(struct box *b, const struct box_setup *whose, struct receiver *r,
    const struct outbox_replay *replay, struct err *e)
{
	struct stream_setup setup = {
	    .receiver = r,
	    .outbox = b->outbox,
	    .task = b->task,
	    .replay = replay,
	    .http = whose->http,
	    .claims = whose->claims,
	};
	struct stream **more =
	    realloc(b->streams, (b->n + 1) * sizeof(struct stream *));

	if (more == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	b->streams = more;
	b->streams[b->n] = stream_new(&setup, e);
	if (b->streams[b->n] == NULL)
		return err_context(e, "%s", r->subscription->name);
	b->n++;
	return 0;
}

static int
subscribe_all(struct box *b, const struct box_setup *setup, struct err *e)
{
	size_t i;

	for (i = 0; i < setup->n; i++) {
		struct receiver *r = &setup->receivers[i];
		int rc = 1;

		if (setup->only_known &&
		    r->subscription->start.with == START_NOW)
			rc = outbox_knows(b->outbox, r->subscription->name, e);
		if (rc == -1 ||
		    (rc == 1 && add_stream(b, setup, r, NULL, e) == -1))
			return -1;
	}
	return 0;
}

/* The stream of the replay ID; NULL. */
static struct stream *
find_replay(struct box *b, int64_t id)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (stream_replay(b->streams[i]) == id)
			return b->streams[i];
	return NULL;
}

static struct receiver *
find_receiver(const struct box_setup *setup, const char *name)
{
	size_t i;

	for (i = 0; i < setup->n; i++)
		if (strcmp(setup->receivers[i].subscription->name, name) == 0)
			return &setup->receivers[i];
	return NULL;
}

/* Streams of those that are neither over nor under way. */
static int
take_up_replays(struct box *b, const struct box_setup *setup, struct err *e)
{
	AUTO(outbox_replay) struct outbox_replay replay = {.id = 0};
	int rc;

	while (
	    (rc = outbox_replay_next(b->outbox, replay.id, &replay, e)) == 1) {
		struct receiver *r = find_receiver(setup, replay.sub);
		struct stream *s = find_replay(b, replay.id);
		bool active = strcmp(replay.state, "active") == 0;

		if (s != NULL && !active && replay.waiting == 0)
			stream_close(s);
		if (s == NULL && r != NULL && (active || replay.waiting > 0) &&
		    add_stream(b, setup, r, &replay, e) == -1)
			return -1;
	}
	return rc;
}

/* Within a transaction. */
static int
look(struct box *b, const struct box_setup *setup, bool first, struct err *e)
{
	int64_t now_ms = clock_wall_ns() / 1000000;
	size_t i;

	if (first &&
	    (subscribe_all(b, setup, e) == -1 ||
		outbox_notice_prune(b->outbox, now_ms - NOTICES_KEPT_MS, e) ==
		    -1))
		return -1;
	for (i = 0; i < b->n; i++)
		if (stream_refresh(b->streams[i], e) == -1)
			return -1;
	return take_up_replays(b, setup, e);
}

int
box_look(struct box *b, const struct box_setup *setup, struct err *e)
{
	bool first = !b->owned;
	size_t had = b->n;
	int rc =
	    first ? outbox_own(b->outbox, e) : outbox_changed(b->outbox, e);

	if (rc == 1)
		b->stale = true;
	if (rc == -1 || !b->stale)
		return rc;
	rc = outbox_begin(b->outbox, e);
	if (rc == 0)
		rc = look(b, setup, first, e);
	if (rc == 0)
		rc = outbox_commit(b->outbox, e);
	if (rc == -1) {
		outbox_rollback(b->outbox);
		/* None of the new ones is known. */
		while (b->n > had)
			stream_free(b->streams[--b->n]);
		return -1;
	}
	b->owned = b->busy = true;
	b->stale = false;
	return 0;
}

bool
box_has_work(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (stream_has_work(b->streams[i]))
			return true;
	return false;
}

/* Replays that are over are written so. */
static int
end_replays(struct box *b, struct err *e)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (stream_is_over(b->streams[i]) &&
		    outbox_replay_end(b->outbox, stream_replay(b->streams[i]),
			"done", e) == -1)
			return -1;
	return 0;
}

int
box_transact(struct box *b, struct err *e)
{
	size_t done, i;
	int rc = outbox_begin(b->outbox, e);

	if (rc == -1)
		return -1;
	b->busy = false;
	for (done = 0; rc == 0 && done < b->n; done++)
		rc = stream_transact(b->streams[done], &b->busy, e);
	if (rc == 0)
		rc = end_replays(b, e);
	if (rc == 0)
		rc = outbox_commit(b->outbox, e);
	if (rc == -1)
		outbox_rollback(b->outbox);
	for (i = 0; i < done; i++)
		if (rc == 0)
			stream_committed(b->streams[i]);
		else
			stream_rolled_back(b->streams[i]);
	return rc;
}

void
box_leave(struct box *b)
{
	size_t i;

	b->leaving = true;
	for (i = 0; i < b->n; i++)
		stream_close(b->streams[i]);
}

bool
box_is_idle(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (stream_is_up(b->streams[i]))
			return false;
	return !b->busy && !b->failing && !box_has_work(b);
}

bool
box_is_crowded(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (stream_is_crowded(b->streams[i]))
			return true;
	return false;
}

void
box_end(struct box *b)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < b->n; i++)
		stream_end(b->streams[i]);
	if (box_has_work(b) && box_transact(b, &e) == -1)
		b->failure = e;
}

void
box_collect(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		stream_collect(b->streams[i]);
}

void
box_hurry(struct box *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		stream_hurry(b->streams[i]);
}

bool
box_rests(struct box *b, uint64_t ms)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (!stream_rests(b->streams[i], ms))
			return false;
	return true;
}
