/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

/* Some network and FUSE file systems have none, for directories at least. */
static bool
has_no_sync(int sys)
{
	return sys == EINVAL || sys == ENOSYS || sys == ENOTSUP;
}

int
posix_sync(struct session *c, int fd, struct err *e)
{
	if (posix_store_of(c)->no_fsync || fsync(fd) == 0 || has_no_sync(errno))
		return 0;
	return err_sys(e, "fsync");
}

int
posix_sync_data(struct session *c, int fd, struct err *e)
{
	if (posix_store_of(c)->no_fsync || fdatasync(fd) == 0 ||
	    has_no_sync(errno))
		return 0;
	return err_sys(e, "fdatasync");
}

bool
posix_defers(struct session *c, int fd)
{
	const struct posix_store *s = posix_store_of(c);
	struct stat st;

	/* Another file system may be mounted below the root. */
	return s->may_defer && fstat(fd, &st) == 0 && st.st_dev == s->root_dev;
}

int
posix_sync_later(struct session *c, int fd, struct err *e)
{
	return posix_defers(c, fd) ? 0 : posix_sync(c, fd, e);
}

int
posix_flush(struct session *c, struct err *e)
{
	int root = posix_root(c, e);

	if (root == -1)
		return -1;
	if (posix_store_of(c)->no_fsync || !posix_store_of(c)->may_defer ||
	    syncfs(root) == 0)
		return 0;
	return err_sys(e, "syncfs");
}

/* What is read back has not been read. */
static void
read_quietly(struct session *c, int fd)
{
	int flags;

	if (posix_store_of(c)->keep_atimes &&
	    (flags = fcntl(fd, F_GETFL)) != -1)
		(void)fcntl(fd, F_SETFL, flags | O_NOATIME);
}

int
posix_temp_file(
    struct session *c, int dir_fd, mode_t mode, char *temp, struct err *e)
{
	int tries, fd;

	for (tries = 0; tries < 10; tries++) {
		temp_name(posix_store_of(c)->owner, temp);
		fd = openat(dir_fd, temp,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd != -1) {
			read_quietly(c, fd);
			return fd;
		}
		if (errno != EEXIST)
			break;
	}
	return err_sys(e, "make temporary file");
}

void
posix_drop(struct session *c, const char *key, int dir_fd, const char *temp)
{
	if (unlinkat(dir_fd, temp, 0) == -1 && errno != ENOENT)
		store_leave(c->store, key, temp);
}

