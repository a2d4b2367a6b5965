/* SPDX-License-Identifier: ISC */
/*
 * The control socket, the daemon's end: a Unix socket on which each line is a
 * request in JSON, answered by a line in JSON, in order (dray-control(5)).
 * Who may connect is the file system's matter.  Nobody there can hold up the
 * daemon: lines are bounded, whoever neither ends a line nor reads its answers
 * is turned away, and so is, for others, who has been quiet for longest.
 */
#ifndef AGENT_DAEMON_CONSOLE_H
#define AGENT_DAEMON_CONSOLE_H

#include <stdint.h>

#include "agent/daemon/aside.h"
#include "agent/daemon/loop.h"
#include "base/buf.h"
#include "base/jdoc.h"

#define CONSOLE_VERSION 1
#define CONSOLE_LINE_MAX (64 << 10)

struct console;

/* Answers REQUEST, an object: one object into REPLY, without a line break; or
 * says in *ASIDE who does that, if it may take a while. */
typedef void console_fn(void *arg, const struct jdoc_node *request,
    struct buf *reply, struct aside_order *aside);

/*
 * Listens at PATH, which is made anew, for its owner and the group GROUP
 * (NULL: as it comes).
 */
struct console *console_open(const char *path, const char *group,
    struct loop *l, console_fn *fn, void *arg, struct err *e);
/* Nobody can connect any more; PATH is gone. */
void console_close(struct console *c);
AUTO_DEFINE(console, struct console, console_close)

/* Turns away who has kept it waiting for too long; to be called every few
 * seconds. */
void console_tick(struct console *c, uint64_t now_ms);
/* Some child has ended. */
void console_reap(struct console *c);

/* Answers that are the same everywhere. */
void console_refuse(struct buf *reply, const struct err *why);

#endif
