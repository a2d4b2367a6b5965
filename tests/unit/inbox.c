/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "agent/inbox.h"
#include "base/clock.h"
#include "tests/unit/check.h"

/* A batch as the scan makes them: scan_batch_free takes it. */
static struct scan_batch *
new_batch(void)
{
	struct scan_batch *b = calloc(1, sizeof(*b));

	return b;
}

static struct job *
new_job(void)
{
	struct err e = ERR_INIT;

	return job_new(JOB_PUT, "", 0, "x", 1, &e);
}

static unsigned
free_all(struct job_list *l)
{
	struct job *j;
	unsigned n = 0;

	while ((j = job_list_pop(l)) != NULL) {
		job_free(j);
		n++;
	}
	return n;
}

static void
all_answers_come_at_once_and_one_batch(void)
{
	struct err e = ERR_INIT;
	struct inbox *in = inbox_new(4, &e);
	struct scan_batch *b;
	struct job_list answers;
	bool done;
	unsigned i;

	job_list_init(&answers);
	for (i = 0; i < 3; i++) {
		inbox_answer(in, new_job());
		CHECK(inbox_batch(in, new_batch()));
	}
	inbox_scan_done(in);
	inbox_take(in, false, 0, &answers, &b, &done);
	CHECK_UINT(free_all(&answers), 3);
	CHECK(b == NULL);
	CHECK(!done); /* batches are left */
	for (i = 0; i < 3; i++) {
		inbox_take(in, true, 0, &answers, &b, &done);
		CHECK(b != NULL);
		CHECK(done == (i == 2));
		scan_batch_free(b);
	}
	CHECK_UINT(free_all(&answers), 0);
	inbox_free(in);
}

static void
without_news_it_waits_its_time(void)
{
	struct err e = ERR_INIT;
	struct inbox *in = inbox_new(4, &e);
	struct scan_batch *b;
	struct job_list answers;
	uint64_t begin = clock_mono_ms();
	bool done;

	job_list_init(&answers);
	inbox_take(in, true, 50, &answers, &b, &done);
	CHECK(clock_mono_ms() - begin >= 49);
	inbox_scan_done(in);
	begin = clock_mono_ms();
	inbox_take(in, true, 5000, &answers, &b, &done);
	CHECK(done);
	CHECK(clock_mono_ms() - begin < 1000);
	/* That is told once: then it waits again. */
	begin = clock_mono_ms();
	inbox_take(in, true, 50, &answers, &b, &done);
	CHECK(done);
	CHECK(clock_mono_ms() - begin >= 49);
	inbox_free(in);
}

struct walker {
	struct inbox *in;
	unsigned n;
	atomic_uint delivered;
	bool refused;
};

static void *
walk(void *arg)
{
	struct walker *w = arg;

	while (w->n-- > 0) {
		if (!inbox_batch(w->in, new_batch())) {
			w->refused = true;
			return NULL;
		}
		atomic_fetch_add(&w->delivered, 1);
	}
	inbox_scan_done(w->in);
	return NULL;
}

static void
batches_are_held_up_answers_never(void)
{
	struct err e = ERR_INIT;
	struct walker w = {.in = inbox_new(3, &e), .n = 10};
	struct timespec wait = {.tv_nsec = 50000000};
	struct job_list answers;
	struct scan_batch *b;
	pthread_t t;
	bool done = false;
	unsigned i, got = 0;

	job_list_init(&answers);
	pthread_create(&t, NULL, walk, &w);
	nanosleep(&wait, NULL);
	CHECK_UINT(atomic_load(&w.delivered), 3);
	for (i = 0; i < 1000; i++)
		inbox_answer(w.in, new_job());
	while (!done) {
		inbox_take(w.in, true, 1000, &answers, &b, &done);
		got += b != NULL;
		scan_batch_free(b);
	}
	CHECK_UINT(got, 10);
	CHECK_UINT(free_all(&answers), 1000);
	pthread_join(t, NULL);
	inbox_free(w.in);
}

static void
refusing_wakes_the_walkers(void)
{
	struct err e = ERR_INIT;
	struct walker w = {.in = inbox_new(1, &e), .n = 10};
	struct timespec wait = {.tv_nsec = 20000000};
	pthread_t t;

	pthread_create(&t, NULL, walk, &w);
	nanosleep(&wait, NULL);
	inbox_refuse(w.in);
	pthread_join(t, NULL);
	CHECK(w.refused);
	CHECK(!inbox_batch(w.in, new_batch()));
	inbox_free(w.in);
}

static void
what_is_left_is_freed(void)
{
	struct err e = ERR_INIT;
	struct inbox *in = inbox_new(4, &e);

	inbox_answer(in, new_job());
	inbox_batch(in, new_batch());
	inbox_free(in);
	inbox_free(NULL);
	CHECK(true);
}

int
main(void)
{
	RUN(all_answers_come_at_once_and_one_batch);
	RUN(without_news_it_waits_its_time);
	RUN(batches_are_held_up_answers_never);
	RUN(refusing_wakes_the_walkers);
	RUN(what_is_left_is_freed);
	return check_end();
}
