/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/volume_in.h"
#include "transfer/pack/frame.h"
#include "transfer/pack/tar.h"

#define BUFFER_BYTES ((size_t)1 << 20)
/* What is as long as this goes to the file straight. */
#define LONG_BYTES ((size_t)64 << 10)
#define LINES_MAX ((size_t)1 << 28)

void
volume_name(uint64_t number, const char *end, char out[VOLUME_NAME_MAX])
{
	snprintf(out, VOLUME_NAME_MAX, "%06" PRIu64 "%s", number, end);
}

static int
write_at(int fd, uint64_t at, const void *p, size_t n, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		ssize_t did = pwrite(fd, from, n, (off_t)at);

		if (did == -1 && errno == EINTR)
			continue;
		if (did == -1)
			return err_sys(e, "write");
		from += did;
		at += (uint64_t)did;
		n -= (size_t)did;
	}
	return 0;
}

int
volume_named(const struct volume *v, const char *end, struct err *e)
{
	char name[VOLUME_NAME_MAX];

	volume_name(v->number, end, name);
	return err_context(e, "%s", name);
}

void
volume_free(struct volume *v)
{
	if (v == NULL)
		return;
	if (v->fd >= 0)
		close(v->fd);
	if (v->index_fd >= 0)
		close(v->index_fd);
	pthread_mutex_destroy(&v->syncing);
	pthread_mutex_destroy(&v->lock);
	buf_free(&v->lines);
	frames_free(&v->frames);
	frame_cache_free(&v->cache);
	free(v->packed);
	free(v->buffer);
	free(v);
}

static int
open_one(int dir_fd, uint64_t number, const char *end, int flags, struct err *e)
{
	char name[VOLUME_NAME_MAX];
	int fd;

	volume_name(number, end, name);
	fd =
	    openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
	return fd == -1 ? err_sys(e, "%s", name) : fd;
}

struct volume *
volume_open(int dir_fd, uint64_t number, int level, int flags, struct err *e)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	v->number = number;
	v->level = level;
	v->dir_fd = dir_fd;
	v->index_fd = -1;
	pthread_mutex_init(&v->syncing, NULL);
	pthread_mutex_init(&v->lock, NULL);
	buf_init(&v->lines, LINES_MAX);
	v->buffer = malloc(level > 0 ? FRAME_BYTES : BUFFER_BYTES);
	v->fd = open_one(dir_fd, number, volume_end(level > 0), flags, e);
	if (v->fd != -1)
		v->index_fd = open_one(dir_fd, number, ".idx", O_CREAT, e);
	if (v->buffer == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	if (v->buffer != NULL && v->index_fd != -1)
		return v;
	volume_free(v);
	return NULL;
}

/* What is in the buffer becomes a frame. */
static int
write_frame(struct volume *v, struct err *e)
{
	struct frames *f = &v->frames;
	size_t n = (size_t)(v->at - v->written), len;

	if (n == 0)
		return 0;
	if (v->packed == NULL)
		v->packed = malloc(frame_bound(FRAME_BYTES));
	if (v->packed == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (frame_pack(v->packed, v->buffer, n, v->level, &len, e) == -1 ||
	    write_at(v->fd, f->file_end, v->packed, len, e) == -1 ||
	    frames_add(f, v->written, f->file_end, e) == -1)
		return volume_named(v, volume_end(true), e);
	buf_addf(&v->lines, "{\"frame\":[%" PRIu64 ",%" PRIu64 "]}\n",
	    v->written, f->file_end);
	f->file_end += len;
	f->end = v->written = v->at;
	return 0;
}

static int
write_out(struct volume *v, struct err *e)
{
	size_t n = (size_t)(v->at - v->written);

	if (v->level > 0)
		return write_frame(v, e);
	if (write_at(v->fd, v->written, v->buffer, n, e) == -1)
		return volume_named(v, volume_end(v->level > 0), e);
	v->written = v->at;
	return 0;
}

/* Frames have all the same length, but for those that were to be durable. */
static int
add_packed(struct volume *v, const void *p, size_t n, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		size_t used = (size_t)(v->at - v->written);
		size_t m = FRAME_BYTES - used < n ? FRAME_BYTES - used : n;

		memcpy(v->buffer + used, from, m);
		v->at += m;
		from += m;
		n -= m;
		if (used + m == FRAME_BYTES && write_frame(v, e) == -1)
			return -1;
	}
	return 0;
}

int
volume_add(struct volume *v, const void *p, size_t n, struct err *e)
{
	size_t used = (size_t)(v->at - v->written);

	if (v->broken) {
		err_set(e, ERR_SYS, "could not be written before");
		return volume_named(v, volume_end(v->level > 0), e);
	}
	if (v->level > 0)
		return add_packed(v, p, n, e);
	if (n < LONG_BYTES && n <= BUFFER_BYTES - used) {
		memcpy(v->buffer + used, p, n);
		v->at += n;
		return 0;
	}
	if (write_out(v, e) == -1)
		return -1;
	if (n < LONG_BYTES)
		return volume_add(v, p, n, e);
	if (write_at(v->fd, v->at, p, n, e) == -1)
		return volume_named(v, volume_end(v->level > 0), e);
	v->at += n;
	v->written = v->at;
	return 0;
}

int
volume_add_zeros(struct volume *v, size_t n, struct err *e)
{
	static const char zeros[TAR_END_BYTES];

	return volume_add(v, zeros, n, e);
}

int
volume_set_off(struct volume *v, struct err *e)
{
	return v->level > 0 ? write_frame(v, e) : 0;
}

