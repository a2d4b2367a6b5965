/* SPDX-License-Identifier: ISC */
/* Which directories get a watch: those that are found by reading those that
 * have one. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/watcher_inotify_in.h"
#include "transfer/beneath.h"
#include "transfer/filter.h"

#define PATH_BYTES_MAX ((size_t)512 << 10)

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

bool
inotify_enter(const struct inotify *in, uint32_t id, struct buf *path, int *fd)
{
	buf_reset(path);
	*fd = -1;
	if (!watchtree_path(in->tree, id, path))
		return false;
	*fd = beneath_open(in->w->root_fd, buf_str(path),
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
	return *fd != -1 && fchdir(*fd) == 0;
}

bool
inotify_is_outside(const struct inotify *in, const char *name)
{
	struct stat st;

	return in->w->options->one_file_system &&
	    fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev != in->w->root_dev;
}

int
inotify_add(struct inotify *in, uint32_t parent, const char *name, uint32_t *id,
    struct err *e)
{
	int wd = -1;

	if (inotify_is_outside(in, name))
		return 0;
	if (!in->full) {
		wd = inotify_add_watch(in->fd, name, INOTIFY_MASK);
		in->full = wd == -1 && errno == ENOSPC;
		if (wd == -1 && errno == ENOMEM)
			return err_sys(e, "inotify");
		if (wd == -1 && errno != ENOSPC)
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
	return inotify_add(in, id, de->d_name, &child, e) == -1 ? -1 : 0;
}

static int
read_dir(struct inotify *in, uint32_t id, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	const struct dirent *de;
	DIR *dir;
	int fd, rc = 0;

	if (!inotify_enter(in, id, &path, &fd) ||
	    (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return 0; /* the run says what can't be read */
	}
	while (rc == 0 && (de = readdir(dir)) != NULL)
		rc = take_entry(in, id, &path, de, e);
	closedir(dir);
	return rc;
}

int
inotify_walk(struct inotify *in, struct err *e)
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
