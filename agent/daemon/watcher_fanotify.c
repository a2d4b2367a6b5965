/* SPDX-License-Identifier: ISC */
/*
 * By fanotify(7): one mark for each file system, whatever the number of
 * directories.  It needs CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH and, from the file
 * system, handles for its directories.  Events are of all of the file system:
 * each names a directory by its handle, and where that is now is looked up;
 * what isn't below the source is dropped.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "agent/daemon/mounts.h"
#include "agent/daemon/watcher_in.h"
#include "transfer/filter.h"

#define PATH_BYTES_MAX ((size_t)512 << 10)
#define EVENTS_BYTES 65536
/* Others may be busy in the same file system: they don't wake us each time. */
#define NAP_US 10000
#define HANDLE_MAX (sizeof(struct file_handle) + MAX_HANDLE_SZ)
/* Not FAN_MODIFY: what is being written is sent once it is closed. */
#define MASK                                                      \
	(FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | \
	    FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR)

/* A file system, and a directory in it that handles are opened by. */
struct volume {
	__kernel_fsid_t id;
	char *path;
	int fd; /* -1: not open */
};

struct fan {
	struct watcher *w;
	int fd;
	char *root; /* where it is, as the kernel says it */
	struct mounts mounts;
	struct volume *volumes;
	size_t volumes_n;
	/* The directory of the last event: that of another one is between it
	 * and what comes after a move. */
	unsigned char handle[HANDLE_MAX];
	size_t handle_len;
	__kernel_fsid_t handle_fs; /* handles are each file system's own */
	struct buf dir;		   /* its path, below the root */
	bool inside;		   /* it is there */
};

/* The path of FD; malloc'd; NULL: no memory, or it is nowhere. */
static char *
path_of(int fd)
{
	AUTO(buf) struct buf name = BUF_INIT(64);
	size_t cap = 4096;

	buf_addf(&name, "/proc/self/fd/%d", fd);
	for (; cap <= PATH_BYTES_MAX; cap *= 2) {
		AUTO(free) char *path = malloc(cap);
		ssize_t n =
		    path != NULL ? readlink(buf_str(&name), path, cap) : -1;

		if (n == -1)
			return NULL;
		if ((size_t)n < cap) {
			path[n] = '\0';
			return TAKE(path);
		}
	}
	return NULL;
}

static int
cannot(const char *path, struct err *e)
{
	int why = errno;

	err_sys(e, "fanotify: %s", path);
	e->kind = why == EPERM ? ERR_DENIED : ERR_UNSUPPORTED;
	return -1;
}

