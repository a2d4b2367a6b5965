/* SPDX-License-Identifier: ISC */
/* Names that are taken only if what is there is what was expected. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

static int
conflict(struct err *e, const char *what)
{
	return err_set(
	    e, ERR_CONFLICT, "not replaced: somebody else has %s", what);
}

/* A file system without RENAME_NOREPLACE, or a kernel. */
static bool
is_unknown(int sys)
{
	return sys == EINVAL || sys == ENOSYS || sys == EOPNOTSUPP;
}

static int
taken(struct err *e)
{
	return conflict(e, "put something there");
}

/* A second name is as atomic; then the first one goes. */
static int
link_new(int dir_fd, const char *temp, const char *name, struct err *e)
{
	struct stat st;

	if (linkat(dir_fd, temp, dir_fd, name, 0) == 0) {
		unlinkat(dir_fd, temp, 0);
		return 0;
	}
	if (errno == EEXIST)
		return taken(e);
	/* No links either (FAT): there is an instant in between. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return taken(e);
	return renameat(dir_fd, temp, dir_fd, name) == 0 ? 0
							 : err_sys(e, "rename");
}

static int
rename_new(int dir_fd, const char *temp, const char *name, struct err *e)
{
	if (renameat2(dir_fd, temp, dir_fd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return taken(e);
	if (is_unknown(errno))
		return link_new(dir_fd, temp, name, e);
	return err_sys(e, "rename");
}

int
posix_rename_expected(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e)
{
	const struct store_stat *was = c->expect->was;
	struct store_stat now = {.type = ITEM_FILE};
	struct err differs;
	struct stat st;

	if (was == NULL)
		return rename_new(dir_fd, temp, name, e);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? conflict(e, "removed it")
				       : err_sys(e, "stat");
	now.type = item_type_of_mode(st.st_mode);
	now.size = (uint64_t)st.st_size;
	now.mtime_ns = item_time_ns(st.st_mtim);
	if (store_check_still(&posix_driver, &now, was, &differs) == -1)
		return conflict(e, "changed it");
	return renameat(dir_fd, temp, dir_fd, name) == 0 ? 0
							 : err_sys(e, "rename");
}
