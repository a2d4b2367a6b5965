/* SPDX-License-Identifier: ISC */
/* A run: for each line the lengths of its path and text, then both. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scratch.h"
#include "transfer/pack/index_in.h"

#define BUFFER_BYTES ((size_t)64 << 10)
#define HEAD_BYTES (2 * sizeof(uint32_t))

int
pack_run_begin(struct pack_run *r, unsigned level, struct err *e)
{
	*r = (struct pack_run){.fd = scratch_open(e), .level = level};
	buf_init(&r->out, BUFFER_BYTES + HEAD_BYTES + 2 * PACK_LINE_MAX);
	return r->fd == -1 ? -1 : 0;
}

static int
flush(struct pack_run *r, struct err *e)
{
	if (buf_failed(&r->out))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (scratch_write(r->fd, buf_str(&r->out), r->out.len, e) == -1)
		return -1;
	r->bytes += r->out.len;
	buf_reset(&r->out);
	return 0;
}

int
pack_run_add(struct pack_run *r, const struct pack_line *line, struct err *e)
{
	uint32_t lengths[2] = {
	    (uint32_t)line->path_len, (uint32_t)line->text_len};

	buf_add(&r->out, lengths, sizeof(lengths));
	buf_add(&r->out, line->path, line->path_len);
	buf_add(&r->out, line->text, line->text_len);
	return r->out.len >= BUFFER_BYTES || buf_failed(&r->out) ? flush(r, e)
								 : 0;
}

int
pack_run_end(struct pack_run *r, struct err *e)
{
	int rc = flush(r, e);

	buf_free(&r->out);
	return rc;
}

void
pack_run_free(struct pack_run *r)
{
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
	buf_free(&r->out);
}

/* At least N bytes of the run from r->begin on. */
static int
need(struct pack_reader *r, size_t n, struct err *e)
{
	char *data;

	if (r->end - r->begin >= n)
		return 0;
	if (r->cap < n + BUFFER_BYTES) {
		data = realloc(r->data, n + BUFFER_BYTES);
		if (data == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		r->data = data;
		r->cap = n + BUFFER_BYTES;
	}
	memmove(r->data, r->data + r->begin, r->end - r->begin);
	r->end -= r->begin;
	r->begin = 0;
	while (r->end < n) {
		ssize_t got = pread(
		    r->fd, r->data + r->end, r->cap - r->end, (off_t)r->at);

		if (got <= 0)
			return err_sys(e, "temporary file (see TMPDIR)");
		r->at += (uint64_t)got;
		r->end += (size_t)got;
	}
	return 0;
}

int
pack_reader_next(struct pack_reader *r, struct err *e)
{
	uint32_t lengths[2];
	const char *at;

	if (r->at == r->bytes && r->begin == r->end)
		return 0;
	if (need(r, sizeof(lengths), e) == -1)
		return -1;
	memcpy(lengths, r->data + r->begin, sizeof(lengths));
	if (need(r, sizeof(lengths) + lengths[0] + lengths[1], e) == -1)
		return -1;
	at = r->data + r->begin + sizeof(lengths);
	r->line = (struct pack_line){
	    .path = at,
	    .path_len = lengths[0],
	    .text = at + lengths[0],
	    .text_len = lengths[1],
	};
	r->begin += sizeof(lengths) + lengths[0] + lengths[1];
	return 1;
}
