/* SPDX-License-Identifier: ISC */
/* What an item has beside its content, set: owner, mode, attributes, times. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

static struct timespec
timespec_of(int64_t at_ns)
{
	int64_t s = at_ns / 1000000000;
	int64_t ns = at_ns % 1000000000;

	if (ns < 0) {
		ns += 1000000000;
		s--;
	}
	return (struct timespec){.tv_sec = s, .tv_nsec = ns};
}

static void
times_of(const struct item_stat *st, struct timespec out[2])
{
	out[0] = out[1] = (struct timespec){.tv_nsec = UTIME_OMIT};
	if (st->has_atime)
		out[0] = timespec_of(st->atime_ns);
	if (st->mtime_ns != ITEM_TIME_UNKNOWN)
		out[1] = timespec_of(st->mtime_ns);
}

/* Whether FD is ours to be set right, and yet errno says that it can't be. */
static bool
is_lacking(int fd)
{
	int sys = errno;
	struct stat st;
	bool ours =
	    geteuid() == 0 || (fstat(fd, &st) == 0 && st.st_uid == geteuid());

	errno = sys;
	return ours && (sys == EPERM || sys == EINVAL || sys == ENOTSUP);
}

/* Only root gives files away; others may pass a group that they are in. */
static bool
may_be_refused(int sys)
{
	return sys == EPERM || sys == EINVAL || sys == ENOTSUP;
}

static void
lacks_owner(struct session *c)
{
	store_lacks(c->store, STORE_LACK_OWNER,
	    geteuid() == 0 ? "root may not give files away there: root is "
			     "squashed (NFS: no_root_squash), or the file "
			     "system has no owners"
			   : "only root (or CAP_CHOWN) gives files to another "
			     "owner or group");
}

static int
set_times(struct session *c, int fd, const struct item_stat *st, struct err *e)
{
	struct timespec times[2];

	times_of(st, times);
	if (futimens(fd, times) == 0)
		return 0;
	if (!is_lacking(fd))
		return err_sys(e, "set times");
	store_lacks(c->store, STORE_LACK_TIME,
	    "the file system doesn't take it, or not from us");
	return 0;
}

/* *MODE loses what can't be another owner's. */
static int
set_owner(struct session *c, int fd, const struct item_stat *st, mode_t *mode,
    struct err *e)
{
	if (fchown(fd, st->uid, st->gid) == 0)
		return 0;
	if (!may_be_refused(errno))
		return err_sys(e, "chown");
	lacks_owner(c);
	/* Set-id bits are not for another owner. */
	*mode &= ~(mode_t)(S_ISUID | S_ISGID);
	if (fchown(fd, (uid_t)-1, st->gid) == -1 && !may_be_refused(errno))
		return err_sys(e, "chown");
	return 0;
}

static int
set_mode(struct session *c, int fd, mode_t mode, struct err *e)
{
	if (fchmod(fd, mode) == 0)
		return 0;
	if (!is_lacking(fd))
		return err_sys(e, "chmod");
	store_lacks(c->store, STORE_LACK_MODE,
	    "the file system has no such modes, or lets us set none");
	return 0;
}

/*
 * In this order: chown takes away capabilities, which are attributes; the mode
 * may close the file to whoever sets them.  It is the ACL's mask, too: told
 * last, what was made of it since the ACL was read counts.
 */
int
posix_apply(
    struct session *c, int fd, const struct item_stat *st, struct err *e)
{
	mode_t mode = st->mode & 07777;

	if (st->mode != 0 && set_owner(c, fd, st, &mode, e) == -1)
		return -1;
	if (st->attrs != NULL &&
	    posix_attrs_set(c, fd, false, st->attrs, e) == -1)
		return -1;
	if (st->mode != 0 && set_mode(c, fd, mode, e) == -1)
		return -1;
	return set_times(c, fd, st, e);
}

int
posix_apply_rest(
    struct session *c, int fd, const struct item_stat *st, struct err *e)
{
	if (st->attrs != NULL &&
	    posix_attrs_set(c, fd, false, st->attrs, e) == -1)
		return -1;
	if (attrs_any(st->attrs, ATTRS_ACLS) &&
	    set_mode(c, fd, st->mode & 07777, e) == -1)
		return -1;
	return set_times(c, fd, st, e);
}

static int
apply_link_attrs(struct session *c, int dir_fd, const char *name,
    const struct item_stat *st, struct err *e)
{
	AUTO(close)
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return err_sys(e, "open symbolic link");
	return posix_attrs_set(c, fd, true, st->attrs, e);
}

int
posix_apply_link(struct session *c, int dir_fd, const char *name,
    const struct item_stat *st, struct err *e)
{
	struct timespec times[2];

	if (st->mode != 0 &&
	    fchownat(dir_fd, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW) ==
		-1) {
		if (!may_be_refused(errno))
			return err_sys(e, "chown");
		lacks_owner(c);
	}
	if (st->attrs != NULL && apply_link_attrs(c, dir_fd, name, st, e) == -1)
		return -1;
	times_of(st, times);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) == -1 &&
	    !may_be_refused(errno))
		return err_sys(e, "set times");
	return 0;
}

int
posix_check_was(
    const struct stat *st, const struct store_stat *was, struct err *e)
{
	struct store_stat now = {
	    .type = item_type_of_mode(st->st_mode),
	    .size = (uint64_t)st->st_size,
	    .mtime_ns = item_time_ns(st->st_mtim),
	};

	return store_check_still(&posix_driver, &now, was, e);
}

static int
set_link_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was, struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent(c, key, &name, e);
	struct stat now;

	if (dir == -1)
		return -1;
	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(e, "stat");
	if (posix_check_was(&now, was, e) == -1)
		return -1;
	return posix_apply_link(c, dir, name, st, e);
}

static int
set_file_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was, struct err *e)
{
	AUTO(close) int fd = posix_open(c, key, O_RDONLY | O_NONBLOCK, e);
	struct stat now;

	/* Its owner may have no right to read it. */
	if (fd == -1 && e->kind == ERR_DENIED)
		fd = posix_open(c, key, O_WRONLY | O_NONBLOCK, e);
	if (fd == -1) {
		/* A symlink; a fifo or socket. */
		if (was != NULL && (e->sys == ELOOP || e->sys == ENXIO))
			return store_check_still(&posix_driver,
			    &(struct store_stat){.type = ITEM_SPECIAL}, was, e);
		return -1;
	}
	if (fstat(fd, &now) == -1)
		return err_sys(e, "stat");
	if (posix_check_was(&now, was, e) == -1 ||
	    posix_apply(c, fd, st, e) == -1)
		return -1;
	return posix_sync_later(c, fd, e);
}

int
posix_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	int rc = st->type == ITEM_SYMLINK
	    ? set_link_metadata(c, key, st, was, e)
	    : set_file_metadata(c, key, st, was, e);

	if (rc == 0)
		memset(out, 0, sizeof(*out));
	return rc;
}
