/* SPDX-License-Identifier: ISC */
/* What is replaced or deleted is kept under another name. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

/* TO_NAME becomes another name of NAME: it is never missing at either. */
static int
link_as(struct session *c, int dir, const char *name, int to_dir,
    const char *to_name)
{
	char temp[TEMP_NAME_SIZE];

	temp_name(posix_store_of(c)->owner, temp);
	if (linkat(dir, name, to_dir, temp, 0) == -1)
		return -1;
	if (renameat(to_dir, temp, to_dir, to_name) == -1) {
		unlinkat(to_dir, temp, 0);
		return -1;
	}
	/* A rename onto another name of the same file does nothing. */
	unlinkat(to_dir, temp, 0);
	return 0;
}

int
posix_set_aside(struct session *c, const char *key, const char *to, bool *keep,
    struct err *e)
{
	const char *name, *to_name;
	AUTO(close) int dir = posix_parent_there(c, key, &name, e);
	AUTO(close) int to_dir = -1;

	if (dir == -1)
		return -1;
	to_dir = posix_parent_made(c, to, &to_name, e);
	if (to_dir == -1)
		return -1;
	/* Not all file systems have links. */
	*keep = *keep && link_as(c, dir, name, to_dir, to_name) == 0;
	if (!*keep && renameat(dir, name, to_dir, to_name) == -1)
		return err_sys(e, "rename");
	if (posix_sync_later(c, to_dir, e) == -1)
		return -1;
	return *keep ? 0 : posix_sync_later(c, dir, e);
}
