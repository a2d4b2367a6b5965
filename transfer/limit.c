/* SPDX-License-Identifier: ISC */
/*
 * Bytes queue up as if on a belt: HEAD counts those that were asked for, and
 * the belt has moved by so many as the rate allowed since SINCE.  A turn is a
 * place on the belt; it has come when the belt has moved that far.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "transfer/limit.h"

/* What goes at a time, and what a pause may be made up by. */
#define PIECE_MS 40
#define CREDIT_MS 100
#define PIECE_MIN ((size_t)512)
#define PIECE_MAX ((size_t)256 << 10)
#define RATE_MAX ((uint64_t)1 << 40)
/* How long the stop flag may go unseen. */
#define SLICE_MS 100

struct limit {
	const atomic_bool *stop;
	_Atomic uint64_t rate; /* written under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the rate */
	/* Under the lock: */
	uint64_t epoch;	   /* of the rate: turns of another one are void */
	uint64_t since_ms; /* the belt had moved by FROM then */
	uint64_t from;
	uint64_t head;
};

struct limit *
limit_new(const atomic_bool *stop, struct err *e)
{
	struct limit *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->stop = stop;
	pthread_mutex_init(&l->lock, NULL);
	clock_cond_init(&l->changed);
	return l;
}

void
limit_free(struct limit *l)
{
	if (l == NULL)
		return;
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

uint64_t
limit_rate(const struct limit *l)
{
	return l == NULL ? 0
			 : atomic_load_explicit(&l->rate, memory_order_relaxed);
}

bool
limit_is_on(const struct limit *l)
{
	return limit_rate(l) != 0;
}

void
limit_set(struct limit *l, uint64_t rate)
{
	if (rate > RATE_MAX)
		rate = RATE_MAX;
	pthread_mutex_lock(&l->lock);
	if (rate != limit_rate(l)) {
		atomic_store(&l->rate, rate);
		/* What was asked for at another rate is asked for anew. */
		l->epoch++;
		l->since_ms = clock_mono_ms();
		l->from = l->head = 0;
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
}

static size_t
piece_at(uint64_t rate)
{
	uint64_t n = rate * PIECE_MS / 1000;

	if (n < PIECE_MIN)
		return PIECE_MIN;
	return n < PIECE_MAX ? (size_t)n : PIECE_MAX;
}

size_t
limit_piece(const struct limit *l)
{
	uint64_t rate = limit_rate(l);

	return rate == 0 ? SIZE_MAX : piece_at(rate);
}

/* How far the belt has moved.  The lock is held. */
static uint64_t
moved(struct limit *l, uint64_t rate)
{
	uint64_t now = clock_mono_ms(), ms = now - l->since_ms;
	uint64_t at = l->from + ms / 1000 * rate + ms % 1000 * rate / 1000;
	uint64_t most = l->head + rate * CREDIT_MS / 1000;

	if (at > most) {
		at = l->from = most;
		l->since_ms = now;
	}
	return at;
}

/* Milliseconds until the belt has moved to AT.  The lock is held. */
static uint64_t
wait_for(struct limit *l, uint64_t rate, uint64_t at)
{
	uint64_t now = moved(l, rate);

	return now >= at ? 0 : (at - now) * 1000 / rate + 1;
}

static bool
is_stopped(const struct limit *l)
{
	return l->stop != NULL &&
	    atomic_load_explicit(l->stop, memory_order_relaxed);
}

static void
wait_ms(struct limit *l, uint64_t ms)
{
	struct timespec until = clock_deadline(ms < SLICE_MS ? ms : SLICE_MS);

	pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

/* How many of WANT went at the present rate; 0: it is another one now.  The
 * lock is held. */
static size_t
take_turn(struct limit *l, size_t want)
{
	uint64_t rate = limit_rate(l), epoch = l->epoch, at, ms;
	size_t n = want;

	if (rate == 0)
		return want;
	if (n > piece_at(rate))
		n = piece_at(rate);
	moved(l, rate);
	at = l->head;
	l->head += n;
	while (l->epoch == epoch && !is_stopped(l) &&
	    (ms = wait_for(l, rate, at)) > 0)
		wait_ms(l, ms);
	return l->epoch == epoch ? n : 0;
}

size_t
limit_take(struct limit *l, size_t want)
{
	size_t n;

	if (!limit_is_on(l) || is_stopped(l))
		return want;
	pthread_mutex_lock(&l->lock);
	while ((n = take_turn(l, want)) == 0)
		;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void
limit_pay(struct limit *l, size_t n)
{
	while (n > 0)
		n -= limit_take(l, n);
}

unsigned
limit_ask(struct limit *l, struct limit_turn *t, size_t n)
{
	uint64_t rate, ms;

	if (!limit_is_on(l)) {
		t->held = false;
		return 0;
	}
	pthread_mutex_lock(&l->lock);
	rate = limit_rate(l);
	if (!t->held || t->epoch != l->epoch) {
		moved(l, rate);
		*t = (struct limit_turn){
		    .held = true,
		    .epoch = l->epoch,
		    .at = l->head,
		    .bytes = n,
		};
		l->head += n;
	}
	ms = rate == 0 ? 0 : wait_for(l, rate, t->at);
	if (ms == 0) {
		/* Another request may have come first meanwhile. */
		l->head += n;
		l->head -= t->bytes < l->head ? t->bytes : l->head;
		t->held = false;
	}
	pthread_mutex_unlock(&l->lock);
	return ms < SLICE_MS ? (unsigned)ms : SLICE_MS;
}
