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

/* LEN bytes of the volume's tar stream. */
static int
read_volume(const struct bundle_source *s, const struct source_volume *v,
    struct frame_cache *c, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	char *to = data;

	if (s->manifest.compressed)
		return frames_read(&v->frames, v->fd, c, offset, data, len, e);
	while (len > 0) {
		ssize_t n = pread(v->fd, to, len, (off_t)offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, ERR_MISMATCH, "ends before it");
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Its first header says whose it is. */
static int
check_title(const struct bundle_source *s, const struct source_volume *v,
    uint64_t number, struct err *e)
{
	AUTO(buf) struct buf want = BUF_INIT(4 * TAR_BLOCK);
	char title[VOLUME_TITLE_MAX], have[4 * TAR_BLOCK];
	struct frame_cache cache = {0};
	int rc;

	volume_title(number, s->manifest.id, title);
	tar_add_comment(&want, title);
	if (buf_failed(&want))
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = read_volume(s, v, &cache, 0, have, want.len, e);
	frame_cache_free(&cache);
	/* Should the first frame be damaged, the others need not be. */
	if (rc == -1 ? s->manifest.compressed
		     : memcmp(have, want.data, want.len) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH,
	    "is not volume %" PRIu64
	    " of this bundle (%s): another volume lies in its place, or its "
	    "beginning is damaged",
	    number, s->manifest.id);
}

/* Where the frames of a compressed volume are, its index tells. */
static int
load_frames(struct bundle_source *s, const struct bundle_volume *v,
    struct source_volume *at, struct err *e)
{
	char name[VOLUME_NAME_MAX];
	AUTO(close) int fd = -1;

	if (!s->manifest.compressed)
		return 0;
	volume_name(v->number, ".idx", name);
	fd = source_open_checked(s, name, v->index_bytes, v->index_sha256, e);
	return fd == -1 ? -1 : volume_index_frames(fd, name, &at->frames, e);
}

static int
open_volume(struct bundle_source *s, const struct bundle_volume *v,
    struct source_volume *at, struct err *e)
{
	char name[VOLUME_NAME_MAX];
	struct stat st;

	volume_name(v->number, volume_end(s->manifest.compressed), name);
	at->fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (at->fd == -1)
		return errno == ENOENT ? missing(s, v, name, e)
				       : err_sys(e, "%s", name);
	if (fstat(at->fd, &st) == -1)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != v->bytes)
		return err_set(e, ERR_MISMATCH,
		    "%s has %lld bytes, where the manifest has %" PRIu64
		    ": it was cut off, or is another one",
		    name, (long long)st.st_size, v->bytes);
	if (load_frames(s, v, at, e) == -1 ||
	    check_title(s, at, v->number, e) == -1)
		return err_context(e, "%s", name);
	return 0;
}

/* The volume, looked at; NULL if it can't be used. */
static const struct source_volume *
find_volume(struct bundle_source *s, uint64_t number, struct err *e)
{
	const struct bundle_volume *v =
	    bundle_manifest_volume(&s->manifest, number);
	struct source_volume *at;
	bool usable;

	if (v == NULL) {
		err_set(e, ERR_PROTOCOL,
		    "lies in volume %" PRIu64
		    ", of which the manifest doesn't know",
		    number);
		return NULL;
	}
	at = &s->volumes[v - s->manifest.volumes];
	pthread_mutex_lock(&s->lock);
	if (!at->looked && open_volume(s, v, at, &at->why) == -1 &&
	    at->fd != -1) {
		close(at->fd);
		at->fd = -1;
	}
	at->looked = true;
	usable = at->fd != -1;
	if (!usable)
		*e = at->why;
	pthread_mutex_unlock(&s->lock);
	return usable ? at : NULL;
}

int
source_volume_check(struct bundle_source *s, uint64_t number, struct err *e)
{
	return find_volume(s, number, e) == NULL ? -1 : 0;
}

int
source_read(struct bundle_source *s, struct frame_cache *c, uint64_t number,
    uint64_t offset, void *data, size_t len, struct err *e)
{
	const struct source_volume *v = find_volume(s, number, e);

	if (v == NULL)
		return -1;
	return read_volume(s, v, c, offset, data, len, e) == -1
	    ? err_context(e, "volume %" PRIu64, number)
	    : 0;
}
