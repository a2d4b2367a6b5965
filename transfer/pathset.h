/* SPDX-License-Identifier: ISC */
/*
 * A set of paths that a scan is limited to: an item is in it if its path is, or
 * that of a directory above it.  Paths are bytes, relative, without a slash at
 * either end; "" is the root: then all is in it.  Read by any thread once it
 * is sealed.
 */
#ifndef TRANSFER_PATHSET_H
#define TRANSFER_PATHSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/err.h"

struct pathset;

/* It will hold MAX bytes of paths at most. */
struct pathset *pathset_new(size_t max, struct err *e);
void pathset_free(struct pathset *p);
AUTO_DEFINE(pathset, struct pathset, pathset_free)

/* ERR_NOSPACE: it is full. */
int pathset_add(struct pathset *p, const char *path, size_t len, struct err *e);
/* No path is added after that; look only then. */
void pathset_seal(struct pathset *p);

size_t pathset_count(const struct pathset *p);
/* Whether PATH is in it. */
bool pathset_has(const struct pathset *p, const char *path, size_t len);
/* Whether something below PATH may be in it. */
bool pathset_leads(const struct pathset *p, const char *path, size_t len);
/*
 * The next name in directory DIR that is in it or leads to it, from number *I
 * on (0 at first); false: there is none.  In no order that means anything; a
 * name may come several times.
 */
bool pathset_next_in(const struct pathset *p, const char *dir, size_t len,
    size_t *i, const char **name, size_t *name_len);

/* Once it is sealed: from now on it remembers which of its paths were seen. */
int pathset_track(struct pathset *p, struct err *e);
/* PATH was seen, if it is one of them; BELOW: so were those below it.  From any
 * thread. */
void pathset_saw(
    const struct pathset *p, const char *path, size_t len, bool below);
/* The next path from number *I on that was not seen; false: there is none. */
bool pathset_unseen(
    const struct pathset *p, size_t *i, const char **path, size_t *len);

#endif
