/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/check.h"
#include "transfer/limit.h"

#define MIB ((uint64_t)1 << 20)

static struct limit *
new_limit(uint64_t rate, const atomic_bool *stop)
{
	struct err e = ERR_INIT;
	struct limit *l = limit_new(stop, &e);

	limit_set(l, rate);
	return l;
}

struct mover {
	struct limit *limit;
	uint64_t until_ms;
	size_t want;
	uint64_t moved;
};

static void *
move(void *arg)
{
	struct mover *m = arg;

	while (clock_mono_ms() < m->until_ms)
		m->moved += limit_take(m->limit, m->want);
	return NULL;
}

/* What THREADS move in a second, by how it was in MS, each asking for WANT at
 * a time. */
static uint64_t
rate_of(struct limit *l, unsigned threads, size_t want, uint64_t ms,
    struct mover *m)
{
	pthread_t t[32];
	uint64_t begun = clock_mono_ms(), sum = 0;
	unsigned i;

	for (i = 0; i < threads; i++) {
		m[i] = (struct mover){
		    .limit = l,
		    .until_ms = clock_mono_ms() + ms,
		    .want = want,
		};
		pthread_create(&t[i], NULL, move, &m[i]);
	}
	for (i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		sum += m[i].moved;
	}
	/* The last ones may have waited for a while. */
	return sum * 1000 / (clock_mono_ms() - begun);
}

static bool
within(uint64_t got, uint64_t want, unsigned percent)
{
	uint64_t off = got > want ? got - want : want - got;

	if (off * 100 <= want * percent)
		return true;
	fprintf(stderr, "%llu, not %llu\n", (unsigned long long)got,
	    (unsigned long long)want);
	return false;
}

static void
what_moves_is_the_rate(void)
{
	const struct {
		uint64_t rate;
		unsigned threads;
		size_t want;
	} cases[] = {
	    {10 * MIB, 1, MIB},
	    {10 * MIB, 16, MIB},
	    {10 * MIB, 16, 1000},
	    {200 * MIB, 8, MIB},
	    {100 << 10, 16, MIB},
	};
	struct mover m[32];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(limit)
		struct limit *l = new_limit(cases[i].rate, NULL);

		CHECK(
		    within(rate_of(l, cases[i].threads, cases[i].want, 1000, m),
			cases[i].rate, 12));
	}
}

static void
all_get_their_turns(void)
{
	AUTO(limit) struct limit *l = new_limit(4 * MIB, NULL);
	struct mover m[16];
	uint64_t sum = 0;
	unsigned i;

	rate_of(l, 16, MIB, 2000, m);
	for (i = 0; i < 16; i++)
		sum += m[i].moved;
	for (i = 0; i < 16; i++)
		CHECK(m[i].moved > sum / 32 && m[i].moved < sum / 8);
}

static void
a_pause_gives_no_burst(void)
{
	AUTO(limit) struct limit *l = new_limit(MIB, NULL);
	uint64_t begun, moved = 0;

	usleep(1000000);
	begun = clock_mono_ms();
	while (clock_mono_ms() - begun < 10)
		moved += limit_take(l, MIB);
	CHECK(moved < MIB / 4);
}

static void *
turn_up(void *arg)
{
	usleep(200000);
	limit_set(arg, 1000 * MIB);
	return NULL;
}

static void
a_new_rate_counts_at_once_for_those_who_wait(void)
{
	AUTO(limit) struct limit *l = new_limit(512, NULL);
	uint64_t begun = clock_mono_ms();
	pthread_t t;

	pthread_create(&t, NULL, turn_up, l);
	limit_pay(l, 64 * 1024);
	CHECK(clock_mono_ms() - begun >= 190);
	CHECK(clock_mono_ms() - begun < 1000);
	pthread_join(t, NULL);
	limit_set(l, 0);
	CHECK(limit_take(l, 5 * MIB) == 5 * MIB);
	CHECK(!limit_is_on(l) && limit_piece(l) == SIZE_MAX);
}

/* What was waited for at a high rate is no debt at a low one. */
static void
a_lower_rate_doesnt_begin_with_a_stall(void)
{
	AUTO(limit) struct limit *l = new_limit(1000 * MIB, NULL);
	struct mover m[16];
	uint64_t begun;

	rate_of(l, 16, MIB, 100, m);
	limit_set(l, MIB);
	begun = clock_mono_ms();
	limit_take(l, MIB);
	limit_take(l, MIB);
	CHECK(clock_mono_ms() - begun < 250);
}

static void
nobody_waits_once_it_is_to_stop(void)
{
	atomic_bool stop = true;
	AUTO(limit) struct limit *l = new_limit(1, &stop);
	uint64_t begun = clock_mono_ms();

	limit_pay(l, MIB);
	CHECK(clock_mono_ms() - begun < 500);
}

static void
who_asks_and_doesnt_wait_keeps_the_turn(void)
{
	AUTO(limit) struct limit *l = new_limit(MIB, NULL);
	struct limit_turn t = {0};
	uint64_t begun = clock_mono_ms(), moved = 0;

	while (clock_mono_ms() - begun < 1000) {
		if (limit_ask(l, &t, 32768) == 0)
			moved += 32768;
		else
			usleep(1000);
	}
	CHECK(within(moved, MIB, 12));
	limit_set(l, 1);
	CHECK(limit_ask(l, &t, 10) == 0);
	CHECK(limit_ask(l, &t, 10) > 0);
	CHECK(limit_ask(NULL, &t, 10) == 0);
}

int
main(void)
{
	RUN(what_moves_is_the_rate);
	RUN(all_get_their_turns);
	RUN(a_pause_gives_no_burst);
	RUN(a_new_rate_counts_at_once_for_those_who_wait);
	RUN(a_lower_rate_doesnt_begin_with_a_stall);
	RUN(nobody_waits_once_it_is_to_stop);
	RUN(who_asks_and_doesnt_wait_keeps_the_turn);
	return check_end();
}
