/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "agent/daemon/loop.h"

struct waiter {
	loop_fn *fn;
	void *arg;
};

struct loop {
	struct pollfd *fds; /* fd -1: free */
	struct waiter *waiters;
	nfds_t n, cap;
};

struct loop *
loop_new(struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	free(l->fds);
	free(l->waiters);
	free(l);
}

static nfds_t
find(const struct loop *l, int fd)
{
	nfds_t i;

	for (i = 0; i < l->n; i++)
		if (l->fds[i].fd == fd)
			break;
	return i;
}

static int
grow(struct loop *l, struct err *e)
{
	nfds_t cap = l->cap > 0 ? 2 * l->cap : 16;
	struct pollfd *fds = realloc(l->fds, cap * sizeof(*fds));
	struct waiter *waiters;

	if (fds != NULL)
		l->fds = fds;
	waiters = realloc(l->waiters, cap * sizeof(*waiters));
	if (waiters != NULL)
		l->waiters = waiters;
	if (fds == NULL || waiters == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	l->cap = cap;
	return 0;
}

int
loop_add(
    struct loop *l, int fd, short events, loop_fn *fn, void *arg, struct err *e)
{
	nfds_t i = find(l, -1);

	if (i == l->n) {
		if (l->n == l->cap && grow(l, e) == -1)
			return -1;
		l->n++;
	}
	l->fds[i] = (struct pollfd){.fd = fd, .events = events};
	l->waiters[i] = (struct waiter){.fn = fn, .arg = arg};
	return 0;
}

void
loop_change(struct loop *l, int fd, short events)
{
	nfds_t i = find(l, fd);

	if (i < l->n)
		l->fds[i].events = events;
}

void
loop_remove(struct loop *l, int fd)
{
	nfds_t i = fd >= 0 ? find(l, fd) : l->n;

	if (i < l->n)
		l->fds[i] = (struct pollfd){.fd = -1};
}

int
loop_wait(struct loop *l, int timeout_ms, struct err *e)
{
	int ready = poll(l->fds, l->n, timeout_ms);
	nfds_t i;

	if (ready == -1)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	/* Both arrays may move meanwhile; a slot that was freed and taken
	 * again has no events yet. */
	for (i = 0; ready > 0 && i < l->n; i++) {
		short events = l->fds[i].fd >= 0 ? l->fds[i].revents : 0;

		if (events == 0)
			continue;
		ready--;
		l->fds[i].revents = 0;
		l->waiters[i].fn(l->waiters[i].arg, l->fds[i].fd, events);
	}
	return 0;
}
