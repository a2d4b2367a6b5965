/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scratch.h"
#include "transfer/bundle/rows.h"
#include "transfer/bundle/source.h"

static void
complain(struct bundle_source *s, const struct err *e)
{
	buf_addf(&s->complaints, "%s\n", e->msg);
}

int
source_open_checked(struct bundle_source *s, const char *name, uint64_t bytes,
    const char *sha256, struct err *e)
{
	AUTO(close)
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char is[BUNDLE_DIGEST_LEN + 1];
	uint64_t n;

	if (fd == -1)
		return err_sys(e, "%s", name);
	if (bundle_digest_file(fd, &n, is, e) == -1)
		return err_context(e, "%s", name);
	if (n != bytes || strcmp(is, sha256) != 0)
		return err_set(e, ERR_MISMATCH,
		    "%s is not what the manifest says: it is damaged, or of "
		    "another bundle",
		    name);
	return take_fd(&fd);
}

/* What the volumes' indexes have that are here and right, as one. */
static int
make_index(struct bundle_source *s, struct err *e)
{
	AUTO(rows) struct rows *rows = rows_new(s->stop, e);
	AUTO(close) int scratch = -1;
	struct rows_written written;
	char name[VOLUME_NAME_MAX];
	size_t i;

	if (rows == NULL)
		return -1;
	for (i = 0; i < s->manifest.n; i++) {
		const struct bundle_volume *v = &s->manifest.volumes[i];
		struct err why;
		int rc = 0, fd;

		if (v->disk != s->manifest.disk)
			continue;
		volume_name(v->number, ".idx", name);
		fd = source_open_checked(
		    s, name, v->index_bytes, v->index_sha256, &why);
		if (fd == -1) {
			complain(s, &why);
			continue;
		}
		rc = rows_read(rows, fd, name, e);
		close(fd);
		if (rc == -1)
			return -1;
	}
	scratch = scratch_open(e);
	if (scratch == -1 || rows_finish(rows, scratch, &written, e) == -1)
		return -1;
	return take_fd(&scratch);
}

static int
check_manifest(const struct bundle_source *s, int rc, struct err *e)
{
	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(
		    e, ERR_CONFIG, "holds no bundle: there is no bundle.json");
	if (s->manifest.state == BUNDLE_WRITING)
		return err_set(e, ERR_CONFIG,
		    "the bundle isn't finished: \"dray bundle create\" again, "
		    "where it was made, goes on");
	return 0;
}

/* The index of all, if it is what the manifest says, and makes sense. */
static struct pack_index *
open_index(struct bundle_source *s, struct err *e)
{
	int fd = source_open_checked(s, BUNDLE_INDEX_NAME,
	    s->manifest.index_bytes, s->manifest.index_sha256, e);
	AUTO(pack_index)
	struct pack_index *x = fd != -1 ? pack_index_open(fd, e) : NULL;

	if (x == NULL)
		return NULL;
	if (pack_index_each(x, NULL, NULL, e) == -1) {
		err_context(e, BUNDLE_INDEX_NAME);
		return NULL;
	}
	return TAKE(x);
}

static int
open_all(struct bundle_source *s, struct err *e)
{
	struct err why;
	int fd;

	s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd == -1)
		return err_sys(e, "open directory");
	if (check_manifest(
		s, bundle_manifest_read(s->dir_fd, &s->manifest, e), e) == -1)
		return -1;
	s->volumes = calloc(s->manifest.n + 1, sizeof(*s->volumes));
	if (s->volumes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->index = open_index(s, &why);
	if (s->index != NULL)
		return 0;
	complain(s, &why);
	fd = make_index(s, e);
	if (fd == -1)
		return -1;
	s->index = pack_index_open(fd, e);
	return s->index != NULL ? 0 : -1;
}

void
source_close(struct bundle_source *s)
{
	size_t i;

	for (i = 0; s->volumes != NULL && i < s->manifest.n; i++)
		if (s->volumes[i].looked) {
			frames_free(&s->volumes[i].frames);
			if (s->volumes[i].fd != -1)
				close(s->volumes[i].fd);
		}
	free(s->volumes);
	s->volumes = NULL;
	pack_index_close(s->index);
	s->index = NULL;
	bundle_manifest_clear(&s->manifest);
	buf_reset(&s->complaints);
	if (s->dir_fd != -1)
		close(s->dir_fd);
	s->dir_fd = -1;
}

int
source_open(struct bundle_source *s, struct err *e)
{
	int rc = 0;

	if (atomic_load_explicit(&s->opened, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->opened)) {
		rc = open_all(s, e);
		if (rc == 0)
			atomic_store(&s->opened, true);
		else
			source_close(s);
	}
	pthread_mutex_unlock(&s->lock);
	return rc == 0 ? 0 : err_context(e, "%s", s->path);
}