/* The frame that has AT, which is written, is in the buffer once more. */
static void
unpack(struct volume *v, uint64_t at)
{
	const struct frame_place *p = frames_find(&v->frames, at);
	struct frame_place is = {0};
	struct err e;

	if (p != NULL)
		is = *p;
	if (p == NULL ||
	    (is.at < at &&
		frames_read(&v->frames, v->fd, &v->cache, is.at, v->buffer,
		    (size_t)(at - is.at), &e) == -1))
		v->broken = true;
	v->cache.of = NULL;
	frames_cut(&v->frames, is.at);
	v->frames.end = v->written = is.at;
	v->frames.file_end = is.file;
	if (ftruncate(v->fd, (off_t)is.file) == -1)
		v->broken = true;
}

void
volume_back(struct volume *v, uint64_t at)
{
	if (v->level > 0 && at < v->written)
		unpack(v, at);
	/* Should it fail: what is there is written over, and cut off by who
	 * seals the volume or opens it again. */
	if (at < v->written && ftruncate(v->fd, (off_t)at) == 0)
		errno = 0;
	if (at < v->written)
		v->written = at;
	v->at = at;
}

int
volume_begin(struct volume *v, const char *id, struct err *e)
{
	AUTO(buf) struct buf header = BUF_INIT(4 * TAR_BLOCK);
	char text[VOLUME_TITLE_MAX];

	volume_title(v->number, id, text);
	tar_add_comment(&header, text);
	return volume_add(v, buf_str(&header), header.len, e);
}

void
volume_title(uint64_t number, const char *id, char out[VOLUME_TITLE_MAX])
{
	snprintf(out, VOLUME_TITLE_MAX, "dray bundle %.64s volume %" PRIu64, id,
	    number);
}

struct volume *
volume_new(
    int dir_fd, uint64_t number, const char *id, int level, struct err *e)
{
	AUTO(volume)
	struct volume *v =
	    volume_open(dir_fd, number, level, O_CREAT | O_EXCL, e);

	if (v == NULL || volume_begin(v, id, e) == -1)
		return NULL;
	if (fsync(dir_fd) == -1) {
		err_sys(e, "sync of the directory");
		return NULL;
	}
	return TAKE(v);
}

static void
add_mark(struct volume *v, bool sealed)
{
	const struct volume_open *open = &v->open;
	struct buf *out = &v->lines;

	buf_addf(out, "{\"end\":%" PRIu64, v->at);
	if (v->level > 0)
		buf_addf(out, ",\"file\":%" PRIu64, v->frames.file_end);
	if (open->id[0] != '\0')
		buf_addf(out,
		    ",\"open\":{\"id\":\"%s\",\"start\":%" PRIu64
		    ",\"data\":%" PRIu64 ",\"part\":%" PRIu64 "}",
		    open->id, open->start, open->data, open->part);
	if (sealed)
		buf_adds(out, ",\"sealed\":true");
	buf_adds(out, "}\n");
}

/* What is to be made durable now; with both locks. */
struct batch {
	struct buf lines;
	uint64_t end;
};

static int
take_batch(struct volume *v, bool seal, struct batch *b, struct err *e)
{
	if (write_out(v, e) == -1)
		return -1;
	add_mark(v, seal);
	if (buf_failed(&v->lines))
		return err_set(e, ERR_NOMEM, "out of memory");
	b->lines = v->lines;
	b->end = v->at;
	buf_init(&v->lines, LINES_MAX);
	return 0;
}

static int
make_durable(struct volume *v, const struct batch *b, struct err *e)
{
	if (fdatasync(v->fd) == -1) {
		err_sys(e, "sync");
		return volume_named(v, volume_end(v->level > 0), e);
	}
	if (write_at(v->index_fd, v->index_bytes, b->lines.data, b->lines.len,
		e) == -1 ||
	    (fdatasync(v->index_fd) == -1 && err_sys(e, "sync") == -1))
		return volume_named(v, ".idx", e);
	v->index_bytes += b->lines.len;
	v->marked = b->end;
	return 0;
}

static int
sync_locked(struct volume *v, bool seal, struct err *e)
{
	struct batch b;
	bool due;
	int rc;

	pthread_mutex_lock(&v->lock);
	due = v->fd >= 0 && (seal || v->lines.len > 0 || v->at != v->marked);
	rc = due ? take_batch(v, seal, &b, e) : 0;
	v->broken = v->broken || rc == -1;
	pthread_mutex_unlock(&v->lock);
	if (!due || rc == -1)
		return rc;
	rc = make_durable(v, &b, e);
	buf_free(&b.lines);
	if (rc == -1) {
		pthread_mutex_lock(&v->lock);
		v->broken = true;
		pthread_mutex_unlock(&v->lock);
	}
	return rc;
}

int
volume_sync(struct volume *v, struct err *e)
{
	int rc;

	pthread_mutex_lock(&v->syncing);
	rc = sync_locked(v, false, e);
	pthread_mutex_unlock(&v->syncing);
	return rc;
}

void
volume_shut(struct volume *v)
{
	pthread_mutex_lock(&v->lock);
	close(v->fd);
	close(v->index_fd);
	v->fd = v->index_fd = -1;
	free(v->buffer);
	free(v->packed);
	v->buffer = v->packed = NULL;
	frame_cache_free(&v->cache);
	pthread_mutex_unlock(&v->lock);
}

int
volume_seal(struct volume *v, struct err *e)
{
	int rc;

	pthread_mutex_lock(&v->syncing);
	pthread_mutex_lock(&v->lock);
	if (v->broken) {
		buf_reset(&v->lines);
		volume_back(v, v->marked);
		v->broken = false;
	}
	rc = volume_add_zeros(v, TAR_END_BYTES, e);
	pthread_mutex_unlock(&v->lock);
	if (rc == 0)
		rc = sync_locked(v, true, e);
	if (rc == 0)
		volume_shut(v);
	pthread_mutex_unlock(&v->syncing);
	return rc;
}
