/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/dispatch_in.h"
#include "base/clock.h"

#define TURN_MS 2000 /* of a box that others wait for */
/* Of one that waits for a place at a receiver. */
#define CROWDED_TURN_MS 500
/* After it had nothing to begin; twice as long each time that nothing came of
 * its turn, though there were places at its receivers. */
#define AGAIN_MS 500
#define AGAIN_MAX_MS 16000

static bool
is_open(const struct box *b)
{
	return b->state == BOX_OPEN;
}

/* A box that waits for its turn; NULL. */
static struct box *
next_one(struct turns *t, uint64_t now)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct box *b = &t->boxes[(t->next + i) % t->n];

		if (b->state == BOX_WAITS && b->again_ms <= now) {
			t->next = (t->next + i + 1) % t->n;
			return b;
		}
	}
	return NULL;
}

static size_t
count(const struct turns *t, enum box_state state)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += t->boxes[i].state == state;
	return n;
}

/* It waits, twice as long each time. */
static void
pause_turns(struct box *b, uint64_t now)
{
	b->again_ms = now + b->pause_ms;
	b->pause_ms = b->pause_ms == 0 ? AGAIN_MS : 2 * b->pause_ms;
	if (b->pause_ms > AGAIN_MAX_MS)
		b->pause_ms = AGAIN_MAX_MS;
}

/* What another process has is left to it, and what fails to the next time; what
 * is only locked now has another turn. */
static void
begin_turn(struct turns *t, struct box *b, const struct box_setup *setup)
{
	struct err e = ERR_INIT;

	b->failure = (struct err)ERR_INIT;
	if (box_open(b, t->state_dir, &e) == -1 || box_look(b, setup, &e) == -1)
		b->failure = e;
	else if (!b->owned)
		err_set(&b->failure, ERR_BUSY,
		    "another process sends events of this task");
	if (b->owned) {
		outbox_wait_more(b->outbox);
		return;
	}
	box_close(b);
	b->state = e.kind == ERR_BUSY ? BOX_WAITS : BOX_OVER;
	if (b->state == BOX_WAITS)
		pause_turns(b, clock_mono_ms());
}

static uint64_t
settled(const struct box *b)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < b->tallies_n; i++)
		n += b->tallies[i].delivered + b->tallies[i].dead;
	return n;
}

static void
end_turn(struct box *b, enum box_state state, uint64_t now)
{
	uint64_t before = settled(b);
	bool crowded = box_is_crowded(b);

	box_tally(b);
	if (state == BOX_WAITS)
		outbox_keep_log(b->outbox);
	box_close(b);
	b->state = state;
	if (crowded || settled(b) > before)
		b->pause_ms = 0;
	if (crowded)
		b->again_ms = now;
	else
		pause_turns(b, now);
}

/* CROWD: there are more that wait than places for them. */
static void
pass_one(struct box *b, bool crowd, uint64_t left_ms, uint64_t now)
{
	uint64_t turn_ms = now - b->opened_ms;

	if (!box_is_idle(b)) {
		/* What is at its claim check already waits as well as here. */
		if ((crowd && turn_ms > TURN_MS) || box_rests(b, left_ms))
			box_leave(b);
	} else if (!b->leaving && box_rests(b, left_ms)) {
		end_turn(b, BOX_OVER, now);
	} else if (b->leaving ||
	    (crowd && (turn_ms > CROWDED_TURN_MS || !box_is_crowded(b)))) {
		end_turn(b, BOX_WAITS, now);
	}
}

void
turns_pass(struct turns *t, const struct box_setup *setup, uint64_t left_ms)
{
	uint64_t now = clock_mono_ms();
	size_t open = count(t, BOX_OPEN), i;
	bool crowd = count(t, BOX_WAITS) + open > TURNS_PLACES;
	struct box *b;

	for (i = 0; i < t->n; i++)
		if (is_open(&t->boxes[i]))
			pass_one(&t->boxes[i], crowd, left_ms, now);
	open = count(t, BOX_OPEN);
	while (open < TURNS_PLACES && (b = next_one(t, now)) != NULL) {
		begin_turn(t, b, setup);
		open += is_open(b);
	}
}

bool
turns_are_over(const struct turns *t)
{
	return count(t, BOX_OVER) == t->n;
}

void
turns_end(
    struct turns *t, const struct box_setup *setup, const atomic_bool *stop)
{
	struct box *b;

	while ((b = next_one(t, UINT64_MAX)) != NULL) {
		b->state = BOX_OVER;
		if (b->tallies_n > 0)
			continue;
		if (stop == NULL || !atomic_load(stop))
			begin_turn(t, b, setup);
		else
			err_set(&b->failure, ERR_STOPPED, "there was no time");
		if (is_open(b))
			end_turn(b, BOX_OVER, 0);
		b->state = BOX_OVER;
	}
}
