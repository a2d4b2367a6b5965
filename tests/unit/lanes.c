/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "agent/lanes.h"
#include "base/clock.h"
#include "tests/unit/check.h"

static struct job *
new_job(enum job_kind kind)
{
	struct err e = ERR_INIT;

	return job_new(kind, "", 0, "x", 1, &e);
}

static struct lanes *
lanes_of(unsigned workers, unsigned first, bool near)
{
	struct lanes_setup s = {
	    .workers = workers,
	    .first = first,
	    .parts = 4,
	    .near = near,
	};
	struct err e = ERR_INIT;

	return lanes_new(&s, &e);
}

static struct lanes *
filled(unsigned workers, unsigned small, unsigned bulk)
{
	struct lanes *l = lanes_of(workers, workers, false);

	while (small-- > 0)
		lanes_push(l, new_job(JOB_PUT));
	while (bulk-- > 0)
		lanes_push(l, new_job(JOB_PART));
	return l;
}

/* Takes N jobs; how many of them are parts. */
static unsigned
take(struct lanes *l, unsigned n, struct job **jobs)
{
	unsigned i, parts = 0;

	for (i = 0; i < n; i++) {
		jobs[i] = lanes_take(l);
		parts += jobs[i]->kind == JOB_PART;
	}
	return parts;
}

static void
give_back(struct lanes *l, struct job *j, enum err_kind kind)
{
	j->err.kind = kind;
	lanes_done(l, j);
	job_free(j);
}

static void
each_lane_gets_half_while_both_wait(void)
{
	struct job *jobs[8];
	struct lanes *l = filled(8, 20, 20);
	unsigned i, parts = take(l, 8, jobs);

	CHECK_UINT(parts, 4);
	/* And it stays so. */
	for (i = 0; i < 16; i++) {
		struct job *j = jobs[i % 8];

		parts -= j->kind == JOB_PART;
		give_back(l, j, ERR_NONE);
		jobs[i % 8] = lanes_take(l);
		parts += jobs[i % 8]->kind == JOB_PART;
		CHECK_UINT(parts, 4);
	}
	for (i = 0; i < 8; i++)
		give_back(l, jobs[i], ERR_NONE);
	lanes_free(l);
}

static void
a_lane_alone_gets_all(void)
{
	struct job *jobs[8];
	struct lanes *l = filled(8, 20, 0);
	unsigned i;

	CHECK_UINT(take(l, 8, jobs), 0);
	for (i = 0; i < 8; i++)
		lanes_push(l, new_job(JOB_PART));
	/* What comes late gets its half from what becomes free. */
	for (i = 0; i < 4; i++) {
		give_back(l, jobs[i], ERR_NONE);
		jobs[i] = lanes_take(l);
		CHECK_UINT(jobs[i]->kind, JOB_PART);
	}
	for (i = 0; i < 8; i++)
		give_back(l, jobs[i], ERR_NONE);
	lanes_free(l);
}

static void
one_worker_serves_both_lanes_in_turn(void)
{
	struct lanes *l = filled(1, 6, 6);
	unsigned i, parts = 0;

	for (i = 0; i < 6; i++) {
		struct job *j = lanes_take(l);

		parts += j->kind == JOB_PART;
		give_back(l, j, ERR_NONE);
	}
	CHECK_UINT(parts, 3);
	lanes_free(l);
}

static void
too_much_halves_once_a_second_and_grows_back(void)
{
	struct lanes *l = filled(16, 400, 0);
	struct job *jobs[16];
	unsigned i, steps = 0;

	take(l, 16, jobs);
	for (i = 0; i < 16; i++)
		give_back(l, jobs[i], i < 8 ? ERR_THROTTLE : ERR_SERVER);
	CHECK_UINT(lanes_limit(l), 8);
	while (lanes_limit(l) < 16 && steps++ < 300)
		give_back(l, lanes_take(l), ERR_NONE);
	/* One more for each round of as many: 8 + 9 + ... + 15 */
	CHECK(steps >= 80 && steps <= 110);
	lanes_free(l);
}