/* The file system of PATH. */
static int
add_volume(struct fan *f, const char *path, struct err *e)
{
	struct volume *more =
	    realloc(f->volumes, (f->volumes_n + 1) * sizeof(*more));
	struct volume *v;
	struct statfs fs;

	if (more == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	f->volumes = more;
	v = &more[f->volumes_n];
	if (fanotify_mark(f->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, MASK,
		AT_FDCWD, path) == -1 ||
	    statfs(path, &fs) == -1)
		return cannot(path, e);
	*v = (struct volume){.path = strdup(path), .fd = -1};
	if (v->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(&v->id, &fs.f_fsid, sizeof(v->id));
	f->volumes_n++;
	return 0;
}

/* A file system that is mounted twice in the source (mount --bind): where in it
 * something is can't be told by its handle. */
static int
check_volume(const struct fan *f, const struct volume *v, struct err *e)
{
	const struct volume *other = f->volumes;

	for (; other < v; other++)
		if (memcmp(&other->id, &v->id, sizeof(v->id)) == 0 &&
		    strcmp(other->path, v->path) != 0)
			return err_set(e, ERR_UNSUPPORTED,
			    "fanotify: %s and %s are of the same file system, "
			    "which only inotify tells apart",
			    other->path, v->path);
	return 0;
}

/* PATH as it is below the root; NULL: it isn't. */
static const char *
below(const struct fan *f, const char *path)
{
	size_t n = strcmp(f->root, "/") == 0 ? 0 : strlen(f->root);

	if (strncmp(path, f->root, n) != 0 ||
	    (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] == '/' ? path + n + 1 : path + n;
}

/* Those that are mounted below the root, but what filters leave out. */
static int
add_mounted(struct fan *f, struct err *e)
{
	const char *path = NULL;

	if (f->w->options->one_file_system)
		return 0;
	while ((path = mounts_next(&f->mounts, path)) != NULL) {
		const char *name = below(f, path);

		if (name != NULL &&
		    filter_passes_from_root(
			f->w->options->filter, name, strlen(name), true) &&
		    (add_volume(f, path, e) == -1 ||
			check_volume(f, &f->volumes[f->volumes_n - 1], e) ==
			    -1))
			return -1;
	}
	return 0;
}

static void
close_volumes(struct fan *f)
{
	size_t i;

	for (i = 0; i < f->volumes_n; i++) {
		if (f->volumes[i].fd != -1)
			close(f->volumes[i].fd);
		f->volumes[i].fd = -1;
	}
}

static void
forget(struct fan *f)
{
	size_t i;

	close_volumes(f);
	for (i = 0; i < f->volumes_n; i++)
		free(f->volumes[i].path);
	free(f->volumes);
	f->volumes = NULL;
	f->volumes_n = 0;
	mounts_close(&f->mounts);
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	free(f->root);
	f->root = NULL;
	f->handle_len = 0;
	buf_free(&f->dir);
}

/* Whether handles can be opened: it needs another capability. */
static int
try_handles(const struct fan *f, struct err *e)
{
	unsigned char bytes[HANDLE_MAX]
	    __attribute__((aligned(__alignof__(struct file_handle))));
	struct file_handle *handle = (struct file_handle *)(void *)bytes;
	AUTO(close) int fd = -1;
	int mount;

	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(
		f->w->root_fd, "", handle, &mount, AT_EMPTY_PATH) == -1)
		return cannot(f->w->path, e);
	fd = open_by_handle_at(f->w->root_fd, handle, O_PATH | O_CLOEXEC);
	return fd != -1 ? 0 : cannot(f->w->path, e);
}

/* All of it, anew. */
static int
begin(struct fan *f, struct err *e)
{
	struct watch_state s = {.by_fanotify = true};

	forget(f);
	buf_init(&f->dir, PATH_BYTES_MAX);
	f->root = path_of(f->w->root_fd);
	if (f->root == NULL || mounts_open(&f->mounts, f->root, e) == -1)
		return cannot(f->w->path, e);
	f->fd =
	    fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_REPORT_DFID_NAME,
		O_RDONLY | O_CLOEXEC);
	if (f->fd == -1)
		return cannot(f->w->path, e);
	if (try_handles(f, e) == -1 || add_volume(f, f->root, e) == -1 ||
	    add_mounted(f, e) == -1)
		return -1;
	watcher_tell_all(f->w);
	watcher_tell_state(f->w, &s);
	return 0;
}

static int
volume_fd(struct fan *f, const __kernel_fsid_t *id)
{
	size_t i;

	for (i = 0; i < f->volumes_n; i++) {
		struct volume *v = &f->volumes[i];

		if (memcmp(&v->id, id, sizeof(*id)) != 0)
			continue;
		if (v->fd == -1)
			v->fd =
			    open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return v->fd;
	}
	return -1;
}

/* Where the directory of INFO is: f->dir, if it is inside. */
static void
locate(struct fan *f, const struct fanotify_event_info_fid *info)
{
	const struct file_handle *handle =
	    (const struct file_handle *)(const void *)info->handle;
	size_t len = sizeof(*handle) + handle->handle_bytes;
	struct file_handle *copy = (struct file_handle *)(void *)f->handle;
	AUTO(free) char *path = NULL;
	AUTO(close) int fd = -1;
	const char *name;

	if (len == f->handle_len && memcmp(f->handle, handle, len) == 0 &&
	    memcmp(&f->handle_fs, &info->fsid, sizeof(info->fsid)) == 0)
		return;
	f->inside = false;
	f->handle_len = 0;
	buf_reset(&f->dir);
	if (len > sizeof(f->handle))
		return;
	memcpy(f->handle, handle, len);
	f->handle_len = len;
	f->handle_fs = info->fsid;
	fd = open_by_handle_at(
	    volume_fd(f, &info->fsid), copy, O_PATH | O_CLOEXEC);
	path = fd != -1 ? path_of(fd) : NULL;
	/* Longer than the kernel can say: who knows where. */
	if (fd != -1 && path == NULL)
		watcher_tell_all(f->w);
	name = path != NULL ? below(f, path) : NULL;
	if (name != NULL) {
		buf_adds(&f->dir, name);
		f->inside = !buf_failed(&f->dir);
	}
}

/* A file that has a name more, or one that will be written now. */
static enum watch_kind
kind_of_new(const struct fan *f, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	struct stat st;

	buf_addf(
	    &path, "%s%s%s", buf_str(&f->dir), f->dir.len > 0 ? "/" : "", name);
	if (fstatat(f->w->root_fd, buf_str(&path), &st, AT_SYMLINK_NOFOLLOW) ==
		0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1)
		return WATCH_CREATED;
	return WATCH_TREE;
}

static void
tell(struct fan *f, uint64_t mask, const char *name)
{
	bool dir = (mask & FAN_ONDIR) != 0;
	enum watch_kind kind = WATCH_TREE;

	if (strcmp(name, ".") == 0)
		name = "";
	mask &= (uint64_t)MASK & ~(uint64_t)FAN_ONDIR;
	if (dir && (mask & ~(uint64_t)(FAN_CREATE | FAN_ATTRIB)) == 0)
		kind = WATCH_ALONE;
	else if (!dir && mask == FAN_CREATE)
		kind = kind_of_new(f, name);
	watcher_tell(f->w, kind, &f->dir, name, dir);
}

static int
on_event(struct fan *f, const struct fanotify_event_metadata *ev, struct err *e)
{
	const struct fanotify_event_info_fid *info =
	    (const struct fanotify_event_info_fid *)(const void *)(ev + 1);
	const struct file_handle *handle =
	    (const struct file_handle *)(const void *)info->handle;

	if ((ev->mask & FAN_Q_OVERFLOW) != 0)
		return watcher_overflowed(true, e);
	if (ev->event_len < sizeof(*ev) + sizeof(*info) ||
	    info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME)
		return 0;
	locate(f, info);
	if (f->inside)
		tell(f, ev->mask,
		    (const char *)handle->f_handle + handle->handle_bytes);
	return 0;
}

static int
take_events(struct fan *f, struct err *e)
{
	char bytes[EVENTS_BYTES];
	struct fanotify_event_metadata head;
	/* Those with names end at any multiple of four. */
	union {
		struct fanotify_event_metadata ev;
		char bytes[EVENTS_BYTES];
	} one;
	ssize_t n = read(f->fd, bytes, sizeof(bytes));
	size_t at, len = n > 0 ? (size_t)n : 0;

	if (n == -1)
		return errno == EINTR ? 0 : err_sys(e, "fanotify");
	for (at = 0; len - at >= sizeof(head); at += head.event_len) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.vers != FANOTIFY_METADATA_VERSION)
			return err_set(e, ERR_UNSUPPORTED,
			    "fanotify: another version of the kernel's");
		if (head.event_len < sizeof(head) || head.event_len > len - at)
			break;
		memcpy(one.bytes, bytes + at, head.event_len);
		if (on_event(f, &one.ev, e) == -1)
			return -1;
	}
	/* By the next time directories may have been moved. */
	f->handle_len = 0;
	close_volumes(f);
	watcher_flush(f->w);
	usleep(NAP_US);
	return 0;
}

