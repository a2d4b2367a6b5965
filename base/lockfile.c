/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/lockfile.h"
#include "base/owner.h"

int
lockfile_take(const char *dir, const char *name, int *fd, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(close) int lock = -1;

	buf_addf(&path, "%s/%s", dir, name);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	lock = open(
	    buf_str(&path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock == -1)
		return err_sys(e, "%s", buf_str(&path));
	owner_inherit(buf_str(&path));
	if (flock(lock, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK
		    ? 0
		    : err_sys(e, "%s: lock", buf_str(&path));
	*fd = take_fd(&lock);
	return 1;
}
