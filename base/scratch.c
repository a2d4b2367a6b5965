/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/scratch.h"

int
scratch_open(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	int fd;

	if (dir == NULL || dir[0] != '/')
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd != -1)
		return fd;
	buf_addf(&path, "%s/dray-XXXXXX", dir);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	fd = mkostemp(path.data, O_CLOEXEC);
	if (fd == -1)
		return err_sys(e, "temporary file in %s (see TMPDIR)", dir);
	unlink(path.data);
	return fd;
}

int
scratch_write(int fd, const void *p, size_t n, struct err *e)
{
	const char *at = p;
	size_t done = 0;

	while (done < n) {
		ssize_t got = write(fd, at + done, n - done);

		if (got <= 0)
			return err_sys(e, "temporary file (see TMPDIR)");
		done += (size_t)got;
	}
	return 0;
}
