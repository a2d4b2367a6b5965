/* SPDX-License-Identifier: ISC */
/*
 * The watch over a task's source, as the daemon has it: a watcher (watcher.h),
 * which is a process, and what it has told (hints.h).  A watcher that ends is
 * started again, later each time; whenever one begins, all of the source is to
 * be looked at, as nobody knows what has changed before.
 */
#ifndef AGENT_DAEMON_WATCH_H
#define AGENT_DAEMON_WATCH_H

#include "agent/daemon/conf.h"
#include "agent/daemon/loop.h"
#include "base/buf.h"
#include "base/json.h"

struct watch;

/*
 * Of the task that CONF is of; it is read only now.  OWN, borrowed: files and
 * directories that the daemon itself writes to, NULL behind the last, or NULL;
 * of these nothing is told.
 */
struct watch *watch_new(const struct task_conf *conf, const char *const *own,
    struct loop *l, struct err *e);
/* The watcher is killed. */
void watch_free(struct watch *w);
AUTO_DEFINE(watch, struct watch, watch_free)

/* CONF is what counts from now on; NULL: the watch ends. */
void watch_set(struct watch *w, const struct task_conf *conf);
/* Whether there still is a process. */
bool watch_is_up(const struct watch *w);

/* Starts the watcher if it is time; returns in how many ms to call again. */
uint64_t watch_tick(struct watch *w, uint64_t now_ms);
/* Some child has ended. */
void watch_reap(struct watch *w, uint64_t now_ms);

/* When a run is due for what was seen; HINTS_NEVER: nothing was. */
uint64_t watch_due(struct watch *w, uint64_t now_ms);
/*
 * A run begins for what was seen: 1, and *FD, the caller's, is of a file of
 * its paths, as --changed-from --from0 reads them; 0: it must look at all;
 * -1, and nothing is taken.
 */
int watch_take(struct watch *w, uint64_t now_ms, int *fd, struct err *e);
/* A run begins that looks at all. */
void watch_take_all(struct watch *w);
/* That run has ended, and done what it was for; or not, and another one is to:
 * IDLE: after the next change only. */
void watch_done(struct watch *w);
void watch_return(struct watch *w, bool idle);
/* What was seen, and no run was for yet, waits for the next change. */
void watch_rest(struct watch *w);

/* Its members of a task's status. */
void watch_show(const struct watch *w, struct json *j);

#endif
