/* SPDX-License-Identifier: ISC */
/*
 * The process that watches a task's source.  It says what changes to the
 * daemon (watch_wire.h), by inotify(7), or by fanotify(7) where it may, and
 * goes on until it is killed, or something makes it blind.  One thread.
 */
#ifndef AGENT_DAEMON_WATCHER_H
#define AGENT_DAEMON_WATCHER_H

#include "agent/cli/table.h"

/* As a run's main: words are the task's options, how it is to watch ("auto",
 * ...), the source, and what is the daemon's own.  Returns only after something
 * went wrong, which it has logged. */
int watcher_main(enum verb_id verb, int argc, char **argv);

#endif
