/* SPDX-License-Identifier: ISC */
/*
 * The mount points below a directory, and whether they have changed:
 * /proc/self/mountinfo, which poll() tells of (proc(5)).
 */
#ifndef AGENT_DAEMON_MOUNTS_H
#define AGENT_DAEMON_MOUNTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define MOUNTS_MAX_BYTES ((size_t)16 << 20)

struct mounts {
	int fd;		/* to be polled for POLLPRI; -1: it can't be known */
	struct buf all; /* their paths, each with a NUL behind */
};

/* Below PATH, which is as the kernel says it: absolute, no symbolic link. */
int mounts_open(struct mounts *m, const char *path, struct err *e);
void mounts_close(struct mounts *m);

/* Reads again, after poll() has told of a change: whether they are others. */
bool mounts_changed(struct mounts *m, const char *path);

/* The mount point behind AT, NULL: the first; NULL: there is none. */
const char *mounts_next(const struct mounts *m, const char *at);

#endif
