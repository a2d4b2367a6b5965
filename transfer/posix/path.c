/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/beneath.h"
#include "transfer/posix/internal.h"

#define KEEP_DIR_MS 50

/*
 * Says which component of DIR is in the way where a directory is needed
 * (errno is ENOTDIR or ELOOP, and stays so if none is found).
 */
static int
in_the_way(int root, char *dir, struct err *e)
{
	char shown[300];
	int sys = errno;
	char *p = dir;

	while (*p != '\0') {
		const char *name;
		struct stat st;
		char was;

		p += strcspn(p, "/");
		was = *p;
		*p = '\0';
		{
			AUTO(close) int fd = beneath_parent(root, dir, &name);

			if (fd != -1 &&
			    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    !S_ISDIR(st.st_mode))
				return err_set(e, ERR_EXISTS,
				    "%s is a %s where a directory is needed: "
				    "move it away, or exclude what goes there",
				    text_escaped(
					dir, strlen(dir), shown, sizeof(shown)),
				    S_ISLNK(st.st_mode) ? "symbolic link"
							: "file");
		}
		*p = was;
		p += was != '\0';
	}
	errno = sys;
	return err_sys(e, "open directory");
}

/*
 * A directory of our own that its mode keeps us from writing into (made so by
 * an earlier run) is opened up.  Whoever writes sets it right later.
 */
static void
open_up(int dir_fd)
{
	const mode_t need = S_IWUSR | S_IXUSR;
	uid_t me = geteuid();
	struct stat st;

	if (me == 0 || fstat(dir_fd, &st) == -1 || st.st_uid != me ||
	    (st.st_mode & need) == need)
		return;
	/* If that can't be, writing fails, and says why. */
	if (fchmod(dir_fd, (st.st_mode & 07777) | need) == -1)
		return;
}

bool
posix_open_up(int fd)
{
	char name[32];
	struct stat st;

	if (fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
	    (st.st_mode & S_IRWXU) == S_IRWXU)
		return false;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return chmod(name, (st.st_mode & 07777) | S_IRWXU) == 0;
}

/* Opens directory PATH below ROOT; what is closed to us on the way, and may be
 * opened up, is. */
