/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/inbox.h"
#include "base/clock.h"

struct inbox {
	unsigned batches_max;
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	pthread_cond_t drained;
	/* Under mutex: */
	struct job_list answers;
	struct scan_batch *first, **last;
	unsigned batches;
	bool scan_done;
	bool scan_done_told;
	bool refusing;
	bool asleep; /* the coordinator waits */
	bool wants_batch;
};

struct inbox *
inbox_new(unsigned batches_max, struct err *e)
{
	struct inbox *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	in->batches_max = batches_max;
	in->last = &in->first;
	job_list_init(&in->answers);
	pthread_mutex_init(&in->mutex, NULL);
	clock_cond_init(&in->filled);
	pthread_cond_init(&in->drained, NULL);
	return in;
}

static struct scan_batch *
pop_batch(struct inbox *in)
{
	struct scan_batch *b = in->first;

	if (b == NULL)
		return NULL;
	in->first = b->next;
	if (in->first == NULL)
		in->last = &in->first;
	b->next = NULL;
	in->batches--;
	return b;
}

void
inbox_free(struct inbox *in)
{
	struct scan_batch *b;
	struct job *j;

	if (in == NULL)
		return;
	while ((b = pop_batch(in)) != NULL)
		scan_batch_free(b);
	while ((j = job_list_pop(&in->answers)) != NULL)
		job_free(j);
	pthread_cond_destroy(&in->filled);
	pthread_cond_destroy(&in->drained);
	pthread_mutex_destroy(&in->mutex);
	free(in);
}

bool
inbox_batch(struct inbox *in, struct scan_batch *b)
{
	bool taken;

	pthread_mutex_lock(&in->mutex);
	while (in->batches >= in->batches_max && !in->refusing)
		pthread_cond_wait(&in->drained, &in->mutex);
	taken = !in->refusing;
	if (taken) {
		b->next = NULL;
		*in->last = b;
		in->last = &b->next;
		in->batches++;
		if (in->asleep && in->wants_batch)
			pthread_cond_signal(&in->filled);
	}
	pthread_mutex_unlock(&in->mutex);
	if (!taken)
		scan_batch_free(b);
	return taken;
}

void
inbox_scan_done(struct inbox *in)
{
	pthread_mutex_lock(&in->mutex);
	in->scan_done = true;
	pthread_cond_signal(&in->filled);
	pthread_mutex_unlock(&in->mutex);
}

void
inbox_answer(struct inbox *in, struct job *first)
{
	struct job *j, *next;
	bool asleep;

	pthread_mutex_lock(&in->mutex);
	for (j = first; j != NULL; j = next) {
		next = j->next;
		job_list_push(&in->answers, j);
	}
	asleep = in->asleep;
	in->asleep = false;
	pthread_mutex_unlock(&in->mutex);
	/* Not before: it would wake up just to wait for the mutex. */
	if (asleep)
		pthread_cond_signal(&in->filled);
}

void
inbox_refuse(struct inbox *in)
{
	struct scan_batch *b;

	pthread_mutex_lock(&in->mutex);
	in->refusing = true;
	while ((b = pop_batch(in)) != NULL)
		scan_batch_free(b);
	pthread_cond_broadcast(&in->drained);
	pthread_mutex_unlock(&in->mutex);
}

/* Something to take for a coordinator that WANT_BATCH or not. */
static bool
has_news(const struct inbox *in, bool want_batch)
{
	return in->answers.head != NULL || (want_batch && in->first != NULL) ||
	    (in->scan_done && in->first == NULL && !in->scan_done_told);
}

void
inbox_take(struct inbox *in, bool want_batch, uint64_t wait_ms,
    struct job_list *answers, struct scan_batch **batch, bool *scan_done)
{
	struct timespec until = clock_deadline(wait_ms);
	struct job *j;
	int rc = 0;

	pthread_mutex_lock(&in->mutex);
	in->wants_batch = want_batch;
	while (!has_news(in, want_batch) && rc == 0) {
		in->asleep = true;
		rc = pthread_cond_timedwait(&in->filled, &in->mutex, &until);
	}
	in->asleep = false;
	while ((j = job_list_pop(&in->answers)) != NULL)
		job_list_push(answers, j);
	*batch = want_batch ? pop_batch(in) : NULL;
	if (*batch != NULL)
		pthread_cond_signal(&in->drained);
	*scan_done = in->scan_done && in->first == NULL;
	in->scan_done_told = *scan_done;
	pthread_mutex_unlock(&in->mutex);
}
