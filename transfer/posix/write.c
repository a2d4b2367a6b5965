/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
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

static void
times_of(const struct item_stat *st, struct timespec out[2])
{
	int64_t s = st->mtime_ns / 1000000000;
	int64_t ns = st->mtime_ns % 1000000000;

	if (ns < 0) {
		ns += 1000000000;
		s--;
	}
	out[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
	out[1] = (struct timespec){.tv_sec = s, .tv_nsec = ns};
	if (st->mtime_ns == ITEM_TIME_UNKNOWN)
		out[1].tv_nsec = UTIME_OMIT;
}

/* Only root gives files away; others may pass a group that they are in. */
static bool
may_be_refused(int sys)
{
	return sys == EPERM || sys == EINVAL || sys == ENOTSUP;
}

int
posix_apply(int fd, const struct item_stat *st, struct err *e)
{
	struct timespec times[2];
	mode_t mode = st->mode & 07777;

	if (st->mode != 0) {
		if (fchown(fd, st->uid, st->gid) == -1) {
			if (!may_be_refused(errno))
				return err_sys(e, "chown");
			/* Set-id bits are not for another owner. */
			mode &= ~(mode_t)(S_ISUID | S_ISGID);
			if (fchown(fd, (uid_t)-1, st->gid) == -1 &&
			    !may_be_refused(errno))
				return err_sys(e, "chown");
		}
		if (fchmod(fd, mode) == -1)
			return err_sys(e, "chmod");
	}
	times_of(st, times);
	if (futimens(fd, times) == -1)
		return err_sys(e, "set times");
	return 0;
}

int
posix_apply_link(
    int dir_fd, const char *name, const struct item_stat *st, struct err *e)
{
	struct timespec times[2];

	if (st->mode != 0 &&
	    fchownat(dir_fd, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW) ==
		-1 &&
	    !may_be_refused(errno))
		return err_sys(e, "chown");
	times_of(st, times);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) == -1 &&
	    !may_be_refused(errno))
		return err_sys(e, "set times");
	return 0;
}

/* What the names for NAME have in common: the upper half. */
static uint64_t
temp_number(struct session *c, const char *name)
{
	uint64_t owner = posix_store_of(c)->owner;

	return owner != 0 ? crc64nvme(owner, name, strlen(name)) : 0;
}

void
posix_temp_name(struct session *c, const char *name, bool fresh, char *out)
{
	uint64_t number = temp_number(c, name), random = 0;

	/* O_EXCL guards; this only makes a second try unlikely. */
	if ((fresh || number == 0) &&
	    getrandom(&random, sizeof(random), GRND_NONBLOCK) !=
		(ssize_t)sizeof(random))
		random = (uint64_t)clock_wall_ns() ^ (uint64_t)getpid() << 40;
	if (number == 0)
		number = random;
	else if (fresh)
		number ^= random >> 32;
	snprintf(out, POSIX_TEMP_SIZE, POSIX_TEMP_PREFIX "%016" PRIx64, number);
}

size_t
posix_temp_common(struct session *c, const char *name, char *out)
{
	if (temp_number(c, name) == 0)
		return 0;
	posix_temp_name(c, name, false, out);
	return sizeof(POSIX_TEMP_PREFIX) - 1 + 8;
}

int
posix_temp_file(struct session *c, int dir_fd, const char *name, bool fresh,
    const struct item_stat *st, char *temp, struct err *e)
{
	/* Nobody else reads it before it has its owner and mode. */
	mode_t mode = st->mode != 0 ? 0600 : 0666;
	int tries, fd;

	for (tries = 0; tries < 10; tries++) {
		posix_temp_name(c, name, fresh, temp);
		fd = openat(dir_fd, temp,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd != -1)
			return fd;
		if (errno != EEXIST)
			break;
		/* A killed run left it. */
		if (!fresh && unlinkat(dir_fd, temp, 0) == -1 &&
		    errno != ENOENT)
			break;
	}
	return err_sys(e, "make temporary file");
}

int
posix_write(
    int fd, const void *data, size_t len, uint64_t offset, struct err *e)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

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

int
posix_publish(struct session *c, int dir_fd, const char *temp, const char *name,
    struct err *e)
{
	if (renameat(dir_fd, temp, dir_fd, name) == -1) {
		if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST)
			return err_set(e, ERR_EXISTS,
			    "a directory has this name at the target: move "
			    "it away, or exclude this item");
		return err_sys(e, "rename");
	}
	return posix_sync_later(c, dir_fd, e);
}

