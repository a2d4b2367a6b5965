/* SPDX-License-Identifier: ISC */
/*
 * The directories that have a watch, each by its watch descriptor, and where
 * they are: a name in another one.  Some 60 bytes for each, so that a million
 * can be held.  A directory that is moved takes with it what is below it.
 */
#ifndef AGENT_DAEMON_WATCHTREE_H
#define AGENT_DAEMON_WATCHTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define WATCHTREE_NONE UINT32_MAX
#define WATCHTREE_ROOT 0u /* the number of the first that is added */

struct watchtree;

struct watchtree *watchtree_new(struct err *e);
void watchtree_free(struct watchtree *t);
AUTO_DEFINE(watchtree, struct watchtree, watchtree_free)

/*
 * The directory that WD watches is NAME in PARENT (NONE: the root); *ID gets
 * its number.  One that is known is from now on there.  WD -1: it has no
 * watch, and is another each time.
 */
int watchtree_put(struct watchtree *t, int wd, uint32_t parent,
    const char *name, uint32_t *id, struct err *e);
/* NONE: no directory has that watch. */
uint32_t watchtree_find(const struct watchtree *t, int wd);
uint32_t watchtree_parent(const struct watchtree *t, uint32_t id);

/* It has left the tree, and so has what is below it. */
void watchtree_detach(struct watchtree *t, uint32_t id);
/* Its watch is gone. */
void watchtree_remove(struct watchtree *t, uint32_t id);

/* Appends its path, relative to the root.  False if it is not (below) it. */
bool watchtree_path(const struct watchtree *t, uint32_t id, struct buf *out);

/* The watch of the next directory from number *ID on that has left the tree,
 * or -1: there is none. */
int watchtree_lost(const struct watchtree *t, uint32_t *id);

/* Of those with a watch. */
size_t watchtree_count(const struct watchtree *t);

#endif
