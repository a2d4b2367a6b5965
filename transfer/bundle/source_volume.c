/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/bundle/source.h"
#include "transfer/pack/tar.h"

static int
missing(const struct bundle_source *s, const struct bundle_volume *v,
    const char *name, struct err *e)
{
	if (v->disk != s->manifest.disk)
		return err_set(e, ERR_NOTFOUND,
		    "%s is on disk %u of the bundle, and this is disk %u: "
		    "put it, or a link to it, into %s, too",
		    name, v->disk, s->manifest.disk, s->path);
	return err_set(e, ERR_NOTFOUND, "%s is missing in %s", name, s->path);
}

/* Its first header says whose it is. */
static int
check_title(
    const struct bundle_source *s, uint64_t number, int fd, struct err *e)
{
	AUTO(buf) struct buf want = BUF_INIT(4 * TAR_BLOCK);
	char title[VOLUME_TITLE_MAX], have[4 * TAR_BLOCK];

	volume_title(number, s->manifest.id, title);
	tar_add_comment(&want, title);
	if (buf_failed(&want))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (pread(fd, have, want.len, 0) != (ssize_t)want.len)
		return err_sys(e, "read");
	if (memcmp(have, want.data, want.len) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH,
	    "is not volume %" PRIu64
	    " of this bundle (%s): another volume lies in its place, or its "
	    "beginning is damaged",
	    number, s->manifest.id);
}

static int
open_volume(
    const struct bundle_source *s, const struct bundle_volume *v, struct err *e)
{
	char name[VOLUME_NAME_MAX];
	AUTO(close) int fd = -1;
	struct stat st;

	volume_name(v->number, ".tar", name);
	fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? missing(s, v, name, e)
				       : err_sys(e, "%s", name);
	if (fstat(fd, &st) == -1)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != v->bytes)
		return err_set(e, ERR_MISMATCH,
		    "%s has %lld bytes, where the manifest has %" PRIu64
		    ": it was cut off, or is another one",
		    name, (long long)st.st_size, v->bytes);
	if (check_title(s, v->number, fd, e) == -1)
		return err_context(e, "%s", name);
	return take_fd(&fd);
}

/* A descriptor (borrowed), or -1. */
static int
find_volume(struct bundle_source *s, uint64_t number, struct err *e)
{
	const struct bundle_volume *v =
	    bundle_manifest_volume(&s->manifest, number);
	struct source_volume *at;
	int fd;

	if (v == NULL)
		return err_set(e, ERR_PROTOCOL,
		    "lies in volume %" PRIu64
		    ", of which the manifest doesn't know",
		    number);
	at = &s->volumes[v - s->manifest.volumes];
	pthread_mutex_lock(&s->lock);
	if (!at->looked) {
		at->fd = open_volume(s, v, &at->why);
		at->looked = true;
	}
	fd = at->fd;
	if (fd == -1)
		*e = at->why;
	pthread_mutex_unlock(&s->lock);
	return fd;
}

int
source_volume_check(struct bundle_source *s, uint64_t number, struct err *e)
{
	return find_volume(s, number, e) == -1 ? -1 : 0;
}

int
source_read(struct bundle_source *s, uint64_t number, uint64_t offset,
    void *data, size_t len, struct err *e)
{
	int fd = find_volume(s, number, e);
	char *to = data;

	if (fd == -1)
		return -1;
	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "volume %" PRIu64, number);
		if (n == 0)
			return err_set(e, ERR_MISMATCH,
			    "volume %" PRIu64 " ends before it", number);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}
