/* SPDX-License-Identifier: ISC */
/* What a task's file says of the watch over its source. */
#ifndef AGENT_DAEMON_CONF_WATCH_H
#define AGENT_DAEMON_CONF_WATCH_H

#include "agent/daemon/conf.h"

/* watch = yes | no | inotify | fanotify */
int conf_watch(struct task_conf *t, const char *value, struct err *e);
/* watch-settle = DURATION */
int conf_watch_settle(struct task_conf *t, const char *value, struct err *e);

/* Once all lines are read: whether T's source can be watched, and its options
 * go with that. */
int conf_watch_check(const struct task_conf *t, struct err *e);

#endif
