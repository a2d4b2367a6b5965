/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tests/unit/check.h"
#include "transfer/pool.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static struct pool *pool;
static atomic_ullong out_now, out_most;
static atomic_uint big_done, small_done, wrong;
static atomic_bool finished;

static void
nap(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void
a_buffer_is_aligned_writable_and_reused(void)
{
	struct err e = ERR_INIT;
	AUTO(pool) struct pool *p = pool_new(8 * MIB, &e);
	void *a = pool_get(p, 300 * KIB, &e);
	void *b;

	CHECK(a != NULL && (uintptr_t)a % 4096 == 0);
	memset(a, 1, 300 * KIB);
	pool_put(p, a);
	b = pool_get(p, 310 * KIB, &e);
	CHECK(a == b);
	pool_put(p, b);
	pool_put(p, NULL);
	a = pool_get(p, 0, &e);
	CHECK(a != NULL);
	pool_put(p, a);
}

static void
more_than_the_budget_is_refused(void)
{
	struct err e = ERR_INIT;
	AUTO(pool) struct pool *p = pool_new(MIB + 1, &e);
	void *all = pool_get(p, MIB + 1, &e);

	CHECK_UINT(pool_budget(p), MIB + 1);
	CHECK(all != NULL);
	pool_put(p, all);
	CHECK(pool_get(p, MIB + 2, &e) == NULL && e.kind == ERR_CONFIG);
	CHECK(pool_get(p, SIZE_MAX, &e) == NULL && e.kind == ERR_CONFIG);
}

static void
small_buffers_take_little_of_the_budget(void)
{
	struct err e = ERR_INIT;
	AUTO(pool) struct pool *p = pool_new(16 * MIB, &e);
	void *b[51];
	int i;

	for (i = 0; i < 51; i++) /* 320 KiB each; a 52nd would wait */
		b[i] = pool_get(p, 300 * KIB, &e);
	for (i = 0; i < 51; i++) {
		CHECK(b[i] != NULL);
		pool_put(p, b[i]);
	}
	/* kept small ones make room for a big one */
	b[0] = pool_get(p, 16 * MIB, &e);
	CHECK(b[0] != NULL);
	pool_put(p, b[0]);
}

static void *
work(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15 + 1;
	struct err e = ERR_INIT;
	int i;

	for (i = 0; i < 3000; i++) {
		unsigned long long now, most;
		size_t len;
		char *b;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		len = seed % 16 == 0 ? 3 * MIB : seed % (200 * KIB) + 1;
		b = pool_get(pool, len, &e);
		if (b == NULL) {
			wrong++;
			continue;
		}
		now = atomic_fetch_add(&out_now, len) + len;
		most = atomic_load(&out_most);
		while (now > most &&
		    !atomic_compare_exchange_weak(&out_most, &most, now))
			;
		b[0] = b[len - 1] = (char)i;
		if (b[0] != (char)i)
			wrong++;
		atomic_fetch_sub(&out_now, len);
		pool_put(pool, b);
	}
	return NULL;
}

static void
the_budget_is_never_exceeded(void)
{
	struct err e = ERR_INIT;
	pthread_t t[8];
	uintptr_t i;

	pool = pool_new(4 * MIB, &e);
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, work, (void *)(i + 1));
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CHECK(atomic_load(&out_most) <= 4 * MIB);
	CHECK_UINT(atomic_load(&wrong), 0);
	pool_free(pool);
}

static void *
want_all(void *arg)
{
	struct err e = ERR_INIT;
	void *b = pool_get(pool, MIB, &e);

	(void)arg;
	big_done++;
	pool_put(pool, b);
	return NULL;
}

static void *
want_little(void *arg)
{
	struct err e = ERR_INIT;

	(void)arg;
	while (!atomic_load(&finished)) {
		void *b = pool_get(pool, 64 * KIB, &e);

		nap(1);
		pool_put(pool, b);
		small_done++;
	}
	return NULL;
}

static void
small_requests_do_not_starve_a_big_one(void)
{
	struct err e = ERR_INIT;
	pthread_t small[24], big;
	int i;

	pool = pool_new(MIB, &e);
	for (i = 0; i < 24; i++)
		pthread_create(&small[i], NULL, want_little, NULL);
	nap(20);
	pthread_create(&big, NULL, want_all, NULL);
	pthread_join(big, NULL);
	CHECK_UINT(atomic_load(&big_done), 1);
	atomic_store(&finished, true);
	for (i = 0; i < 24; i++)
		pthread_join(small[i], NULL);
	CHECK(atomic_load(&small_done) > 0);
	pool_free(pool);
}

static void *
want_after_stop(void *arg)
{
	struct err e = ERR_INIT;

	(void)arg;
	if (pool_get(pool, MIB, &e) != NULL || e.kind != ERR_STOPPED)
		wrong++;
	return NULL;
}

static void
stopping_frees_those_who_wait(void)
{
	struct err e = ERR_INIT;
	pthread_t t[4];
	void *b;
	int i;

	pool = pool_new(MIB, &e);
	b = pool_get(pool, MIB, &e);
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, want_after_stop, NULL);
	nap(20);
	pool_stop(pool);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	want_after_stop(NULL);
	CHECK_UINT(atomic_load(&wrong), 0);
	pool_put(pool, b);
	pool_free(pool);
}

int
main(void)
{
	RUN(a_buffer_is_aligned_writable_and_reused);
	RUN(more_than_the_budget_is_refused);
	RUN(small_buffers_take_little_of_the_budget);
	RUN(the_budget_is_never_exceeded);
	RUN(small_requests_do_not_starve_a_big_one);
	RUN(stopping_frees_those_who_wait);
	return check_end();
}
