/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/text.h"
#include "transfer/pool.h"

#define STEP ((size_t)64 << 10)
#define HUGE_MIN ((size_t)2 << 20)
#define BUCKETS 256

/* A buffer that is out, or kept for reuse. */
struct slot {
	struct slot *next;
	void *memory;
	size_t bytes;
};

/* One who waits; it stands on its own stack. */
struct waiter {
	struct waiter *next;
	pthread_cond_t turn;
};

struct pool {
	uint64_t budget;
	pthread_mutex_t lock; /* of all below */
	bool stopped;
	uint64_t out_bytes;	    /* given out */
	uint64_t kept_bytes;	    /* kept for reuse */
	struct slot *out[BUCKETS];  /* by address */
	struct slot *kept[BUCKETS]; /* by size */
	struct waiter *first;
	struct waiter **end;
};

struct pool *
pool_new(uint64_t budget_bytes, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->budget = budget_bytes;
	p->end = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

uint64_t
pool_budget(const struct pool *p)
{
	return p->budget;
}

/*
 * Sizes in steps of 64 KiB up to 1 MiB and of an eighth of their power of two
 * above: few sizes, so that a buffer fits the next one who asks, and at most
 * an eighth too big.
 */
static size_t
rounded(size_t len)
{
	size_t step = STEP;

	while (step < (size_t)1 << 59 && len > 16 * step)
		step *= 2;
	return len == 0 ? step : (len + step - 1) / step * step;
}

static struct slot **
kept_of(struct pool *p, size_t bytes)
{
	return &p->kept[bytes / STEP % BUCKETS];
}

static struct slot **
out_of(struct pool *p, const void *memory)
{
	return &p->out[((uintptr_t)memory / STEP) % BUCKETS];
}

static void
discard(struct slot *s)
{
	munmap(s->memory, s->bytes);
	free(s);
}

/* Gives kept buffers back to the system until BYTES more fit the budget. */
static void
make_room(struct pool *p, size_t bytes)
{
	size_t i = BUCKETS;

	while (i-- > 0) {
		while (p->kept[i] != NULL &&
		    p->out_bytes + p->kept_bytes + bytes > p->budget) {
			struct slot *s = p->kept[i];

			p->kept[i] = s->next;
			p->kept_bytes -= s->bytes;
			discard(s);
		}
	}
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	assert(p->out_bytes == 0 && p->first == NULL);
	make_room(p, p->budget < SIZE_MAX ? (size_t)p->budget : SIZE_MAX);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct slot *
slot_new(size_t bytes)
{
	struct slot *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct slot){.bytes = bytes};
	s->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->memory == MAP_FAILED) {
		free(s);
		return NULL;
	}
	if (bytes >= HUGE_MIN)
		madvise(s->memory, bytes, MADV_HUGEPAGE);
	return s;
}

/* A buffer of exactly BYTES, which fit the budget. */
static struct slot *
take(struct pool *p, size_t bytes)
{
	struct slot **at = kept_of(p, bytes);
	struct slot *s;

	while (*at != NULL && (*at)->bytes != bytes)
		at = &(*at)->next;
	s = *at;
	if (s != NULL) {
		*at = s->next;
		p->kept_bytes -= bytes;
	} else {
		make_room(p, bytes);
		s = slot_new(bytes);
	}
	if (s != NULL) {
		at = out_of(p, s->memory);
		s->next = *at;
		*at = s;
		p->out_bytes += bytes;
	}
	return s;
}

static bool
fits(const struct pool *p, size_t bytes)
{
	return p->out_bytes + bytes <= p->budget;
}

/* Stands in line until BYTES fit, or the pool is stopped. */
static void
wait_in_line(struct pool *p, size_t bytes)
{
	struct waiter self = {.next = NULL};

	pthread_cond_init(&self.turn, NULL);
	*p->end = &self;
	p->end = &self.next;
	while (!p->stopped && !(p->first == &self && fits(p, bytes)))
		pthread_cond_wait(&self.turn, &p->lock);
	if (p->first == &self) {
		p->first = self.next;
	} else {
		struct waiter *w = p->first;

		while (w->next != &self)
			w = w->next;
		w->next = self.next;
	}
	if (p->end == &self.next) {
		struct waiter **end = &p->first;

		while (*end != NULL)
			end = &(*end)->next;
		p->end = end;
	}
	pthread_cond_destroy(&self.turn);
}

static void
wake_first(struct pool *p)
{
	if (p->first != NULL)
		pthread_cond_signal(&p->first->turn);
}

void *
pool_get(struct pool *p, size_t len, struct err *e)
{
	char a[16], b[16];
	struct slot *s = NULL;
	size_t bytes;
	bool stopped;

	if (len > p->budget || len > SIZE_MAX / 2) {
		err_set(e, ERR_CONFIG,
		    "a buffer of %s is more than all of the %s there may be: "
		    "raise --memory",
		    text_size(len, a, sizeof(a)),
		    text_size(p->budget, b, sizeof(b)));
		return NULL;
	}
	bytes = rounded(len);
	if (bytes > p->budget)
		bytes = (size_t)p->budget;
	pthread_mutex_lock(&p->lock);
	if (!p->stopped && (p->first != NULL || !fits(p, bytes)))
		wait_in_line(p, bytes);
	stopped = p->stopped;
	if (!stopped)
		s = take(p, bytes);
	wake_first(p); /* it may fit, too */
	pthread_mutex_unlock(&p->lock);
	if (s != NULL)
		return s->memory;
	if (stopped)
		err_set(e, ERR_STOPPED, "stopped");
	else
		err_set(e, ERR_NOMEM, "no memory for a buffer of %s",
		    text_size(bytes, a, sizeof(a)));
	return NULL;
}

void
pool_put(struct pool *p, void *buffer)
{
	struct slot **at, *s;

	if (buffer == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	at = out_of(p, buffer);
	while ((*at)->memory != buffer)
		at = &(*at)->next;
	s = *at;
	*at = s->next;
	p->out_bytes -= s->bytes;
	at = kept_of(p, s->bytes);
	s->next = *at;
	*at = s;
	p->kept_bytes += s->bytes;
	wake_first(p);
	pthread_mutex_unlock(&p->lock);
}

void
pool_stop(struct pool *p)
{
	struct waiter *w;

	pthread_mutex_lock(&p->lock);
	p->stopped = true;
	for (w = p->first; w != NULL; w = w->next)
		pthread_cond_signal(&w->turn);
	pthread_mutex_unlock(&p->lock);
}
