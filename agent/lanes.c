/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/lanes.h"
#include "agent/ramp.h"
#include "base/clock.h"

enum { SMALL, BULK, LANES };

#define HALVE_EVERY_MS 1000

struct lanes {
	unsigned workers;
	pthread_mutex_t mutex;
	pthread_cond_t wakeup;
	/* Under mutex: */
	struct job_list waiting[LANES];
	unsigned running[LANES];
	int last;      /* the lane that was taken from last */
	unsigned idle; /* workers that wait for a job */
	double limit;
	struct ramp ramp; /* how many of them may be BULK */
	uint64_t halved_ms;
	bool closed;
};

static int
lane_of(const struct job *j)
{
	return j->kind == JOB_PART || j->kind == JOB_VERIFY_PART ? BULK : SMALL;
}

struct lanes *
lanes_new(unsigned workers, unsigned parts, struct err *e)
{
	struct lanes *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->workers = workers;
	l->limit = workers;
	ramp_init(&l->ramp, parts, workers, clock_mono_ms());
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->wakeup, NULL);
	job_list_init(&l->waiting[SMALL]);
	job_list_init(&l->waiting[BULK]);
	return l;
}

void
lanes_free(struct lanes *l)
{
	struct job *j;

	if (l == NULL)
		return;
	while ((j = lanes_withdraw(l)) != NULL)
		job_free(j);
	pthread_cond_destroy(&l->wakeup);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

bool
lanes_push(struct lanes *l, struct job *j)
{
	bool taken, idle;

	pthread_mutex_lock(&l->mutex);
	job_list_push(&l->waiting[lane_of(j)], j);
	/* Those that were woken for the jobs before may not be up yet. */
	taken = l->idle >= l->waiting[SMALL].n + l->waiting[BULK].n;
	idle = l->idle > 0;
	pthread_mutex_unlock(&l->mutex);
	if (idle)
		pthread_cond_signal(&l->wakeup);
	return taken;
}

/* The lane whose turn it is, or -1 if there is nothing to take now. */
static int
choose(const struct lanes *l)
{
	unsigned limit = (unsigned)l->limit;
	unsigned share = limit > 1 ? limit / 2 : 1;

	if (l->running[SMALL] + l->running[BULK] >= limit)
		return -1;
	if (l->waiting[BULK].head == NULL || l->running[BULK] >= l->ramp.limit)
		return l->waiting[SMALL].head != NULL ? SMALL : -1;
	if (l->waiting[SMALL].head == NULL)
		return BULK;
	if (limit == 1)
		return l->last == BULK ? SMALL : BULK;
	return l->running[BULK] < share ? BULK : SMALL;
}

struct job *
lanes_take(struct lanes *l)
{
	struct job *j = NULL;
	int lane;

	pthread_mutex_lock(&l->mutex);
	while (!l->closed && (lane = choose(l)) == -1) {
		l->idle++;
		pthread_cond_wait(&l->wakeup, &l->mutex);
		l->idle--;
	}
	if (!l->closed) {
		j = job_list_pop(&l->waiting[lane]);
		l->running[lane]++;
		l->last = lane;
	}
	pthread_mutex_unlock(&l->mutex);
	return j;
}

void
lanes_done(struct lanes *l, const struct job *j)
{
	uint64_t now;

	pthread_mutex_lock(&l->mutex);
	l->running[lane_of(j)]--;
	if (j->err.kind == ERR_THROTTLE) {
		now = clock_mono_ms();
		if (now - l->halved_ms >= HALVE_EVERY_MS) {
			l->limit = l->limit / 2 < 1 ? 1 : l->limit / 2;
			l->halved_ms = now;
		}
	} else if (j->err.kind == ERR_NONE && l->limit < l->workers) {
		l->limit += 1 / l->limit;
		if (l->limit > l->workers)
			l->limit = l->workers;
	}
	if (j->err.kind == ERR_NONE && lane_of(j) == BULK)
		ramp_sent(&l->ramp, j->sent_bytes, clock_mono_ms());
	if (l->idle > 0 && choose(l) != -1)
		pthread_cond_signal(&l->wakeup);
	pthread_mutex_unlock(&l->mutex);
}

struct job *
lanes_withdraw(struct lanes *l)
{
	struct job *j;

	pthread_mutex_lock(&l->mutex);
	j = job_list_pop(&l->waiting[SMALL]);
	if (j == NULL)
		j = job_list_pop(&l->waiting[BULK]);
	pthread_mutex_unlock(&l->mutex);
	return j;
}

size_t
lanes_waiting(struct lanes *l)
{
	size_t n;

	pthread_mutex_lock(&l->mutex);
	n = l->waiting[SMALL].n + l->waiting[BULK].n;
	pthread_mutex_unlock(&l->mutex);
	return n;
}

void
lanes_close(struct lanes *l)
{
	pthread_mutex_lock(&l->mutex);
	l->closed = true;
	pthread_cond_broadcast(&l->wakeup);
	pthread_mutex_unlock(&l->mutex);
}

unsigned
lanes_limit(struct lanes *l)
{
	unsigned limit;

	pthread_mutex_lock(&l->mutex);
	limit = (unsigned)l->limit;
	pthread_mutex_unlock(&l->mutex);
	return limit;
}
