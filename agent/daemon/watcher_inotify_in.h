/* SPDX-License-Identifier: ISC */
/* Inside of the watcher by inotify(7).  For agent/daemon/watcher_inotify*.c
 * only. */
#ifndef AGENT_DAEMON_WATCHER_INOTIFY_IN_H
#define AGENT_DAEMON_WATCHER_INOTIFY_IN_H

#include <sys/inotify.h>

#include "agent/daemon/mounts.h"
#include "agent/daemon/watcher_in.h"
#include "agent/daemon/watchtree.h"

/* Not IN_MODIFY: what is being written is sent once it is closed. */
#define INOTIFY_MASK                                                      \
	(IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVE |   \
	    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | \
	    IN_EXCL_UNLINK)

struct found {
	uint32_t id;
	bool watched;
};

struct inotify {
	struct watcher *w;
	int fd;
	struct watchtree *tree;
	char *root; /* where it is, as the kernel says it */
	struct mounts mounts;
	struct found *queue; /* of the walk: directories to be read */
	size_t queue_n, queue_cap;
	uint64_t unwatched;
	uint64_t told; /* how many were said to be watched */
	bool full;     /* no watch is left */
	bool tells;    /* the walk says what it finds */
	bool moved;    /* something has left the tree */
	bool blind;    /* what is where isn't known any more */
};

/* The directory with that number: its path, and it is the working directory;
 * *FD, the caller's, is of it, or -1.  False: there is none (any more). */
bool inotify_enter(
    const struct inotify *in, uint32_t id, struct buf *path, int *fd);
/* Whether NAME, where we are, is of another file system that stays out. */
bool inotify_is_outside(const struct inotify *in, const char *name);
/*
 * Watches the directory NAME, where we are, which has the number PARENT, and
 * puts it into the queue.  1: *ID is its number; 0: it isn't there, or isn't to
 * be watched, or can't be read.
 */
int inotify_add(struct inotify *in, uint32_t parent, const char *name,
    uint32_t *id, struct err *e);
/* Reads what is in the queue, and what is found by that. */
int inotify_walk(struct inotify *in, struct err *e);

#endif
