/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/lanes.h"
#include "agent/ramp.h"
#include "base/clock.h"

enum { SMALL, BULK, LANES };

#define HALVE_EVERY_MS 1000
/* Of quick jobs, as many as this are taken at a time, or as many bytes. */
#define TOGETHER 64
#define TOGETHER_BYTES ((uint64_t)1 << 20)
/* An item is as much work as so many bytes more. */
#define ITEM_BYTES ((uint64_t)64 << 10)
/* A run that is over by then is not tried on. */
#define SETTLED_MS 300

struct lanes {
	unsigned workers;
	bool near;
	pthread_mutex_t mutex;
	pthread_cond_t wakeup;
	/* Under mutex: */
	struct job_list waiting[LANES];
	unsigned running[LANES];
	int last;      /* the lane that was taken from last */
	unsigned idle; /* workers that wait for a job */
	double limit;
	struct ramp few;  /* how many of them do any good */
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
lanes_new(const struct lanes_setup *setup, struct err *e)
{
	struct lanes *l = calloc(1, sizeof(*l));
	uint64_t now = clock_mono_ms();

	if (l == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->workers = setup->workers;
	l->near = setup->near;
	l->limit = setup->workers;
	ramp_init(&l->few, setup->first, setup->workers, RAMP_UP, now);
	if (!setup->near)
		l->few.min = l->few.limit;
	l->few.next_ms = now + SETTLED_MS;
	ramp_init(&l->ramp, setup->parts, setup->workers, RAMP_DOWN, now);
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

static size_t
waiting(const struct lanes *l)
{
	return l->waiting[SMALL].n + l->waiting[BULK].n;
}

/* As many as the store takes and are of use. */
static unsigned
limit_now(const struct lanes *l)
{
	unsigned limit = (unsigned)l->limit;

	return l->few.limit < limit ? l->few.limit : limit;
}

/* The lane whose turn it is, or -1 if there is nothing to take now. */
static int
choose(const struct lanes *l)
{
	unsigned limit = limit_now(l);
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

bool
lanes_push(struct lanes *l, struct job *j)
{
	bool enough, wake;

	pthread_mutex_lock(&l->mutex);
	job_list_push(&l->waiting[lane_of(j)], j);
	/* Those that were woken for the jobs before may not be up yet. */
	enough = l->idle >= waiting(l) ||
	    l->idle + l->running[SMALL] + l->running[BULK] >= limit_now(l);
	wake = l->idle > 0 && choose(l) != -1;
	pthread_mutex_unlock(&l->mutex);
	if (wake)
		pthread_cond_signal(&l->wakeup);
	return enough;
}

/* FIRST and the small ones behind it that are no one else's share. */
static void
take_more(struct lanes *l, struct job *first)
{
	struct job_list *from = &l->waiting[SMALL];
	size_t share = from->n / limit_now(l);
	uint64_t bytes = first->st.size;
	struct job *last = first;
	unsigned n;

	for (n = 1; n < TOGETHER && n < share; n++) {
		bytes += from->head->st.size;
		if (bytes > TOGETHER_BYTES)
			return;
		last->next = job_list_pop(from);
		last = last->next;
	}
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
		if (l->near && lane == SMALL)
			take_more(l, j);
	}
	pthread_mutex_unlock(&l->mutex);
	return j;
}

/* The one that says most of the store: that it is too much. */
static const struct job *
hardest(const struct job *first)
{
	const struct job *j = first;

	while (j->next != NULL && j->err.kind != ERR_THROTTLE)
		j = j->next;
	return j;
}

/* In bytes. */
static uint64_t
effort(const struct job *first)
{
	const struct job *j;
	uint64_t bytes = 0;

	for (j = first; j != NULL; j = j->next)
		bytes += ITEM_BYTES +
		    (lane_of(j) == BULK ? j->sent_bytes : j->st.size);
	return bytes;
}

void
lanes_done(struct lanes *l, const struct job *first)
{
	const struct job *j = hardest(first);
	uint64_t now = clock_mono_ms();

	pthread_mutex_lock(&l->mutex);
	l->running[lane_of(j)]--;
	if (j->err.kind == ERR_THROTTLE) {
		if (now - l->halved_ms >= HALVE_EVERY_MS) {
			l->limit = limit_now(l) / 2 < 1 ? 1 : limit_now(l) / 2;
			l->halved_ms = now;
		}
	} else if (j->err.kind == ERR_NONE && l->limit < l->workers) {
		l->limit += 1 / l->limit;
		if (l->limit > l->workers)
			l->limit = l->workers;
	}
	if (j->err.kind == ERR_NONE && lane_of(j) == BULK)
		ramp_sent(&l->ramp, j->sent_bytes, now);
	if (l->few.min < l->few.max)
		ramp_sent(&l->few, effort(first), now);
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
	n = waiting(l);
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
	limit = limit_now(l);
	pthread_mutex_unlock(&l->mutex);
	return limit;
}
