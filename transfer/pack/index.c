/* SPDX-License-Identifier: ISC */
/*
 * An index is read by pread(2), a piece at a time, so what is held of it in
 * memory doesn't depend on its size.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "transfer/pack/index.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define PROBE_BYTES ((size_t)2 << 10)
/* A stretch up to this is read from its beginning. */
#define NEAR_BYTES ((uint64_t)4 << 10)

struct pack_index {
	int fd;
	uint64_t bytes;
};

/* Lines from some place on. */
struct lines {
	const struct pack_index *x;
	uint64_t next; /* where the line after this one begins */
	uint64_t base; /* where data's first byte is in the file */
	char *data;
	size_t len, cap, piece;
	const char *line; /* this one, without its end */
	size_t line_len;
};

static inline void
auto_lines(struct lines *l)
{
	free(l->data);
}

struct pack_index *
pack_index_open(int fd, struct err *e)
{
	AUTO(pack_index) struct pack_index *x = calloc(1, sizeof(*x));
	struct stat st;

	if (x == NULL) {
		close(fd);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	x->fd = fd;
	if (fstat(fd, &st) == -1) {
		err_sys(e, "index");
		return NULL;
	}
	x->bytes = (uint64_t)st.st_size;
	return TAKE(x);
}

void
pack_index_close(struct pack_index *x)
{
	if (x == NULL)
		return;
	close(x->fd);
	free(x);
}

/* More of the file behind what is in l->data: 1, 0 if there is no more, -1. */
static int
more(struct lines *l, struct err *e)
{
	uint64_t at = l->base + l->len;
	size_t want = l->piece;
	char *data;
	ssize_t n;

	if (at >= l->x->bytes)
		return 0;
	if (want > l->x->bytes - at)
		want = (size_t)(l->x->bytes - at);
	if (l->cap < l->len + want) {
		data = realloc(l->data, l->len + want);
		if (data == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		l->data = data;
		l->cap = l->len + want;
	}
	n = pread(l->x->fd, l->data + l->len, want, (off_t)at);
	if (n <= 0)
		return err_sys(e, "index");
	l->len += (size_t)n;
	return 1;
}

/* The line at l->next: 1, 0 at the end, -1. */
static int
next_line(struct lines *l, struct err *e)
{
	size_t at, seen = 0;
	int rc;

	if (l->next >= l->x->bytes)
		return 0;
	if (l->next > l->base + l->len) {
		l->base = l->next;
		l->len = 0;
	}
	for (;;) {
		char *begin, *end;

		at = (size_t)(l->next - l->base);
		begin = at > 0 ? l->data + at : l->data;
		end = l->len > at + seen
		    ? memchr(begin + seen, '\n', l->len - at - seen)
		    : NULL;
		if (end != NULL) {
			l->line = begin;
			l->line_len = (size_t)(end - begin);
			l->next += l->line_len + 1;
			return 1;
		}
		seen = l->len - at;
		if (seen >= PACK_LINE_MAX)
			return err_set(e, ERR_PROTOCOL, "a line is too long");
		if (at > 0) {
			memmove(l->data, begin, seen);
			l->base = l->next;
			l->len = seen;
		}
		rc = more(l, e);
		if (rc == 0)
			return err_set(
			    e, ERR_PROTOCOL, "its last line is cut off");
		if (rc == -1)
			return -1;
	}
}

static int
next_record(struct lines *l, struct pack_entry *out, struct err *e)
{
	int rc = next_line(l, e);

	memset(out, 0, sizeof(*out));
	if (rc == 1 && pack_record_parse(out, l->line, l->line_len, e) == -1) {
		pack_entry_clear(out);
		return -1;
	}
	return rc;
}

/* What is looked for: NAME in DIR; of no name, DIR's first child. */
struct place {
	const char *dir, *name;
	size_t dir_len, name_len;
};

/* Whether PATH is before P. */
static bool
is_before(const char *path, size_t len, const struct place *p)
{
	const char *cut = memrchr(path, '/', len);
	size_t dir = cut != NULL ? (size_t)(cut - path) : 0;
	size_t at = cut != NULL ? dir + 1 : 0;
	int c = text_compare(path, dir, p->dir, p->dir_len);

	if (c == 0)
		c = text_compare(path + at, len - at, p->name, p->name_len);
	return c < 0;
}

/* L's next line is the first that begins at FROM (not 0) or behind it. */
static int
seek_line(struct lines *l, uint64_t from, struct err *e)
{
	l->base = l->next = from - 1;
	l->len = 0;
	return next_line(l, e);
}

/*
 * L's next line is the first that is not before P.  What lies between LOW (the
 * beginning of a line) and HIGH (no line that begins there, or behind it, is
 * before P) is halved.
 */
static int
seek(struct lines *l, const struct place *p, struct err *e)
{
	uint64_t low = 0, high = l->x->bytes;
	struct pack_entry m;
	bool before;
	int rc;

	l->piece = PROBE_BYTES;
	while (high - low > NEAR_BYTES) {
		uint64_t middle = low + (high - low) / 2;

		if (seek_line(l, middle, e) == -1)
			return -1;
		before = false;
		if (l->next < high) {
			if (next_record(l, &m, e) == -1)
				return -1;
			before = is_before(m.record.path, m.record.path_len, p);
			pack_entry_clear(&m);
		}
		if (before)
			low = l->next;
		else
			high = middle;
	}
	l->base = l->next = low;
	l->len = 0;
	for (;;) {
		low = l->next;
		rc = next_record(l, &m, e);
		if (rc != 1)
			break;
		before = is_before(m.record.path, m.record.path_len, p);
		pack_entry_clear(&m);
		if (!before)
			break;
	}
	l->base = l->next = low;
	l->len = 0;
	l->piece = PIECE_BYTES;
	return rc == -1 ? -1 : 0;
}

int
pack_index_each(
    struct pack_index *x, pack_index_fn *fn, void *arg, struct err *e)
{
	AUTO(lines) struct lines l = {.x = x, .piece = PIECE_BYTES};
	struct pack_entry m, last = {0};
	unsigned long long line = 1;
	int rc;

	for (; (rc = next_record(&l, &m, e)) == 1; line++) {
		const struct pack_record *r = &m.record, *was = &last.record;

		if (was->path != NULL &&
		    pack_path_compare(
			was->path, was->path_len, r->path, r->path_len) >= 0)
			rc = err_set(e, ERR_PROTOCOL,
			    "its path is not behind that of the line before");
		else if (fn != NULL && fn(arg, r, e) == -1) {
			pack_entry_clear(&m);
			pack_entry_clear(&last);
			return -1;
		}
		pack_entry_clear(&last);
		last = m;
		if (rc == -1)
			break;
	}
	pack_entry_clear(&last);
	return rc == -1 ? err_context(e, "line %llu", line) : 0;
}

int
pack_index_list(struct pack_index *x, const char *dir, pack_index_fn *fn,
    void *arg, struct err *e)
{
	AUTO(lines) struct lines l = {.x = x, .piece = PIECE_BYTES};
	struct place p = {.dir = dir, .dir_len = strlen(dir), .name = ""};
	struct pack_entry m;
	int rc = seek(&l, &p, e);

	while (rc == 0 && (rc = next_record(&l, &m, e)) == 1) {
		const struct pack_record *r = &m.record;
		const char *cut = memrchr(r->path, '/', r->path_len);
		size_t n = cut != NULL ? (size_t)(cut - r->path) : 0;

		if (n != p.dir_len || memcmp(r->path, dir, n) != 0)
			rc = 1;
		else
			rc = fn(arg, r, e);
		pack_entry_clear(&m);
	}
	return rc == -1 ? -1 : 0;
}

int
pack_index_find(struct pack_index *x, const char *path, size_t len,
    struct pack_entry *out, struct err *e)
{
	AUTO(lines) struct lines l = {.x = x, .piece = PIECE_BYTES};
	const char *cut = memrchr(path, '/', len);
	size_t dir = cut != NULL ? (size_t)(cut - path) : 0;
	size_t at = cut != NULL ? dir + 1 : 0;
	struct place p = {.dir = path,
	    .dir_len = dir,
	    .name = path + at,
	    .name_len = len - at};
	int rc = seek(&l, &p, e);

	if (rc == 0)
		rc = next_record(&l, out, e);
	if (rc == 1 &&
	    (out->record.path_len != len ||
		memcmp(out->record.path, path, len) != 0)) {
		pack_entry_clear(out);
		rc = 0;
	}
	return rc;
}
