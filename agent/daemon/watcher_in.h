/* SPDX-License-Identifier: ISC */
/* Inside of the watcher.  For agent/daemon/watcher*.c only. */
#ifndef AGENT_DAEMON_WATCHER_IN_H
#define AGENT_DAEMON_WATCHER_IN_H

#include "agent/daemon/watch_wire.h"
#include "agent/options.h"

/* As often it is looked whether the path still leads to the root: nothing is
 * heard of a symbolic link in it, or of a directory above that is renamed. */
#define WATCHER_CHECK_MS 10000

struct watcher {
	const struct options *options;
	const char *path; /* of the source, as it was given */
	int root_fd;	  /* of it, while it is looked at; -1 */
	uint64_t root_dev, root_ino;
	int out_fd;	 /* the daemon reads there */
	struct buf own;	 /* paths of the daemon's, each with a NUL behind */
	struct buf out;	 /* what is to be written */
	struct buf last; /* the path that was told last */
	enum watch_kind last_kind;
};

/*
 * NAME (or "": the directory itself) in the directory at DIR has changed, or
 * was created.  What the filters leave out, temporary names and what is the
 * daemon's own are passed over: false.
 */
bool watcher_tell(struct watcher *w, enum watch_kind kind,
    const struct buf *dir, const char *name, bool is_dir);
/* Anything may have changed. */
void watcher_tell_all(struct watcher *w);
/* It is watched from now on. */
void watcher_tell_state(struct watcher *w, const struct watch_state *s);
/* What was told goes to the daemon; without one the process ends. */
void watcher_flush(struct watcher *w);

/* Opens the root, if it is the directory that it was.  It isn't held: nobody
 * is to be kept from unmounting it. */
int watcher_enter(struct watcher *w, struct err *e);
void watcher_leave(struct watcher *w);

/* Each goes on until something goes wrong: returns -1. */
int watcher_inotify(struct watcher *w, struct err *e);
/* ERR_UNSUPPORTED or ERR_DENIED: it could not begin. */
int watcher_fanotify(struct watcher *w, struct err *e);

/*
 * watcher_own.c: what is at PATHS, and below them, is the daemon's own, if it
 * is in the source.  Before the working directory is another one.
 */
int watcher_take_own(
    struct watcher *w, char *const *paths, size_t n, struct err *e);
/* Whether PATH, below the source, is. */
bool watcher_is_own(const struct watcher *w, const char *path, size_t len);

/* watcher_limits.c: what to do about a limit of inotify(7). */
int watcher_too_many_instances(struct err *e);
int watcher_overflowed(bool by_fanotify, struct err *e);
void watcher_log_unwatched(uint64_t watched, uint64_t unwatched);

#endif
