/* SPDX-License-Identifier: ISC */
/* A file that one process at a time holds locked (flock(2)); the lock dies
 * with that process, however it ends. */
#ifndef BASE_LOCKFILE_H
#define BASE_LOCKFILE_H

#include "base/err.h"

/*
 * Locks DIR/NAME, which is made: 1, and *FD holds the lock until it is closed;
 * 0 if another holds it; -1.
 */
int lockfile_take(const char *dir, const char *name, int *fd, struct err *e);

#endif
