/* SPDX-License-Identifier: ISC */
/*
 * From a directory to a directory without the bytes passing through here:
 * blocks that both files share (FICLONE: btrfs, xfs, some NFS servers), or
 * copy_file_range(2).  Where the kernel says no, whatever its reason, the
 * bytes are sent as ever: what is really wrong is said by that.
 */
#include "config.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

static int
not_here(struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "can't be copied in the kernel: %m");
}

int
posix_share(struct session *c, int fd, struct store_file *f, struct err *e)
{
	if (ioctl(fd, FICLONE, posix_source_of(f)->fd) == 0)
		return posix_check_file(f, e);
	/* These will not be otherwise for the next file. */
	if (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOTTY ||
	    errno == ENOSYS)
		atomic_store(&posix_store_of(c)->no_clone, true);
	return not_here(e);
}

/* LEN bytes of IN, data from its beginning to its end. */
static int
copy_data(struct limit *limit, int in, int out, uint64_t offset, size_t len,
    struct err *e)
{
	off_t from = (off_t)offset, to = from;

	while (len > 0) {
		ssize_t n = copy_file_range(
		    in, &from, out, &to, limit_take(limit, len), 0);

		if (n == 0)
			return err_set(
			    e, ERR_CHANGED, "changed while it was read");
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == ENOSPC || errno == EDQUOT
			    ? err_sys(e, "write")
			    : not_here(e);
		len -= (size_t)n;
	}
	return 0;
}

int
posix_copy_range(struct session *c, struct store_file *f, int out,
    uint64_t offset, size_t len, struct err *e)
{
	struct posix_holes *in = posix_source_of(f);

	/* Its zeros are to be found in the bytes. */
	if (f->state.sparse && !in->known)
		return err_set(e, ERR_UNSUPPORTED, "holes aren't known here");
	while (len > 0) {
		size_t n = len;

		if (!posix_hole_at(in, offset, &n)) {
			if (copy_data(posix_store_of(c)->limit, in->fd, out,
				offset, n, e) == -1)
				return -1;
		} else if (!posix_has_nothing(c, out, offset, n)) {
			return err_set(e, ERR_UNSUPPORTED,
			    "something is where a hole is to be");
		}
		offset += n;
		len -= n;
	}
	return 0;
}
