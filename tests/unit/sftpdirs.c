/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/unit/check.h"
#include "transfer/sftp/dirs.h"

#define CROWD 8

static void
pause_ms(long ms)
{
	struct timespec t = {
	    .tv_sec = ms / 1000,
	    .tv_nsec = ms % 1000 * 1000000,
	};

	nanosleep(&t, NULL);
}

static void
what_was_seen_is_believed_for_a_moment(void)
{
	struct dirs d;

	dirs_init(&d);
	CHECK(!dirs_has(&d, "a/b", 3));
	dirs_add(&d, "a/b/c", 3);
	CHECK(dirs_has(&d, "a/b", 3));
	CHECK(!dirs_has(&d, "a/b/c", 5));
	CHECK(!dirs_has(&d, "a", 1));
	pause_ms(600);
	CHECK(!dirs_has(&d, "a/b", 3));
	dirs_add(&d, "a/b", 3);
	CHECK(dirs_has(&d, "a/b", 3));
	dirs_forget(&d);
	CHECK(!dirs_has(&d, "a/b", 3));
	dirs_free(&d);
}

struct crowd {
	struct dirs d;
	bool found;		/* what looking comes to */
	atomic_int looks, asks; /* that were made; that are answered */
	atomic_int at_a_time, most;
};

static void *
one_of_many(void *arg)
{
	struct crowd *c = arg;
	struct dirs_look mine;
	int now, most;

	if (!dirs_has_soon(&c->d, "dir", 3, &mine)) {
		now = atomic_fetch_add(&c->at_a_time, 1) + 1;
		most = atomic_load(&c->most);
		while (now > most &&
		    !atomic_compare_exchange_weak(&c->most, &most, now))
			;
		atomic_fetch_add(&c->looks, 1);
		pause_ms(100);
		if (c->found)
			dirs_add(&c->d, "dir", 3);
		atomic_fetch_sub(&c->at_a_time, 1);
		dirs_looked(&c->d, &mine);
	}
	atomic_fetch_add(&c->asks, 1);
	return NULL;
}

static void
run_crowd(struct crowd *c)
{
	pthread_t threads[CROWD];
	unsigned i;

	dirs_init(&c->d);
	pthread_create(&threads[0], NULL, one_of_many, c);
	while (atomic_load(&c->looks) == 0)
		pause_ms(1);
	for (i = 1; i < CROWD; i++)
		pthread_create(&threads[i], NULL, one_of_many, c);
	for (i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	CHECK_UINT(atomic_load(&c->asks), CROWD);
	CHECK(c->d.looks == NULL);
	dirs_free(&c->d);
}

static void
one_looks_for_all(void)
{
	struct crowd c = {.found = true};

	run_crowd(&c);
	CHECK_UINT(atomic_load(&c.looks), 1);
}

static void
who_waited_in_vain_looks_at_once(void)
{
	struct crowd c = {.found = false};

	run_crowd(&c);
	CHECK_UINT(atomic_load(&c.looks), CROWD);
	/* Not one after another. */
	CHECK(atomic_load(&c.most) > 1);
}

static void
nobody_waits_for_another_directory(void)
{
	struct dirs_look a, b;
	struct dirs d;

	dirs_init(&d);
	CHECK(!dirs_has_soon(&d, "dir", 3, &a));
	CHECK(!dirs_has_soon(&d, "dip", 3, &b));
	dirs_looked(&d, &a);
	dirs_looked(&d, &b);
	dirs_free(&d);
}

int
main(void)
{
	RUN(what_was_seen_is_believed_for_a_moment);
	RUN(one_looks_for_all);
	RUN(who_waited_in_vain_looks_at_once);
	RUN(nobody_waits_for_another_directory);
	return check_end();
}