int
posix_write(struct session *c, int fd, const void *data, size_t len,
    uint64_t offset, struct err *e)
{
	struct posix_store *s = posix_store_of(c);
	const uint8_t *p = data;

	while (len > 0) {
		size_t some = limit_take(s->limit, len);
		ssize_t n;

		/* Nobody waits for the limit any more. */
		if (limit_is_on(s->limit) && posix_go_on(c, e) == -1)
			return -1;
		n = pwrite(fd, p, some, (off_t)offset);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "write");
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Where names fold, none takes the place of another spelling of it. */
static int
rename_spelled(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e)
{
	struct posix_store *s = posix_store_of(c);
	int rc;

	if (c->expect != NULL)
		return posix_rename_expected(c, dir_fd, temp, name, e);
	if (!atomic_load_explicit(&s->folds, memory_order_relaxed)) {
		rc = renameat(dir_fd, temp, dir_fd, name);
		return rc == 0 ? 0 : err_sys(e, "rename");
	}
	pthread_mutex_lock(&s->names);
	rc = posix_spelled(c, dir_fd, name, e);
	if (rc == 0 && renameat(dir_fd, temp, dir_fd, name) == -1)
		rc = err_sys(e, "rename");
	pthread_mutex_unlock(&s->names);
	return rc;
}

int
posix_publish(struct session *c, int dir_fd, const char *temp, const char *name,
    struct err *e)
{
	if (rename_spelled(c, dir_fd, temp, name, e) == -1) {
		switch (e->sys) {
		case EISDIR:
		case ENOTEMPTY:
		case EEXIST:
			return err_set(e, ERR_EXISTS,
			    "a directory has this name at the target: move "
			    "it away, or exclude this item");
		case EINVAL:
		case EILSEQ:
			return err_set(e, ERR_NAME,
			    "the target's file system takes no such name");
		default:
			return -1;
		}
	}
	return posix_sync_later(c, dir_fd, e);
}

/*
 * Makes a file for ST in D.  Nobody else reads it before it has its owner and
 * mode: only where those are known to be what it gets anyhow it is made with
 * them, and *AS_IT_IS says that nothing but its times is left to be set.
 */
static int
make_file(struct session *c, struct posix_dir *d, const struct item_stat *st,
    char *temp, bool *as_it_is, struct err *e)
{
	struct posix_gets *gets = &d->gets;
	mode_t mode = st->mode & 07777;
	bool own = st->mode != 0 && gets->seen && st->uid == gets->uid &&
	    st->gid == gets->gid && (mode & ~(mode_t)0777) == 0;
	struct stat got;
	int fd;

	if (!own)
		mode = st->mode != 0 ? 0600 : 0666;
	fd = posix_temp_file(c, d->fd, mode, temp, e);
	if (fd == -1)
		return -1;
	if ((!gets->seen || gets->asked != mode) && fstat(fd, &got) == 0) {
		*gets = (struct posix_gets){
		    .seen = true,
		    .uid = got.st_uid,
		    .gid = got.st_gid,
		    .asked = mode,
		    .got = got.st_mode & 07777,
		};
		posix_dir_learned(c);
	}
	*as_it_is =
	    own && gets->seen && gets->asked == mode && gets->got == mode;
	return fd;
}

static int
write_all(struct session *c, int fd, const struct item_stat *st,
    const void *data, size_t len, struct err *e)
{
	if (!posix_is_sparse(c, st))
		return posix_write(c, fd, data, len, 0, e);
	if (posix_write_sparse(c, fd, data, len, 0, POSIX_BLOCK, e) == -1)
		return -1;
	return ftruncate(fd, (off_t)len) == 0 ? 0 : err_sys(e, "set size");
}

/* What is beyond the file's end is a hole of it that is still to be. */
static int
read_back(int fd, uint8_t *out, size_t len, uint64_t offset, struct err *e)
{
	while (len > 0) {
		ssize_t n = pread(fd, out, len, (off_t)offset);

		if (n == -1) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "reading it back");
		}
		if (n == 0) {
			memset(out, 0, len);
			return 0;
		}
		out += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
posix_prove(struct session *base, int fd, const void *data, size_t len,
    uint64_t offset, bool synced, struct err *e)
{
	struct posix_session *c = posix_session_of(base);
	const uint8_t *p = data;
	size_t done = 0;

	if (posix_tools(base, e) == -1)
		return -1;
	if (synced)
		posix_fadvise(
		    fd, (off_t)offset, (off_t)len, POSIX_FADV_DONTNEED);
	while (done < len) {
		size_t n =
		    len - done < POSIX_IO_SIZE ? len - done : POSIX_IO_SIZE;

		if (posix_store_of(base)->knows_holes && p[done] == 0 &&
		    posix_is_zero(p + done, n) &&
		    posix_has_nothing(base, fd, offset + done, n)) {
			done += n;
			continue;
		}
		if (synced && posix_store_of(base)->is_remote)
			limit_pay(posix_store_of(base)->limit, n);
		if (read_back(fd, c->io, n, offset + done, e) == -1)
			return -1;
		if (memcmp(c->io, p + done, n) != 0)
			return err_set(e, ERR_MISMATCH,
			    "read back from the target, bytes %llu to %llu "
			    "are not what was sent",
			    (unsigned long long)(offset + done),
			    (unsigned long long)(offset + done + n));
		done += n;
	}
	return 0;
}

/* A whole file's bytes: DATA, or what FROM has. */
struct content {
	const void *data;
	size_t len;
	struct store_file *from;
};

/* All of a file but its name.  Takes FD. */
static int
fill(struct session *c, int taken, const struct item_stat *st, bool as_it_is,
    const struct content *x, bool later, struct err *e)
{
	const struct posix_store *s = posix_store_of(c);
	AUTO(close) int fd = taken;

	if (x->from != NULL ? posix_share(c, fd, x->from, e) == -1
			    : write_all(c, fd, st, x->data, x->len, e) == -1)
		return -1;
	if ((as_it_is ? posix_apply_rest(c, fd, st, e)
		      : posix_apply(c, fd, st, e)) == -1)
		return -1;
	if (!later && posix_sync(c, fd, e) == -1)
		return -1;
	if (s->read_back && x->from == NULL &&
	    posix_prove(c, fd, x->data, x->len, 0, !later && !s->no_fsync, e) ==
		-1)
		return -1;
	/* NFS and quotas tell the last errors here. */
	if (close(take_fd(&fd)) == -1)
		return err_sys(e, "close");
	return 0;
}

/*
 * Gives TEMP its name while its bytes may not be on the medium.  Where there
 * is no such name yet, power loss before the flush leaves a short file that
 * nobody believes in.  An old file must not be lost to that: there, the bytes
 * go first.
 */
int
posix_publish_later(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e)
{
	AUTO(close) int fd = -1;

	if (c->expect == NULL &&
	    renameat2(dir_fd, temp, dir_fd, name, RENAME_NOREPLACE) == 0)
		return 0;
	/* Its mode may let its owner do either, or none; then all is written.
	 * Not through the root: its descriptor keeps errors for flush(). */
	fd = openat(dir_fd, temp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		fd = openat(dir_fd, temp, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && syncfs(dir_fd) == -1)
		return err_sys(e, "syncfs");
	if (fd != -1 && posix_sync(c, fd, e) == -1)
		return -1;
	return posix_publish(c, dir_fd, temp, name, e);
}

/* A temporary file for KEY, and its directory. */
static int
begin_file(struct session *c, const char *key, const struct item_stat *st,
    struct posix_dir **dir, const char **name, char *temp, bool *as_it_is,
    struct err *e)
{
	bool again = posix_session_of(c)->dir.fd != -1;

	for (;;) {
		struct posix_dir *d = posix_dir(c, key, name, e);
		int fd = -1;

		if (d != NULL &&
		    posix_names_check(
			posix_store_of(c), *name, strlen(*name), e) == -1)
			return -1;
		if (d != NULL)
			fd = make_file(c, d, st, temp, as_it_is, e);

		*dir = d;
		if (fd != -1 || d == NULL || !again)
			return fd;
		/* It may be gone, or closed to us again, since it was kept. */
		posix_dir_drop(c);
		again = false;
	}
}

static int
put(struct session *c, const char *key, const struct item_stat *st,
    const struct content *x, struct store_receipt *out, struct err *e)
{
	struct posix_dir *d;
	char temp[TEMP_NAME_SIZE];
	const char *name;
	bool as_it_is;
	int fd, rc;

	if (store_sweep_left(c, key, e) == -1)
		return -1;
	fd = begin_file(c, key, st, &d, &name, temp, &as_it_is, e);
	if (fd == -1)
		return -1;
	rc = fill(c, fd, st, as_it_is, x, d->defers, e);
	if (rc == 0)
		rc = d->defers ? posix_publish_later(c, d->fd, temp, name, e)
			       : posix_publish(c, d->fd, temp, name, e);
	if (rc == -1) {
		posix_drop(c, key, d->fd, temp);
		posix_dir_drop(c);
		return -1;
	}
	memset(out, 0, sizeof(*out));
	/* Shared blocks are read by nobody. */
	out->proved = posix_store_of(c)->read_back && x->from == NULL;
	return 0;
}

int
posix_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct content x = {.data = data, .len = len};

	(void)digest;
	return put(c, key, st, &x, out, e);
}

int
posix_clone(struct session *c, const char *key, struct store_file *f,
    struct store_receipt *out, struct err *e)
{
	struct content x = {.from = f};

	if (atomic_load_explicit(
		&posix_store_of(c)->no_clone, memory_order_relaxed))
		return err_set(e, ERR_UNSUPPORTED, "no shared blocks here");
	return put(c, key, &f->meta, &x, out, e);
}

int
posix_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	AUTO(close) int fd = -1;

	if (key[0] != '\0') {
		dir = posix_parent_there(c, key, &name, e);
		if (dir == -1)
			return -1;
		if (mkdirat(dir, name, st->mode != 0 ? 0700 : 0777) == 0) {
			if (posix_sync_later(c, dir, e) == -1)
				return -1;
		} else if (errno != EEXIST) {
			return err_sys(e, "make directory");
		} else {
			posix_names_look(c, dir, name);
			if (posix_spelled(c, dir, name, e) == -1)
				return -1;
		}
	}
	fd = posix_open_dir(c, key, e);
	if (fd == -1) {
		if (e->sys == ENOTDIR || e->sys == ELOOP)
			return err_set(e, ERR_EXISTS,
			    "something else has this directory's name at the "
			    "target: move it away, or exclude this item");
		return -1;
	}
	if (posix_apply(c, fd, st, e) == -1)
		return -1;
	return posix_sync_later(c, fd, e);
}