static void
the_limit_is_never_under_one(void)
{
	struct lanes *l = filled(2, 8, 0);
	struct timespec second = {.tv_sec = 1, .tv_nsec = 20000000};

	give_back(l, lanes_take(l), ERR_THROTTLE);
	CHECK_UINT(lanes_limit(l), 1);
	nanosleep(&second, NULL);
	give_back(l, lanes_take(l), ERR_THROTTLE);
	CHECK_UINT(lanes_limit(l), 1);
	give_back(l, lanes_take(l), ERR_NONE);
	CHECK_UINT(lanes_limit(l), 2);
	lanes_free(l);
}

struct crowd {
	struct lanes *l;
	atomic_uint taken, now, most;
};

static void *
worker(void *arg)
{
	struct crowd *c = arg;
	struct job *j;

	while ((j = lanes_take(c->l)) != NULL) {
		unsigned now = atomic_fetch_add(&c->now, 1) + 1;
		unsigned most = atomic_load(&c->most);

		while (now > most &&
		    !atomic_compare_exchange_weak(&c->most, &most, now))
			;
		atomic_fetch_add(&c->taken, 1);
		atomic_fetch_sub(&c->now, 1);
		give_back(c->l, j, ERR_NONE);
	}
	return NULL;
}

static void
closing_wakes_all_and_nothing_is_lost(void)
{
	struct crowd c = {.l = lanes_of(6, 6, false)};
	struct timespec ms = {.tv_nsec = 1000000};
	pthread_t threads[6];
	unsigned i;

	for (i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, worker, &c);
	for (i = 0; i < 20000; i++)
		lanes_push(c.l, new_job(i % 3 == 0 ? JOB_PART : JOB_PUT));
	for (i = 0; i < 20000 && lanes_waiting(c.l) > 0; i++)
		nanosleep(&ms, NULL);
	lanes_close(c.l);
	for (i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	CHECK_UINT(atomic_load(&c.taken), 20000);
	CHECK(atomic_load(&c.most) <= 6);
	CHECK(lanes_take(c.l) == NULL);
	lanes_free(c.l);
}

static void
what_nobody_took_can_be_withdrawn(void)
{
	struct lanes *l = filled(2, 3, 2);
	struct job *j;
	unsigned n = 0;

	while ((j = lanes_withdraw(l)) != NULL) {
		n++;
		job_free(j);
	}
	CHECK_UINT(n, 5);
	CHECK_UINT(lanes_waiting(l), 0);
	lanes_push(l, new_job(JOB_PUT));
	lanes_close(l);
	CHECK(lanes_take(l) == NULL);
	lanes_free(l);
}

static void
parts_begin_with_as_many_as_is_said(void)
{
	struct lanes_setup s = {.workers = 8, .first = 8, .parts = 3};
	struct err e = ERR_INIT;
	struct lanes *l = lanes_new(&s, &e);
	struct job *jobs[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		lanes_push(l, new_job(JOB_PART));
	lanes_push(l, new_job(JOB_PUT));
	/* The fourth has to wait. */
	CHECK_UINT(take(l, 4, jobs), 3);
	for (i = 0; i < 4; i++)
		give_back(l, jobs[i], ERR_NONE);
	lanes_free(l);
}

static unsigned
length(const struct job *first)
{
	unsigned n = 0;

	for (; first != NULL; first = first->next)
		n++;
	return n;
}

static void
give_all_back(struct lanes *l, struct job *first)
{
	struct job *next;

	lanes_done(l, first);
	for (; first != NULL; first = next) {
		next = first->next;
		job_free(first);
	}
}

static void
push_some(struct lanes *l, unsigned n, uint64_t bytes)
{
	while (n-- > 0) {
		struct job *j = new_job(JOB_PUT);

		j->st.size = bytes;
		lanes_push(l, j);
	}
}

static void
near_by_small_ones_go_together(void)
{
	struct lanes *l = lanes_of(8, 2, true);
	struct job *a, *b;

	/* Two processors for the workers: half of what waits is the other's. */
	push_some(l, 21, 1);
	a = lanes_take(l);
	CHECK_UINT(length(a), 10);
	b = lanes_take(l);
	CHECK_UINT(length(b), 5);
	CHECK_UINT(lanes_waiting(l), 6);
	give_all_back(l, a);
	give_all_back(l, b);
	/* Never more than 64, nor than 1 MiB, unless one alone is. */
	push_some(l, 994, 1);
	a = lanes_take(l);
	CHECK_UINT(length(a), 64);
	give_all_back(l, a);
	while ((a = lanes_withdraw(l)) != NULL)
		job_free(a);
	push_some(l, 100, 300 << 10);
	a = lanes_take(l);
	CHECK_UINT(length(a), 3);
	give_all_back(l, a);
	lanes_free(l);
}

static void
far_away_each_goes_alone(void)
{
	struct lanes *l = lanes_of(2, 2, false);
	struct job *j;

	push_some(l, 100, 1);
	j = lanes_take(l);
	CHECK_UINT(length(j), 1);
	give_all_back(l, j);
	lanes_free(l);
}

static void
a_throttled_one_among_many_halves(void)
{
	struct lanes *l = lanes_of(4, 8, true);
	struct job *j;

	push_some(l, 21, 1);
	j = lanes_take(l);
	CHECK_UINT(length(j), 5);
	j->next->err.kind = ERR_THROTTLE;
	give_all_back(l, j);
	CHECK_UINT(lanes_limit(l), 2);
	lanes_free(l);
}

static void *
one_worker(void *arg)
{
	struct lanes *l = arg;
	struct job *j;

	while ((j = lanes_take(l)) != NULL)
		give_back(l, j, ERR_NONE);
	return NULL;
}

static void
a_push_tells_whether_somebody_waits(void)
{
	struct lanes *l = lanes_of(2, 2, false);
	struct timespec ms = {.tv_nsec = 1000000};
	pthread_t thread;
	unsigned i;

	CHECK(!lanes_push(l, new_job(JOB_PUT)));
	pthread_create(&thread, NULL, one_worker, l);
	/* Once it has done the first, it waits; at some time. */
	for (i = 0; i < 5000 && !lanes_push(l, new_job(JOB_PUT)); i++)
		nanosleep(&ms, NULL);
	CHECK(i < 5000);
	lanes_close(l);
	pthread_join(thread, NULL);
	lanes_free(l);
}

/* Of a store that takes 2 ms for each, of however many at a time. */
static void *
distant_worker(void *arg)
{
	struct timespec ms2 = {.tv_nsec = 2000000};
	struct lanes *l = arg;
	struct job *j;

	while ((j = lanes_take(l)) != NULL) {
		nanosleep(&ms2, NULL);
		give_back(l, j, ERR_NONE);
	}
	return NULL;
}

static void
far_away_there_are_as_many_as_make_it_faster(void)
{
	struct timespec tick = {.tv_nsec = 5000000};
	struct lanes *l = lanes_of(8, 2, false);
	uint64_t end = clock_mono_ms() + 20000;
	unsigned i, limit, least = 8, most = 0;
	pthread_t threads[8];
	struct job *j;

	for (i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, distant_worker, l);
	while (clock_mono_ms() < end && most < 8) {
		while (lanes_waiting(l) < 100)
			lanes_push(l, new_job(JOB_PUT));
		nanosleep(&tick, NULL);
		limit = lanes_limit(l);
		least = limit < least ? limit : least;
		most = limit > most ? limit : most;
	}
	CHECK_UINT(least, 2);
	CHECK_UINT(most, 8);
	while ((j = lanes_withdraw(l)) != NULL)
		job_free(j);
	lanes_close(l);
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	lanes_free(l);
}

static void
a_throttled_store_gets_half_of_what_is_in_use(void)
{
	struct lanes *l = lanes_of(64, 16, false);
	struct job *j;

	lanes_push(l, new_job(JOB_PUT));
	j = lanes_take(l);
	give_back(l, j, ERR_THROTTLE);
	CHECK_UINT(lanes_limit(l), 8);
	lanes_free(l);
}

int
main(void)
{
	RUN(each_lane_gets_half_while_both_wait);
	RUN(a_lane_alone_gets_all);
	RUN(one_worker_serves_both_lanes_in_turn);
	RUN(too_much_halves_once_a_second_and_grows_back);
	RUN(the_limit_is_never_under_one);
	RUN(closing_wakes_all_and_nothing_is_lost);
	RUN(what_nobody_took_can_be_withdrawn);
	RUN(parts_begin_with_as_many_as_is_said);
	RUN(near_by_small_ones_go_together);
	RUN(far_away_each_goes_alone);
	RUN(a_throttled_one_among_many_halves);
	RUN(far_away_there_are_as_many_as_make_it_faster);
	RUN(a_throttled_store_gets_half_of_what_is_in_use);
	RUN(a_push_tells_whether_somebody_waits);
	return check_end();
}
