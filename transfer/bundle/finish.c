/* SPDX-License-Identifier: ISC */
/* The end: of what volumes have, one index, and the manifest. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scratch.h"
#include "transfer/bundle/internal.h"
#include "transfer/bundle/rows.h"

#define OUT_BYTES ((size_t)256 << 10)

/* What the manifest says of V.  ROWS: its index goes there, too; or NULL. */
static int
add_volume(struct bundle_target *s, const struct volume *v, struct rows *rows,
    struct bundle_volume *out, struct err *e)
{
	int dir = atomic_load(&s->dir_fd);
	AUTO(close) int fd = -1;
	char name[VOLUME_NAME_MAX];

	volume_name(v->number, ".idx", name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return err_sys(e, "%s", name);
	if (rows != NULL && rows_read(rows, fd, name, e) == -1)
		return -1;
	out->number = v->number;
	out->disk = s->order->disk;
	out->bytes = v->level > 0 ? v->frames.file_end : v->marked;
	out->tar_bytes = v->marked;
	return bundle_digest_file(fd, &out->index_bytes, out->index_sha256, e);
}

static int
compare_volumes(const void *a, const void *b)
{
	const struct bundle_volume *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int
add_volumes(struct bundle_target *s, struct rows *rows,
    struct bundle_manifest *m, struct err *e)
{
	const struct bundle_manifest *before = s->order->before;
	struct bundle_volume *v;
	size_t i;

	for (i = 0; before != NULL && i < before->n; i++) {
		v = bundle_manifest_add(m, e);
		if (v == NULL)
			return -1;
		*v = before->volumes[i];
	}
	for (i = 0; i < s->n; i++) {
		v = bundle_manifest_add(m, e);
		if (v == NULL || add_volume(s, s->volumes[i], rows, v, e) == -1)
			return -1;
	}
	if (m->n > 0)
		qsort(m->volumes, m->n, sizeof(m->volumes[0]), compare_volumes);
	return 0;
}

/* A file of records that is new, whole or not at all. */
struct file {
	int dir;
	const char *name;
	int fd;
	struct buf out;
	uint64_t items;
};

static int
file_begin(struct file *f, int dir, const char *name, struct err *e)
{
	f->dir = dir;
	f->name = name;
	buf_init(&f->out, OUT_BYTES + PACK_LINE_MAX);
	f->fd = openat(dir, name,
	    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	return f->fd == -1 ? err_sys(e, "%s", name) : 0;
}

static int
file_flush(struct file *f, size_t least, struct err *e)
{
	if (buf_failed(&f->out))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (f->out.len < least || f->out.len == 0)
		return 0;
	if (scratch_write(f->fd, f->out.data, f->out.len, e) == -1)
		return err_context(e, "%s", f->name);
	buf_reset(&f->out);
	return 0;
}

static int
file_add(struct file *f, const struct pack_record *r, struct err *e)
{
	pack_record_add(&f->out, r);
	f->items++;
	return file_flush(f, OUT_BYTES, e);
}

static int
file_end(struct file *f, uint64_t *bytes, char *digest, struct err *e)
{
	if (file_flush(f, 0, e) == -1)
		return -1;
	if (fsync(f->fd) == -1)
		return err_sys(e, "%s", f->name);
	return bundle_digest_file(f->fd, bytes, digest, e);
}

static void
file_close(struct file *f)
{
	if (f->fd != -1)
		close(f->fd);
	buf_free(&f->out);
}

struct files {
	struct file all, gone;
};

static int
to_file(void *arg, const struct pack_record *m, struct err *e)
{
	struct files *to = arg;
	bool gone = m->refused != NULL && strcmp(m->refused, BUNDLE_GONE) == 0;

	return file_add(gone ? &to->gone : &to->all, m, e);
}

/* What is sorted in FD, which is taken, into two files: what is there, and what
 * is gone. */
static int
divide(
    struct bundle_target *s, int fd, struct bundle_manifest *m, struct err *e)
{
	AUTO(pack_index) struct pack_index *x = pack_index_open(fd, e);
	struct files to = {.all.fd = -1, .gone.fd = -1};
	int dir = atomic_load(&s->dir_fd);
	uint64_t ignored;
	int rc = 0;

	if (x == NULL)
		return -1;
	if (file_begin(&to.all, dir, BUNDLE_INDEX_NAME, e) == -1 ||
	    file_begin(&to.gone, dir, BUNDLE_GONE_NAME, e) == -1 ||
	    pack_index_each(x, to_file, &to, e) == -1 ||
	    file_end(&to.all, &m->index_bytes, m->index_sha256, e) == -1 ||
	    file_end(&to.gone, &ignored, m->gone_sha256, e) == -1)
		rc = -1;
	file_close(&to.all);
	file_close(&to.gone);
	m->items = to.all.items;
	m->gone_items = to.gone.items;
	/* A whole bundle has what it has. */
	if (rc == 0 && (to.gone.items == 0 || m->base[0] == '\0')) {
		m->gone_items = 0;
		unlinkat(dir, BUNDLE_GONE_NAME, 0);
	}
	return rc;
}

/* The index, of R, where nothing is gone. */
static int
write_all(struct bundle_target *s, struct rows *r, struct bundle_manifest *m,
    struct err *e)
{
	int dir = atomic_load(&s->dir_fd), rc = -1;
	struct rows_written written = {0};
	struct file all = {.fd = -1};

	if (file_begin(&all, dir, BUNDLE_INDEX_NAME, e) == 0 &&
	    rows_finish(r, all.fd, &written, e) == 0)
		rc = file_end(&all, &m->index_bytes, m->index_sha256, e);
	file_close(&all);
	m->items = written.items;
	m->bytes = written.bytes;
	return rc;
}

static int
write_some(struct bundle_target *s, struct rows *r, struct bundle_manifest *m,
    struct err *e)
{
	AUTO(close) int fd = scratch_open(e);
	struct rows_written written;

	if (fd == -1 || rows_finish(r, fd, &written, e) == -1)
		return -1;
	m->bytes = written.bytes;
	return divide(s, take_fd(&fd), m, e);
}

static int
write_index(struct bundle_target *s, struct bundle_manifest *m, struct err *e)
{
	bool unsure = atomic_load(&s->unsure);
	AUTO(rows) struct rows *again = unsure ? rows_new(s->stop, e) : NULL;
	struct rows *r = unsure ? again : s->rows;

	if (r == NULL || add_volumes(s, again, m, e) == -1)
		return -1;
	return rows_have_gone(r) ? write_some(s, r, m, e)
				 : write_all(s, r, m, e);
}

static int
seal_all(struct bundle_target *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->volumes[i]->state == VOLUME_SEALED)
			continue;
		if (volume_seal(s->volumes[i], e) == -1)
			return -1;
		s->volumes[i]->state = VOLUME_SEALED;
	}
	s->free = NULL;
	return 0;
}

int
bundle_finish(struct store *store, enum bundle_state state,
    struct bundle_manifest *out, struct err *e)
{
	struct bundle_target *s = (struct bundle_target *)(void *)store;
	struct bundle_manifest m = {
	    .state = state,
	    .disk = s->order->disk,
	    .compressed = s->order->level > 0,
	    .created_ns = clock_wall_ns(),
	};

	memcpy(m.id, s->order->id, sizeof(m.id));
	memcpy(m.base, s->order->base,
	    s->order->base[0] != '\0' ? sizeof(m.base) : 1);
	if (bundle_open(s, e) == -1)
		return -1;
	bundle_uploads_drop(s);
	if (seal_all(s, e) == -1 || write_index(s, &m, e) == -1 ||
	    bundle_manifest_write(atomic_load(&s->dir_fd), &m, e) == -1) {
		bundle_manifest_clear(&m);
		return err_context(e, "%s", s->path);
	}
	*out = m;
	return 0;
}
