/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "transfer/bundle/rows.h"

#define DIR_MAX ((size_t)1 << 20)

struct rows {
	struct pack_sort *sort;
	struct buf dir; /* of the last member */
	uint64_t bytes;
	bool gone;
};

static uint64_t
bytes_of(const struct pack_record *m)
{
	return m->st.type == ITEM_FILE && m->same_as == NULL ? m->st.size : 0;
}

static bool
later(void *arg, struct pack_entry *kept, struct pack_entry *next)
{
	bool replace = next->record.order > kept->record.order;
	struct rows *r = arg;

	r->bytes -= bytes_of(replace ? &kept->record : &next->record);
	return replace;
}

struct rows *
rows_new(const atomic_bool *stop, struct err *e)
{
	AUTO(rows) struct rows *r = calloc(1, sizeof(*r));
	struct pack_sort_options o = {.same = later, .arg = r, .stop = stop};

	if (r == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&r->dir, DIR_MAX);
	r->sort = pack_sort_new(&o, e);
	return r->sort != NULL ? TAKE(r) : NULL;
}

void
rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	pack_sort_free(r->sort);
	buf_free(&r->dir);
	free(r);
}

/* The directories that LEN bytes of DIR lead through. */
static int
add_parents(struct pack_sort *sort, const char *dir, size_t len, struct err *e)
{
	struct pack_record r = {
	    .path = dir,
	    .st.type = ITEM_DIR,
	    .st.mtime_ns = ITEM_TIME_UNKNOWN,
	    .implied = true,
	};
	size_t i;

	for (i = 1; len > 0 && i <= len; i++) {
		if (i < len && dir[i] != '/')
			continue;
		r.path_len = i;
		if (pack_sort_add(sort, &r, e) == -1)
			return -1;
	}
	return 0;
}

int
rows_add(struct rows *r, const struct pack_record *m, const struct buf *line,
    struct err *e)
{
	const char *slash = memrchr(m->path, '/', m->path_len);
	size_t len = slash != NULL ? (size_t)(slash - m->path) : 0;

	if (m->refused != NULL) {
		r->gone = true;
	} else if (r->dir.len != len ||
	    memcmp(buf_str(&r->dir), m->path, len) != 0) {
		if (add_parents(r->sort, m->path, len, e) == -1)
			return -1;
		buf_reset(&r->dir);
		buf_add(&r->dir, m->path, len);
	}
	r->bytes += bytes_of(m);
	if (line == NULL)
		return pack_sort_add(r->sort, m, e);
	return pack_sort_add_line(
	    r->sort, m->path, m->path_len, line->data, line->len, e);
}

static int
read_one(void *arg, const struct pack_record *m, struct err *e)
{
	return rows_add(arg, m, NULL, e);
}

int
rows_read(struct rows *r, int fd, const char *name, struct err *e)
{
	struct volume_mark mark;
	uint64_t bytes;

	return volume_index_read(fd, name, read_one, r, &mark, &bytes, e);
}

bool
rows_have_gone(const struct rows *r)
{
	return r->gone;
}

int
rows_finish(struct rows *r, int fd, struct rows_written *out, struct err *e)
{
	struct pack_written written;

	if (pack_sort_finish(r->sort, fd, &written, e) == -1)
		return -1;
	*out = (struct rows_written){
	    .items = written.records,
	    .bytes = r->bytes,
	};
	return 0;
}
