/* SPDX-License-Identifier: ISC */
/*
 * The control socket, the daemon's end: a Unix socket on which each line is a
 * request in JSON, answered by a line in JSON, in order (dray-control(5)).
 * Who may connect is the file system's matter.  Nobody there can hold up the
 * daemon: lines are bounded, and whoever neither ends a line nor reads its
 * answers is turned away.
 */
#ifndef AGENT_DAEMON_CONTROL_H
#define AGENT_DAEMON_CONTROL_H

#include <stdint.h>

#include "agent/daemon/loop.h"
#include "base/buf.h"
#include "base/jdoc.h"

#define CONTROL_VERSION 1
#define CONTROL_LINE_MAX (64 << 10)

struct control;

/* Answers REQUEST, an object: one object into REPLY, without a line break. */
typedef void control_fn(
    void *arg, const struct jdoc_node *request, struct buf *reply);

/*
 * Listens at PATH, which is made anew, for its owner and the group GROUP
 * (NULL: as it comes).
 */
struct control *control_open(const char *path, const char *group,
    struct loop *l, control_fn *fn, void *arg, struct err *e);
/* Nobody can connect any more; PATH is gone. */
void control_close(struct control *c);
AUTO_DEFINE(control, struct control, control_close)

/* Turns away who has kept it waiting for too long; to be called every few
 * seconds. */
void control_tick(struct control *c, uint64_t now_ms);

/* Answers that are the same everywhere. */
void control_refuse(struct buf *reply, const struct err *why);

#endif