static int
open_dir(int root, const char *path)
{
	const int look = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = beneath_open(root, path, O_RDONLY | O_DIRECTORY, 0);
	AUTO(free) char *dir = NULL;
	AUTO(close) int at = -1;
	char *p, *rest = NULL;

	if (fd != -1 || errno != EACCES || geteuid() == 0)
		return fd;
	dir = strdup(path);
	at = dup(root);
	if (dir == NULL || at == -1) {
		errno = ENOMEM;
		return -1;
	}
	for (p = strtok_r(dir, "/", &rest); p != NULL;
	     p = strtok_r(NULL, "/", &rest)) {
		int next = strcmp(p, "..") != 0 ? openat(at, p, look) : -1;

		if (next == -1)
			break;
		close(at);
		at = next;
		/* If that can't be, opening it fails again, and says why. */
		(void)posix_open_up(at);
	}
	return beneath_open(root, path, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes NAME in DIR_FD, unless it is there, and opens it. */
static int
step_into(struct session *c, int dir_fd, const char *name, struct err *e)
{
	AUTO(close) int fd = -1;

	if (mkdirat(dir_fd, name, 0777) == 0) {
		if (posix_sync_later(c, dir_fd, e) == -1)
			return -1;
	} else if (errno != EEXIST) {
		return err_sys(e, "make directory");
	} else if (posix_spelled(c, dir_fd, name, e) == -1) {
		return -1;
	}
	fd = open_dir(dir_fd, name);
	if (fd == -1)
		return err_sys(e, "open directory");
	return take_fd(&fd);
}

/* Makes all of DIR that is missing; a descriptor of it. */
static int
make_dirs(struct session *c, int root, char *dir, struct err *e)
{
	AUTO(close) int at = beneath_open(root, "", O_RDONLY | O_DIRECTORY, 0);
	char *p = dir;

	if (at == -1)
		return err_sys(e, "open directory");
	while (*p != '\0') {
		size_t n = strcspn(p, "/");
		char was = p[n];
		int next;

		p[n] = '\0';
		open_up(at);
		next = step_into(c, at, p, e);
		p[n] = was;
		if (next == -1) {
			if (e->sys == ENOTDIR || e->sys == ELOOP) {
				errno = e->sys;
				return in_the_way(root, dir, e);
			}
			return -1;
		}
		close(at);
		at = next;
		p += n + (was != '\0');
	}
	return take_fd(&at);
}

static bool
is_name(const char *name)
{
	return name[0] != '\0' && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0;
}

/* ESTALE may be of the root itself. */
static int
open_failed(struct session *c, struct err *e, const char *what)
{
	if (errno == ESTALE)
		posix_root_again(c);
	return err_sys(e, "%s", what);
}

static int
parent(struct session *c, const char *key, bool make, const char **name,
    struct err *e)
{
	const char *slash = strrchr(key, '/');
	const char *last = slash != NULL ? slash + 1 : key;
	AUTO(free)
	char *dir = strndup(key, slash != NULL ? (size_t)(slash - key) : 0);
	int root = posix_root(c, e);
	int fd;

	if (root == -1)
		return -1;
	if (dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!is_name(last))
		return err_set(e, ERR_NAME, "not a name for an item");
	if (posix_spelled_path(c, root, dir, e) == -1) {
		if (!make)
			e->kind = ERR_NOTFOUND;
		return -1;
	}
	fd = make ? open_dir(root, dir)
		  : beneath_open(root, dir, O_PATH | O_DIRECTORY, 0);
	if (fd == -1) {
		if (errno == ENOENT && make)
			fd = make_dirs(c, root, dir, e);
		else if (errno == ENOTDIR || errno == ELOOP)
			return in_the_way(root, dir, e);
		else
			return open_failed(c, e, "open directory");
	}
	if (fd != -1)
		*name = last;
	return fd;
}

int
posix_parent(
    struct session *c, const char *key, const char **name, struct err *e)
{
	return parent(c, key, false, name, e);
}

int
posix_parent_there(
    struct session *c, const char *key, const char **name, struct err *e)
{
	int fd = parent(c, key, true, name, e);

	if (fd != -1)
		open_up(fd);
	return fd;
}

bool
posix_is_dir_key(const char *key, char **out)
{
	size_t n = strlen(key);
	bool dir = n > 0 && key[n - 1] == '/';

	*out = strndup(key, n - dir);
	return dir;
}

int
posix_parent_made(
    struct session *c, const char *key, const char **name, struct err *e)
{
	struct posix_store *s = posix_store_of(c);
	int fd = posix_parent_there(c, key, name, e);

	if (fd == -1 || atomic_load(&s->names_known))
		return fd;
	posix_names_try(c, fd);
	if (!atomic_load(&s->folds))
		return fd;
	close(fd);
	return posix_parent_there(c, key, name, e);
}

int
posix_open(struct session *c, const char *key, int flags, struct err *e)
{
	int root = posix_root(c, e);
	int fd;

	if (root == -1)
		return -1;
	fd = beneath_open(root, key, flags | O_NOFOLLOW, 0);
	return fd != -1 ? fd : open_failed(c, e, "open");
}

void
posix_dir_drop(struct session *c)
{
	struct posix_dir *d = &posix_session_of(c)->dir;

	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}

void
posix_dir_learned(struct session *c)
{
	struct posix_store *s = posix_store_of(c);
	const struct posix_dir *d = &posix_session_of(c)->dir;

	pthread_mutex_lock(&s->learning);
	buf_reset(&s->learned_dir);
	buf_add(&s->learned_dir, d->key, d->key_len);
	s->learned = d->gets;
	s->learned.seen = !buf_failed(&s->learned_dir);
	pthread_mutex_unlock(&s->learning);
}

/* What another session has learned of D, if anything. */
static struct posix_gets
learned(struct posix_store *s, const struct posix_dir *d)
{
	struct posix_gets gets = {.seen = false};

	pthread_mutex_lock(&s->learning);
	if (text_compare(s->learned_dir.data, s->learned_dir.len, d->key,
		d->key_len) == 0)
		gets = s->learned;
	pthread_mutex_unlock(&s->learning);
	return gets;
}

/* Remembers that FD is the directory KEY (LEN bytes). */
static int
keep(struct session *c, const char *key, size_t len, int fd, struct err *e)
{
	struct posix_dir *d = &posix_session_of(c)->dir;

	if (len > d->key_cap) {
		char *more = realloc(d->key, len + 256);

		if (more == NULL) {
			close(fd);
			return err_set(e, ERR_NOMEM, "out of memory");
		}
		d->key = more;
		d->key_cap = len + 256;
	}
	if (len > 0)
		memcpy(d->key, key, len);
	d->key_len = len;
	d->fd = fd;
	d->gets = learned(posix_store_of(c), d);
	d->defers = posix_defers(c, fd);
	return 0;
}

struct posix_dir *
posix_dir(struct session *c, const char *key, const char **name, struct err *e)
{
	struct posix_dir *d = &posix_session_of(c)->dir;
	const char *slash = strrchr(key, '/');
	size_t len = slash != NULL ? (size_t)(slash - key) : 0;
	uint64_t now = clock_mono_ms();
	int fd;

	if (d->fd != -1 && d->key_len == len && now < d->until_ms &&
	    (len == 0 || memcmp(d->key, key, len) == 0) &&
	    is_name(slash != NULL ? slash + 1 : key)) {
		*name = slash != NULL ? slash + 1 : key;
		return d;
	}
	posix_dir_drop(c);
	fd = posix_parent_made(c, key, name, e);
	if (fd == -1 || keep(c, key, len, fd, e) == -1)
		return NULL;
	d->until_ms = now + KEEP_DIR_MS;
	return d;
}

int
posix_open_dir(struct session *c, const char *key, struct err *e)
{
	int root = posix_root(c, e);
	int fd;

	if (root == -1)
		return -1;
	fd = open_dir(root, key);
	return fd != -1 ? fd : open_failed(c, e, "open");
}
