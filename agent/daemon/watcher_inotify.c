/* SPDX-License-Identifier: ISC */
/*
 * By inotify(7): a watch for each directory.  A directory gets its watch
 * before its names are read, so that nothing that comes meanwhile is missed.
 * Watches are set by name from within the directory above, never through a
 * symbolic link.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/watcher_inotify_in.h"

#define PATH_BYTES_MAX ((size_t)512 << 10)
#define EVENTS_BYTES 65536
/* What was moved away is let go of when nothing else happens. */
#define QUIET_MS 1000

static void
tell_state(struct inotify *in)
{
	struct watch_state s = {
	    .directories = watchtree_count(in->tree),
	    .unwatched = in->unwatched,
	};

	in->told = s.directories;
	watcher_tell_state(in->w, &s);
}

static void
forget(struct inotify *in)
{
	if (in->fd != -1)
		close(in->fd);
	in->fd = -1;
	watchtree_free(in->tree);
	in->tree = NULL;
	mounts_close(&in->mounts);
	free(in->root);
	in->root = NULL;
	in->unwatched = 0;
	in->full = in->moved = in->blind = false;
}

/* All of it, anew: what happened before is not known. */
static int
begin(struct inotify *in, struct err *e)
{
	uint32_t root;
	int rc;

	forget(in);
	in->fd = inotify_init1(IN_CLOEXEC);
	if (in->fd == -1)
		return errno == EMFILE ? watcher_too_many_instances(e)
				       : err_sys(e, "inotify");
	in->tree = watchtree_new(e);
	in->root = realpath(in->w->path, NULL);
	if (in->root == NULL)
		return err_sys(e, "%s", in->w->path);
	if (in->tree == NULL || mounts_open(&in->mounts, in->root, e) == -1)
		return -1;
	if (fchdir(in->w->root_fd) == -1)
		return err_sys(e, "%s", in->w->path);
	rc = inotify_add(in, WATCHTREE_NONE, ".", &root, e);
	if (rc == 0)
		return err_sys(e, "%s can't be watched", in->w->path);
	if (rc == -1 || inotify_walk(in, e) == -1)
		return -1;
	if (in->full)
		watcher_log_unwatched(watchtree_count(in->tree), in->unwatched);
	watcher_tell_all(in->w);
	tell_state(in);
	return 0;
}

/* NAME in the directory ID is new there, and so is all that is in it. */
static int
take_dir(struct inotify *in, uint32_t id, const char *name, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	uint64_t unwatched = in->unwatched;
	uint32_t child;
	bool full = in->full;
	int fd, rc = 0;

	/* Others may have given theirs back. */
	in->full = false;
	if (inotify_enter(in, id, &path, &fd))
		rc = inotify_add(in, id, name, &child, e);
	if (fd != -1)
		close(fd);
	if (rc != -1)
		rc = inotify_walk(in, e);
	if (in->full && !full)
		watcher_log_unwatched(watchtree_count(in->tree), in->unwatched);
	if (in->unwatched != unwatched)
		tell_state(in);
	return rc;
}

/* Whether the directory NAME in ID could not be watched before, and is now. */
static bool
is_opened(const struct inotify *in, uint32_t id, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	int fd, wd = -1;

	if (inotify_enter(in, id, &path, &fd) && !inotify_is_outside(in, name))
		wd = inotify_add_watch(in->fd, name, INOTIFY_MASK);
	if (fd != -1)
		close(fd);
	return wd != -1 && watchtree_find(in->tree, wd) == WATCHTREE_NONE;
}

/* The attributes of the directory NAME in ID are others: it may be readable
 * only now.  PATH is that of ID. */
static int
take_opened(struct inotify *in, uint32_t id, const struct buf *path,
    const char *name, struct err *e)
{
	if (!is_opened(in, id, name))
		return 0;
	if (take_dir(in, id, name, e) == -1)
		return -1;
	watcher_tell(in->w, WATCH_TREE, path, name, true);
	return 0;
}

/* A file that has a name more, or one that will be written now. */
static enum watch_kind
kind_of_new(const struct inotify *in, uint32_t id, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	enum watch_kind kind = WATCH_TREE;
	struct stat st;
	int fd;

	if (inotify_enter(in, id, &path, &fd) &&
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1)
		kind = WATCH_CREATED;
	if (fd != -1)
		close(fd);
	return kind;
}

/* The directory ID was moved: is it known where to? */
static int
on_moved(struct inotify *in, uint32_t id, int wd, const struct buf *path)
{
	AUTO(buf) struct buf above = BUF_INIT(PATH_BYTES_MAX);
	const char *slash = strrchr(buf_str(path), '/');
	const char *name = slash != NULL ? slash + 1 : buf_str(path);
	int fd;
	bool there =
	    inotify_enter(in, watchtree_parent(in->tree, id), &above, &fd) &&
	    inotify_add_watch(in->fd, name, INOTIFY_MASK) == wd;

	if (fd != -1)
		close(fd);
	if (!there) {
		watchtree_detach(in->tree, id);
		in->moved = true;
	}
	return 0;
}

/* An event of the directory ID itself.  That the root is another one is found
 * when it is entered. */
