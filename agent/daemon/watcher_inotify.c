/* SPDX-License-Identifier: ISC */
/*
 * By inotify(7): a watch for each directory.  A directory gets its watch
 * before its names are read, so that nothing that comes meanwhile is missed.
 * Watches are set by name from within the directory above, never through a
 * symbolic link.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/mounts.h"
#include "agent/daemon/watcher_in.h"
#include "agent/daemon/watchtree.h"
#include "base/log.h"
#include "transfer/beneath.h"

#define PATH_BYTES_MAX ((size_t)512 << 10)
#define EVENTS_BYTES 65536
/* What was moved away is let go of when nothing else happens. */
#define QUIET_MS 1000
/* Not IN_MODIFY: what is being written is sent once it is closed. */
#define MASK                                                              \
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
	bool full;  /* no watch is left */
	bool tells; /* the walk says what it finds */
	bool moved; /* something has left the tree */
	bool blind; /* what is where isn't known any more */
};

static int
enqueue(struct inotify *in, uint32_t id, bool watched, struct err *e)
{
	if (in->queue_n == in->queue_cap) {
		size_t cap = in->queue_cap > 0 ? in->queue_cap * 2 : 64;
		struct found *more = realloc(in->queue, cap * sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		in->queue = more;
		in->queue_cap = cap;
	}
	in->queue[in->queue_n++] = (struct found){.id = id, .watched = watched};
	return 0;
}

/* The directory with that number: its path, and it is the working directory.
 * False: there is none (any more). */
static bool
enter(const struct inotify *in, uint32_t id, struct buf *path, int *fd)
{
	buf_reset(path);
	*fd = -1;
	if (!watchtree_path(in->tree, id, path))
		return false;
	*fd = beneath_open(in->w->root_fd, buf_str(path),
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
	return *fd != -1 && fchdir(*fd) == 0;
}

/* Whether NAME, where we are, is of another file system that stays out. */
static bool
is_outside(const struct inotify *in, const char *name)
{
	struct stat st;

	return in->w->options->one_file_system &&
	    fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev != in->w->root_dev;
}

/*
 * Watches the directory NAME, where we are, which has the number PARENT.  1:
 * *ID is its number; 0: it isn't there, or isn't to be watched.
 */
static int
add(struct inotify *in, uint32_t parent, const char *name, uint32_t *id,
    struct err *e)
{
	int wd = -1;

	if (is_outside(in, name))
		return 0;
	if (!in->full) {
		wd = inotify_add_watch(in->fd, name, MASK);
		in->full = wd == -1 && errno == ENOSPC;
		if (wd == -1 && errno == ENOMEM)
			return err_sys(e, "inotify");
		if (wd == -1 && errno != ENOSPC && errno != EACCES)
			return 0;
	}
	if (watchtree_put(in->tree, wd, parent, name, id, e) == -1)
		return -1;
	in->unwatched += wd == -1;
	return enqueue(in, *id, wd != -1, e) == 0 ? 1 : -1;
}

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Whether DE, where we are, is a directory. */
static bool
is_dir(const struct dirent *de)
{
	struct stat st;

	if (de->d_type != DT_UNKNOWN)
		return de->d_type == DT_DIR;
	return fstatat(AT_FDCWD, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

/* What is in a directory: its directories get a watch. */
static int
take_entry(struct inotify *in, uint32_t id, const struct buf *path,
    const struct dirent *de, struct err *e)
{
	AUTO(buf) struct buf below = BUF_INIT(PATH_BYTES_MAX);
	bool dir = !is_dot(de->d_name) && is_dir(de);
	uint32_t child;

	if (is_dot(de->d_name))
		return 0;
	if (in->tells &&
	    !watcher_tell(
		in->w, dir ? WATCH_ALONE : WATCH_TREE, path, de->d_name, dir))
		return 0;
	if (!dir)
		return 0;
	buf_add(&below, path->data, path->len);
	if (path->len > 0)
		buf_addc(&below, '/');
	buf_adds(&below, de->d_name);
	if (watcher_is_own(in->w, buf_str(&below), below.len) ||
	    !filter_passes(
		in->w->options->filter, buf_str(&below), below.len, true))
		return 0;
	return add(in, id, de->d_name, &child, e) == -1 ? -1 : 0;
}

static int
read_dir(struct inotify *in, uint32_t id, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	const struct dirent *de;
	DIR *dir;
	int fd, rc = 0;

	if (!enter(in, id, &path, &fd) || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return 0; /* the run says what can't be read */
	}
	while (rc == 0 && (de = readdir(dir)) != NULL)
		rc = take_entry(in, id, &path, de, e);
	closedir(dir);
	return rc;
}

/* Reads what is in the queue, and what is found by that. */
static int
walk(struct inotify *in, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < in->queue_n; i++)
		rc = read_dir(in, in->queue[i].id, e);
	/* Those without a watch were kept to be counted. */
	for (i = in->queue_n; i-- > 0;)
		if (!in->queue[i].watched)
			watchtree_remove(in->tree, in->queue[i].id);
	in->queue_n = 0;
	if (in->queue_cap > 4096) {
		free(in->queue);
		in->queue = NULL;
		in->queue_cap = 0;
	}
	return rc;
}

static void
tell_state(struct inotify *in)
{
	struct watch_state s = {
	    .directories = watchtree_count(in->tree),
	    .unwatched = in->unwatched,
	};

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
	rc = add(in, WATCHTREE_NONE, ".", &root, e);
	if (rc == 0)
		return err_sys(e, "%s can't be watched", in->w->path);
	if (rc == -1 || walk(in, e) == -1)
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
	if (enter(in, id, &path, &fd))
		rc = add(in, id, name, &child, e);
	if (fd != -1)
		close(fd);
	if (rc != -1)
		rc = walk(in, e);
	if (in->full && !full)
		watcher_log_unwatched(watchtree_count(in->tree), in->unwatched);
	if (in->unwatched != unwatched)
		tell_state(in);
	return rc;
}

/* A file that has a name more, or one that will be written now. */
static enum watch_kind
kind_of_new(const struct inotify *in, uint32_t id, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	enum watch_kind kind = WATCH_TREE;
	struct stat st;
	int fd;

	if (enter(in, id, &path, &fd) &&
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
	bool there = enter(in, watchtree_parent(in->tree, id), &above, &fd) &&
	    inotify_add_watch(in->fd, name, MASK) == wd;

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
		watcher_tell(in->w, kind, path, ev->name, dir);
		return 0;
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

		if ((ev->mask & IN_Q_OVERFLOW) != 0) {
			log_warn("more changes than the queue holds "
				 "(fs.inotify.max_queued_events): all is "
				 "looked at");
			in->blind = true;
		} else if (on_event(in, ev, e) == -1) {
			return -1;
		}
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
	if (in->blind)
		return begin(in, e);
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
	int rc = poll(p, 2, in->moved ? QUIET_MS : -1);

	*events = p[0].revents != 0;
	if (rc == -1)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	if (rc == 0)
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
		/* Something may be mounted where it is. */
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
