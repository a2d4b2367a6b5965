/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/frames.h"
#include "transfer/pack/frame.h"

void
frames_free(struct frames *f)
{
	free(f->each);
	memset(f, 0, sizeof(*f));
}

int
frames_add(struct frames *f, uint64_t at, uint64_t file, struct err *e)
{
	const struct frame_place *last = f->n > 0 ? &f->each[f->n - 1] : NULL;

	if (last == NULL ? at != 0 || file != 0
			 : at <= last->at || file <= last->file ||
		    at - last->at > FRAME_BYTES ||
		    file - last->file > frame_bound(FRAME_BYTES))
		return err_set(
		    e, ERR_PROTOCOL, "a frame isn't behind the one before");
	if (f->n == f->cap) {
		size_t cap = f->cap > 0 ? 2 * f->cap : 64;
		struct frame_place *more =
		    realloc(f->each, cap * sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		f->each = more;
		f->cap = cap;
	}
	f->each[f->n++] = (struct frame_place){at, file};
	return 0;
}

void
frames_cut(struct frames *f, uint64_t at)
{
	while (f->n > 0 && f->each[f->n - 1].at >= at)
		f->n--;
}

const struct frame_place *
frames_find(const struct frames *f, uint64_t at)
{
	size_t from = 0, to = f->n;

	if (at >= f->end)
		return NULL;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (f->each[middle].at <= at)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 ? &f->each[from - 1] : NULL;
}

void
frame_cache_free(struct frame_cache *c)
{
	free(c->data);
	free(c->packed);
	memset(c, 0, sizeof(*c));
}

static int
read_packed(int fd, uint64_t at, unsigned char *to, size_t len, struct err *e)
{
	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, ERR_MISMATCH, "it was cut off");
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The frame that has OFFSET, into C. */
static int
load(const struct frames *f, int fd, struct frame_cache *c, uint64_t offset,
    struct err *e)
{
	const struct frame_place *p = frames_find(f, offset);
	bool last = p != NULL && p == &f->each[f->n - 1];
	uint64_t end, file_end;

	if (p == NULL)
		return err_set(e, ERR_MISMATCH, "ends before it");
	end = last ? f->end : p[1].at;
	file_end = last ? f->file_end : p[1].file;
	if (end - p->at > FRAME_BYTES || file_end < p->file ||
	    file_end - p->file > frame_bound(FRAME_BYTES))
		return err_set(e, ERR_PROTOCOL, "a frame is too long");
	if (c->data == NULL)
		c->data = malloc(FRAME_BYTES);
	if (c->packed == NULL)
		c->packed = malloc(frame_bound(FRAME_BYTES));
	if (c->data == NULL || c->packed == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->of = NULL;
	c->n = (size_t)(end - p->at);
	if (read_packed(fd, p->file, c->packed, (size_t)(file_end - p->file),
		e) == -1 ||
	    frame_unpack(c->data, c->n, c->packed, (size_t)(file_end - p->file),
		e) == -1)
		return -1;
	c->of = f;
	c->at = p->at;
	return 0;
}

int
frames_read(const struct frames *f, int fd, struct frame_cache *c,
    uint64_t offset, void *data, size_t len, struct err *e)
{
	char *to = data;

	while (len > 0) {
		size_t in, n;

		if ((c->of != f || offset < c->at || offset - c->at >= c->n) &&
		    load(f, fd, c, offset, e) == -1)
			return -1;
		in = (size_t)(offset - c->at);
		n = c->n - in < len ? c->n - in : len;
		memcpy(to, c->data + in, n);
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}
