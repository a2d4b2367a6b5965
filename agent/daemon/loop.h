/* SPDX-License-Identifier: ISC */
/*
 * Waiting for many descriptors at once: the daemon's one thread.  What is
 * added or removed while events are handed out counts from then on.
 */
#ifndef AGENT_DAEMON_LOOP_H
#define AGENT_DAEMON_LOOP_H

#include "base/auto.h"
#include "base/err.h"

struct loop;

/* EVENTS as poll() told them: POLLIN, POLLOUT, POLLHUP, POLLERR. */
typedef void loop_fn(void *arg, int fd, short events);

struct loop *loop_new(struct err *e);
/* The descriptors are the callers'. */
void loop_free(struct loop *l);
AUTO_DEFINE(loop, struct loop, loop_free)

/* FN(ARG) is called when FD has one of EVENTS. */
int loop_add(struct loop *l, int fd, short events, loop_fn *fn, void *arg,
    struct err *e);
/* Others are waited for from now on. */
void loop_change(struct loop *l, int fd, short events);
/* Before FD is closed.  One that was never added does no harm. */
void loop_remove(struct loop *l, int fd);

/* Waits TIMEOUT_MS at most (-1: as long as it takes), and hands out once. */
int loop_wait(struct loop *l, int timeout_ms, struct err *e);

#endif