/* Whether the root, the same directory, is somewhere else: what is below it is
 * known by where that is. */
static bool
has_moved(const struct fan *f)
{
	AUTO(free) char *path = path_of(f->w->root_fd);

	return path == NULL || strcmp(path, f->root) != 0;
}

static int
serve(struct fan *f, struct err *e)
{
	int rc = watcher_enter(f->w, e);

	if (rc == 0)
		rc = begin(f, e);
	while (rc != -1) {
		struct pollfd p[] = {
		    {.fd = f->fd, .events = POLLIN},
		    {.fd = f->mounts.fd, .events = POLLPRI},
		};

		watcher_leave(f->w);
		if (poll(p, 2, WATCHER_CHECK_MS) == -1 && errno != EINTR)
			return err_sys(e, "poll");
		rc = watcher_enter(f->w, e);
		if (rc == 0 &&
		    (has_moved(f) ||
			(p[1].revents != 0 &&
			    mounts_changed(&f->mounts, f->root))))
			rc = begin(f, e);
		else if (rc == 0 && p[0].revents != 0)
			rc = take_events(f, e);
	}
	watcher_leave(f->w);
	return -1;
}

int
watcher_fanotify(struct watcher *w, struct err *e)
{
	struct fan f = {.w = w, .fd = -1, .mounts.fd = -1};
	int rc;

	buf_init(&f.dir, PATH_BYTES_MAX);
	rc = serve(&f, e);
	forget(&f);
	return rc;
}