/* All of a file but its name.  Takes FD. */
static int
fill(struct session *c, int taken, const struct item_stat *st, const void *data,
    size_t len, bool later, struct err *e)
{
	AUTO(close) int fd = taken;

	if (posix_write(fd, data, len, 0, e) == -1 ||
	    posix_apply(fd, st, e) == -1)
		return -1;
	if (!later && posix_sync(c, fd, e) == -1)
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
static int
publish_later(struct session *c, int dir_fd, const char *temp, const char *name,
    struct err *e)
{
	AUTO(close) int fd = -1;

	if (renameat2(dir_fd, temp, dir_fd, name, RENAME_NOREPLACE) == 0)
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

int
posix_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent_made(c, key, &name, e);
	char temp[POSIX_TEMP_SIZE];
	bool later;
	int fd, rc;

	(void)digest;
	if (dir == -1)
		return -1;
	fd = posix_temp_file(c, dir, name, false, st, temp, e);
	if (fd == -1)
		return -1;
	later = posix_defers(c, dir);
	rc = fill(c, fd, st, data, len, later, e);
	if (rc == 0)
		rc = later ? publish_later(c, dir, temp, name, e)
			   : posix_publish(c, dir, temp, name, e);
	if (rc == -1) {
		unlinkat(dir, temp, 0);
		return -1;
	}
	memset(out, 0, sizeof(*out));
	return 0;
}

int
posix_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	AUTO(close) int fd = -1;

	if (key[0] != '\0') {
		dir = posix_parent_made(c, key, &name, e);
		if (dir == -1)
			return -1;
		if (mkdirat(dir, name, st->mode != 0 ? 0700 : 0777) == 0) {
			if (posix_sync_later(c, dir, e) == -1)
				return -1;
		} else if (errno != EEXIST) {
			return err_sys(e, "make directory");
		}
	}
	fd = posix_open(c, key, O_RDONLY | O_DIRECTORY, e);
	if (fd == -1) {
		if (e->sys == ENOTDIR || e->sys == ELOOP)
			return err_set(e, ERR_EXISTS,
			    "something else has this directory's name at the "
			    "target: move it away, or exclude this item");
		return -1;
	}
	if (posix_apply(fd, st, e) == -1)
		return -1;
	return posix_sync_later(c, fd, e);
}

int
posix_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent_made(c, key, &name, e);
	char temp[POSIX_TEMP_SIZE];
	char text[PATH_MAX];

	if (dir == -1)
		return -1;
	if (len == 0 || len >= sizeof(text) || memchr(target, '\0', len))
		return err_set(e, ERR_NAME, "not a symbolic link's target");
	memcpy(text, target, len);
	text[len] = '\0';
	posix_temp_name(c, name, false, temp);
	if (unlinkat(dir, temp, 0) == -1 && errno != ENOENT)
		return err_sys(e, "remove %s", temp);
	if (symlinkat(text, dir, temp) == -1)
		return err_sys(e, "make symbolic link");
	if (posix_apply_link(dir, temp, st, e) == -1 ||
	    posix_publish(c, dir, temp, name, e) == -1) {
		unlinkat(dir, temp, 0);
		return -1;
	}
	return 0;
}

int
posix_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, struct store_receipt *out, struct err *e)
{
	const char *name;

	if (st->type == ITEM_SYMLINK) {
		AUTO(close) int dir = posix_parent(c, key, &name, e);

		if (dir == -1 || posix_apply_link(dir, name, st, e) == -1)
			return -1;
	} else {
		AUTO(close)
		int fd = posix_open(c, key, O_RDONLY | O_NONBLOCK, e);

		/* Its owner may have no right to read it. */
		if (fd == -1 && e->kind == ERR_DENIED)
			fd = posix_open(c, key, O_WRONLY | O_NONBLOCK, e);
		if (fd == -1 || posix_apply(fd, st, e) == -1 ||
		    posix_sync_later(c, fd, e) == -1)
			return -1;
	}
	memset(out, 0, sizeof(*out));
	return 0;
}

static int
remove_one(struct session *c, const char *key, struct err *e)
{
	AUTO(free) char *plain = NULL;
	bool is_dir = posix_is_dir_key(key, &plain);
	AUTO(close) int dir = -1;
	const char *name;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	dir = posix_parent(c, plain, &name, e);
	/* Behind a file or a link in the way there is nothing of ours. */
	if (dir == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	/* What is there as something else is not there as this. */
	if (unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) == 0 ||
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
