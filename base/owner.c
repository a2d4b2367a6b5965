/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/owner.h"

/* The directory that PATH is in, where it has NAME; -1. */
static int
open_directory(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir = NULL;

	if (slash == NULL || slash == path)
		return -1;
	dir = strndup(path, (size_t)(slash - path));
	if (dir == NULL)
		return -1;
	*name = slash + 1;
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void
owner_inherit(const char *path)
{
	AUTO(close) int dir_fd = -1, fd = -1;
	struct stat st, dir;
	const char *name;

	if (geteuid() != 0)
		return;
	/* That user can have another directory there at any time. */
	dir_fd = open_directory(path, &name);
	if (dir_fd == -1 || fstat(dir_fd, &dir) == -1 || dir.st_uid == 0)
		return;
	/* Closing any other descriptor would end locks that SQLite has. */
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* That user could have put another name of one of our files there. */
	if (fd == -1 || fstat(fd, &st) == -1 || st.st_uid != 0 ||
	    !(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)))
		return;
	if (fchownat(fd, "", dir.st_uid, dir.st_gid, AT_EMPTY_PATH) == -1)
		return;
}

char *
owner_direct(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(buf) struct buf direct = BUF_INIT(1 << 16);
	AUTO(free) char *dir = NULL, *real = NULL;

	if (slash == NULL || slash == path)
		return strdup(path);
	dir = strndup(path, (size_t)(slash - path));
	real = dir != NULL ? realpath(dir, NULL) : NULL;
	if (real == NULL)
		return NULL;
	buf_addf(&direct, "%s%s", real, slash);
	return buf_take(&direct);
}
