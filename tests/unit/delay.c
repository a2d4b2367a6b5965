/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/delay.h"
#include "tests/unit/check.h"

static struct job *
new_job(uint64_t due_ms)
{
	struct err e = ERR_INIT;
	struct job *j = job_new(JOB_PUT, "", 0, "x", 1, &e);

	j->due_ms = due_ms;
	return j;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
they_come_in_the_order_of_their_times(void)
{
	struct delay d = {0};
	uint64_t due[1000];
	size_t i;

	srand(7);
	for (i = 0; i < 1000; i++) {
		due[i] = (uint64_t)(rand() % 500) + 1;
		CHECK_UINT(delay_push(&d, new_job(due[i])), 0);
	}
	qsort(due, 1000, sizeof(due[0]), compare);
	for (i = 0; i < 1000; i++) {
		struct job *j;

		CHECK_UINT(delay_wait_ms(&d, 0, 10000), due[i]);
		CHECK(delay_pop(&d, due[i] - 1) == NULL);
		j = delay_pop(&d, due[i]);
		CHECK(j != NULL && j->due_ms == due[i]);
		job_free(j);
	}
	CHECK(delay_pop(&d, UINT64_MAX) == NULL);
	delay_free(&d);
}

static void
pushes_and_pops_may_mix(void)
{
	struct delay d = {0};
	uint64_t now = 0;
	size_t i, in = 0, out = 0;
	struct job *j;

	srand(8);
	for (i = 0; i < 1000; i++) {
		if (rand() % 3 > 0) {
			delay_push(&d, new_job(now + (uint64_t)rand() % 50));
			in++;
		}
		now++;
		while ((j = delay_pop(&d, now)) != NULL) {
			/* None before its time, none forgotten. */
			CHECK(j->due_ms <= now && j->due_ms + 1 >= now);
			job_free(j);
			out++;
		}
	}
	while ((j = delay_pop(&d, UINT64_MAX)) != NULL) {
		job_free(j);
		out++;
	}
	CHECK_UINT(out, in);
	delay_free(&d);
}

static void
the_wait_is_bounded(void)
{
	struct delay d = {0};

	CHECK_UINT(delay_wait_ms(&d, 5, 100), 100);
	delay_push(&d, new_job(1000));
	CHECK_UINT(delay_wait_ms(&d, 5, 100), 100);
	CHECK_UINT(delay_wait_ms(&d, 990, 100), 10);
	CHECK_UINT(delay_wait_ms(&d, 2000, 100), 0);
	job_free(delay_pop(&d, 2000));
	delay_free(&d);
}

int
main(void)
{
	RUN(they_come_in_the_order_of_their_times);
	RUN(pushes_and_pops_may_mix);
	RUN(the_wait_is_bounded);
	return check_end();
}
