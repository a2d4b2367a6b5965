/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/owner.h"

static int
directory_of(const char *path, struct stat *out)
{
	AUTO(free) char *dir = strdup(path);
	char *slash = dir != NULL ? strrchr(dir, '/') : NULL;

	if (slash == NULL || slash == dir)
		return -1;
	*slash = '\0';
	return stat(dir, out);
}

void
owner_inherit(const char *path)
{
	AUTO(close) int fd = -1;
	struct stat st, dir;

	if (geteuid() != 0 || directory_of(path, &dir) == -1 || dir.st_uid == 0)
		return;
	/* Closing any other descriptor would end locks that SQLite has. */
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* That user could have put another name of one of our files there. */
	if (fd == -1 || fstat(fd, &st) == -1 || st.st_uid != 0 ||
	    !(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)))
		return;
	if (fchownat(fd, "", dir.st_uid, dir.st_gid, AT_EMPTY_PATH) == -1)
		return;
}