int
posix_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	char temp[TEMP_NAME_SIZE];
	char text[PATH_MAX];

	if (store_sweep_left(c, key, e) == -1)
		return -1;
	dir = posix_parent_made(c, key, &name, e);
	if (dir == -1)
		return -1;
	if (len == 0 || len >= sizeof(text) || memchr(target, '\0', len))
		return err_set(e, ERR_NAME, "not a symbolic link's target");
	memcpy(text, target, len);
	text[len] = '\0';
	temp_name(posix_store_of(c)->owner, temp);
	if (symlinkat(text, dir, temp) == -1)
		return err_sys(e, "make symbolic link");
	if (posix_apply_link(c, dir, temp, st, e) == -1 ||
	    posix_publish(c, dir, temp, name, e) == -1) {
		posix_drop(c, key, dir, temp);
		return -1;
	}
	return 0;
}

static int
remove_one(struct session *c, const char *key, struct err *e)
{
	AUTO(free) char *plain = NULL;
	bool is_dir = posix_is_dir_key(key, &plain);
	int flags = is_dir ? AT_REMOVEDIR : 0;
	AUTO(close) int dir = -1;
	const char *name;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	dir = posix_parent(c, plain, &name, e);
	/* Behind a file or a link in the way there is nothing of ours. */
	if (dir == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	if (posix_spelled(c, dir, name, e) == -1)
		return 0;
	/* What is there as something else is not there as this. */
	if (unlinkat(dir, name, flags) == 0 ||
	    (errno == EACCES && posix_open_up(dir) &&
		unlinkat(dir, name, flags) == 0) ||
	    errno == ENOENT || errno == (is_dir ? ENOTDIR : EISDIR))
		return 0;
	return err_sys(e, is_dir ? "remove directory" : "remove");
}

int
posix_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	size_t i, failed = 0;

	for (i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		results[i] = (struct err)ERR_INIT;
		if (remove_one(c, keys[i], &why) == 0)
			continue;
		results[i] = why;
		if (failed++ == 0)
			*e = why;
	}
	return failed == 0 ? 0 : -1;
}
