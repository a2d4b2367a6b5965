/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "transfer/sftp/conn_in.h"

struct conn *
conn_new(const struct conn_config *config, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->config = *config;
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->event_fd == -1) {
		err_sys(e, "eventfd");
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	return c;
}

static void
wake(struct conn *c)
{
	uint64_t one = 1;

	/* Full is as good as written. */
	if (write(c->event_fd, &one, sizeof(one)) == -1)
		return;
}

void
conn_free(struct conn *c)
{
	bool has_thread;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	has_thread = c->has_thread;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	wake(c);
	if (has_thread)
		pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	close(c->event_fd);
	free(c->slots);
	free(c->free_slots);
	free(c->in);
	free(c);
}

bool
conn_is_up(struct conn *c)
{
	bool up;

	pthread_mutex_lock(&c->lock);
	up = c->state == CONN_UP;
	pthread_mutex_unlock(&c->lock);
	return up;
}

bool
conn_is_dialing(struct conn *c)
{
	bool dialing;

	pthread_mutex_lock(&c->lock);
	dialing = c->state == CONN_DIALING || c->wanted;
	pthread_mutex_unlock(&c->lock);
	return dialing;
}

bool
conn_failed_within(struct conn *c, unsigned ms)
{
	uint64_t failed;

	pthread_mutex_lock(&c->lock);
	failed = c->failed_ms;
	pthread_mutex_unlock(&c->lock);
	return failed != 0 && clock_mono_ms() - failed < ms;
}

uint64_t
conn_dial_ms(struct conn *c)
{
	uint64_t ms;

	pthread_mutex_lock(&c->lock);
	ms = c->dial_ms;
	pthread_mutex_unlock(&c->lock);
	return ms;
}

uint64_t
conn_up_since_ms(struct conn *c)
{
	uint64_t ms;

	pthread_mutex_lock(&c->lock);
	ms = c->up_since_ms;
	pthread_mutex_unlock(&c->lock);
	return ms;
}

uint64_t
conn_backlog(struct conn *c)
{
	return atomic_load_explicit(&c->backlog, memory_order_relaxed);
}

atomic_int *
conn_users(struct conn *c)
{
	return &c->users;
}

void
conn_call_done(struct call *call)
{
	if (call->detached) {
		call_free(call);
		free(call);
	} else {
		sem_post(&call->done);
	}
}

/* What the I/O thread works with.  The lock is held. */
static int
start_thread(struct conn *c, struct err *e)
{
	unsigned i;

	if (c->has_thread)
		return 0;
	if (c->slots == NULL)
		c->slots = calloc(CONN_REQUESTS_MAX, sizeof(*c->slots));
	if (c->free_slots == NULL)
		c->free_slots =
		    calloc(CONN_REQUESTS_MAX, sizeof(*c->free_slots));
	if (c->in == NULL)
		c->in = malloc(CONN_IN_BYTES);
	if (c->slots == NULL || c->free_slots == NULL || c->in == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (i = 0; i < CONN_REQUESTS_MAX; i++)
		c->free_slots[i] = (uint16_t)i;
	if (pthread_create(&c->thread, NULL, conn_io_main, c) != 0)
		return err_set(e, ERR_SYS, "a thread can't be started");
	c->has_thread = true;
	return 0;
}

/* The lock is held. */
static void
want(struct conn *c)
{
	if (c->state == CONN_DOWN && !c->wanted) {
		c->wanted = true;
		pthread_cond_broadcast(&c->changed);
	}
}

void
conn_wish(struct conn *c)
{
	struct err e = ERR_INIT;

	pthread_mutex_lock(&c->lock);
	/* Who can't do without it will learn why there is none. */
	if (start_thread(c, &e) == 0)
		want(c);
	pthread_mutex_unlock(&c->lock);
}

/* Waits until it is up; the lock is held. */
static int
bring_up(struct conn *c, struct err *e)
{
	unsigned before = c->attempts;

	if (start_thread(c, e) == -1)
		return -1;
	while (c->state != CONN_UP) {
		if (conn_is_stopped(c))
			return err_set(e, ERR_STOPPED, "stopped");
		if (c->attempts != before) {
			*e = c->why;
			return -1;
		}
		want(c);
		pthread_cond_wait(&c->changed, &c->lock);
	}
	return 0;
}

int
call_start(struct call *call, struct conn *c, struct err *e)
{
	int rc;

	call_again(call);
	pthread_mutex_lock(&c->lock);
	rc = c->state == CONN_UP ? 0 : bring_up(c, e);
	call->conn = c;
	call->generation = c->generation;
	call->caps = c->caps;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* Hands CALL over; 0 if its connection is gone. */
static bool
submit(struct call *call)
{
	struct conn *c = call->conn;
	bool up, sleeping = false;

	call_rewind(call);
	call->err.kind = ERR_NONE;
	pthread_mutex_lock(&c->lock);
	up = c->state == CONN_UP && c->generation == call->generation;
	if (up) {
		atomic_fetch_add_explicit(
		    &c->backlog, call->bytes, memory_order_relaxed);
		call_list_add(&c->inbox, call);
		sleeping = c->sleeping;
		c->sleeping = false;
	}
	pthread_mutex_unlock(&c->lock);
	if (sleeping)
		wake(c);
	return up;
}

int
call_run(struct call *call, struct err *e)
{
	return call_run_rounds(call, NULL, NULL, e);
}

int
call_run_rounds(struct call *call, call_next_fn *next, void *arg, struct err *e)
{
	call->next_round = next;
	call->next_arg = arg;
	if (buf_failed(&call->heads))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (call->n == 0)
		return 0;
	if (call->stale || !submit(call))
		return err_set(e,
		    conn_is_stopped(call->conn) ? ERR_STOPPED : ERR_NET,
		    "the connection was lost");
	while (sem_wait(&call->done) == -1 && errno == EINTR)
		;
	if (call->err.kind == ERR_NONE)
		return 0;
	*e = call->err;
	return -1;
}

void
conn_close_later(struct conn *c, const struct conn_handle *h)
{
	struct call *call;

	if (h->len == 0 || (call = malloc(sizeof(*call))) == NULL)
		return;
	call_init(call);
	call->conn = c;
	call->generation = h->generation;
	call->detached = true;
	call_close(call, h);
	/* A handle that stays open goes with its connection. */
	if (buf_failed(&call->heads) || !submit(call)) {
		call_free(call);
		free(call);
	}
}
