/* SPDX-License-Identifier: ISC */
/*
 * What a watcher, a process of its own, tells the daemon through a pipe:
 * records of a kind and some bytes.
 */
#ifndef AGENT_DAEMON_WATCH_WIRE_H
#define AGENT_DAEMON_WATCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define WATCH_WIRE_MAX ((size_t)1 << 20) /* bytes of a record */

enum watch_kind {
	WATCH_TREE,    /* a path: a hint of that kind */
	WATCH_ALONE,   /* the same */
	WATCH_CREATED, /* the same */
	WATCH_STATE,   /* struct watch_state: all is watched from now on */
	WATCH_KINDS
};

struct watch_state {
	uint64_t directories; /* with a watch; 0: it is the file systems */
	uint64_t unwatched;   /* that got none */
	bool by_fanotify;
};

void watch_wire_put(
    struct buf *out, enum watch_kind kind, const void *bytes, size_t len);

typedef void watch_wire_fn(
    void *arg, enum watch_kind kind, const char *bytes, size_t len);

/*
 * Tells FN of each whole record in IN, and leaves what isn't whole yet there.
 * ERR_SERVER: no record begins so.
 */
int watch_wire_take(
    struct buf *in, watch_wire_fn *fn, void *arg, struct err *e);

#endif