static int
on_self(struct inotify *in, uint32_t id, const struct inotify_event *ev,
    const struct buf *path, struct err *e)
{
	if ((ev->mask & (IN_UNMOUNT | IN_DELETE_SELF | IN_IGNORED)) != 0 &&
	    id == WATCHTREE_ROOT)
		return err_set(e, ERR_VANISHED, "%s was %s", in->w->path,
		    (ev->mask & IN_UNMOUNT) != 0 ? "unmounted" : "deleted");
	if ((ev->mask & IN_UNMOUNT) != 0)
		in->blind = true;
	if ((ev->mask & IN_IGNORED) != 0)
		watchtree_remove(in->tree, id);
	else if ((ev->mask & IN_MOVE_SELF) != 0 && id != WATCHTREE_ROOT)
		return on_moved(in, id, ev->wd, path);
	else if ((ev->mask & IN_ATTRIB) != 0)
		watcher_tell(in->w, WATCH_ALONE, path, "", true);
	return 0;
}

/* An event of what is called NAME in the directory ID. */
static int
on_name(struct inotify *in, uint32_t id, const struct inotify_event *ev,
    const struct buf *path, struct err *e)
{
	bool dir = (ev->mask & IN_ISDIR) != 0;
	enum watch_kind kind = WATCH_TREE;
	int rc;

	if (dir && (ev->mask & (IN_ATTRIB | IN_CREATE)) != 0)
		kind = WATCH_ALONE;
	else if ((ev->mask & IN_CREATE) != 0)
		kind = kind_of_new(in, id, ev->name);
	if (!dir || (ev->mask & (IN_CREATE | IN_MOVED_TO)) == 0) {
		if (!watcher_tell(in->w, kind, path, ev->name, dir) || !dir ||
		    (ev->mask & IN_ATTRIB) == 0)
			return 0;
		return take_opened(in, id, path, ev->name, e);
	}
	/* What was in a new directory before it had its watch is told one by
	 * one; what was moved here is all of it. */
	if (!watcher_tell(in->w, WATCH_ALONE, path, ev->name, true))
		return 0;
	in->tells = (ev->mask & IN_CREATE) != 0 && !in->full;
	rc = take_dir(in, id, ev->name, e);
	if (!in->tells || in->full)
		watcher_tell(in->w, WATCH_TREE, path, ev->name, true);
	in->tells = false;
	return rc;
}

static int
on_event(struct inotify *in, const struct inotify_event *ev, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	uint32_t id = watchtree_find(in->tree, ev->wd);
	bool lost;

	if (id == WATCHTREE_NONE)
		return 0;
	lost = !watchtree_path(in->tree, id, &path);
	if (ev->len > 0 && ev->name[0] != '\0')
		return lost ? 0 : on_name(in, id, ev, &path, e);
	if (lost && (ev->mask & IN_IGNORED) == 0)
		return 0;
	return on_self(in, id, ev, &path, e);
}

static int
take_events(struct inotify *in, struct err *e)
{
	char bytes[EVENTS_BYTES]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(in->fd, bytes, sizeof(bytes)), at = 0;

	if (n == -1)
		return errno == EINTR ? 0 : err_sys(e, "inotify");
	while (at < n && !in->blind) {
		const struct inotify_event *ev =
		    (const struct inotify_event *)(const void *)(bytes + at);

		if ((ev->mask & IN_Q_OVERFLOW) != 0)
			return watcher_overflowed(false, e);
		if (on_event(in, ev, e) == -1)
			return -1;
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	if (in->blind)
		return begin(in, e);
	if (watchtree_count(in->tree) != in->told)
		tell_state(in);
	watcher_flush(in->w);
	return 0;
}

/* What has left the tree needs no watch any more. */
static void
sweep(struct inotify *in)
{
	uint32_t id = 0;
	int wd;

	while ((wd = watchtree_lost(in->tree, &id)) != -1)
		inotify_rm_watch(in->fd, wd);
	in->moved = false;
}

/* Waits for something to look at; *EVENTS: what happened in the source. */
static int
wait_for_events(struct inotify *in, bool *events, struct err *e)
{
	struct pollfd p[] = {
	    {.fd = in->fd, .events = POLLIN},
	    {.fd = in->mounts.fd, .events = POLLPRI},
	};
	int rc = poll(p, 2, in->moved ? QUIET_MS : WATCHER_CHECK_MS);

	*events = p[0].revents != 0;
	if (rc == -1)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	if (rc == 0 && in->moved)
		sweep(in);
	if (p[1].revents != 0 && mounts_changed(&in->mounts, in->root))
		in->blind = true;
	return 0;
}

static int
serve(struct inotify *in, struct err *e)
{
	int rc = watcher_enter(in->w, e);
	bool events = false;

	if (rc == 0)
		rc = begin(in, e);
	while (rc != -1) {
		watcher_leave(in->w);
		if (wait_for_events(in, &events, e) == -1)
			return -1;
		/* Another one may be there by now. */
		rc = watcher_enter(in->w, e);
		if (rc == 0 && in->blind)
			rc = begin(in, e);
		else if (rc == 0 && events)
			rc = take_events(in, e);
	}
	return -1;
}

int
watcher_inotify(struct watcher *w, struct err *e)
{
	struct inotify in = {.w = w, .fd = -1, .mounts.fd = -1};
	int rc = serve(&in, e);

	forget(&in);
	free(in.queue);
	return rc;
}
