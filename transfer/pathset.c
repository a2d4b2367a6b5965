/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "transfer/pathset.h"

struct path {
	const char *s;
	size_t len;
};

struct pathset {
	struct buf bytes; /* of all paths, one behind the other */
	size_t *ends;	  /* where each ends there, while they are added */
	size_t n, cap;
	struct path *paths; /* sorted, each once, once it is sealed */
	atomic_uchar *seen; /* of each, if that is tracked */
};

struct pathset *
pathset_new(size_t max, struct err *e)
{
	struct pathset *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&p->bytes, max);
	return p;
}

void
pathset_free(struct pathset *p)
{
	if (p == NULL)
		return;
	buf_free(&p->bytes);
	free(p->ends);
	free(p->paths);
	free(p->seen);
	free(p);
}

static int
grow(struct pathset *p, struct err *e)
{
	size_t cap = p->cap > 0 ? p->cap * 2 : 64;
	size_t *ends = realloc(p->ends, cap * sizeof(*ends));
	struct path *paths;

	if (ends == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->ends = ends;
	paths = realloc(p->paths, cap * sizeof(*paths));
	if (paths == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->paths = paths;
	p->cap = cap;
	return 0;
}

int
pathset_add(struct pathset *p, const char *path, size_t len, struct err *e)
{
	if (p->n == p->cap && grow(p, e) == -1)
		return -1;
	/* Each also takes its two entries. */
	if ((p->n + 1) * (sizeof(*p->ends) + sizeof(*p->paths)) > p->bytes.max)
		return err_set(e, ERR_NOSPACE, "too many paths");
	buf_add(&p->bytes, path, len);
	if (buf_failed(&p->bytes))
		return err_set(e, ERR_NOSPACE, "too many paths");
	p->ends[p->n++] = p->bytes.len;
	return 0;
}

static int
compare(const struct path *a, const struct path *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = n > 0 ? memcmp(a->s, b->s, n) : 0;

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static int
compare_any(const void *a, const void *b)
{
	return compare(a, b);
}

void
pathset_seal(struct pathset *p)
{
	size_t i, from = 0, n = 0;

	for (i = 0; i < p->n; i++) {
		p->paths[i] = (struct path){
		    .s = buf_str(&p->bytes) + from,
		    .len = p->ends[i] - from,
		};
		from = p->ends[i];
	}
	if (p->n > 0)
		qsort(p->paths, p->n, sizeof(*p->paths), compare_any);
	for (i = 0; i < p->n; i++)
		if (i == 0 || compare(&p->paths[n - 1], &p->paths[i]) != 0)
			p->paths[n++] = p->paths[i];
	p->n = n;
}

size_t
pathset_count(const struct pathset *p)
{
	return p->n;
}

/* The first that doesn't sort before PATH. */
static size_t
lower_bound(const struct pathset *p, struct path path)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&p->paths[mid], &path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
holds(const struct pathset *p, const char *path, size_t len)
{
	struct path want = {path, len};
	size_t i = lower_bound(p, want);

	return i < p->n && compare(&p->paths[i], &want) == 0;
}

bool
pathset_has(const struct pathset *p, const char *path, size_t len)
{
	size_t i;

	if (holds(p, "", 0) || holds(p, path, len))
		return true;
	for (i = 1; i < len; i++)
		if (path[i] == '/' && holds(p, path, i))
			return true;
	return false;
}

/*
 * The paths below "a" sort from "a/" on, those like "a-b" before: the first
 * one from "a/" on, where PATH is "a".
 */
static size_t
first_below(const struct pathset *p, const char *path, size_t len)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct path *at = &p->paths[mid];
		size_t n = at->len < len ? at->len : len;
		int c = memcmp(at->s, path, n);

		if (c == 0 && at->len <= len)
			c = -1;
		else if (c == 0)
			c = (unsigned char)at->s[len] < '/' ? -1 : 1;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
is_below(const struct path *at, const char *path, size_t len)
{
	return at->len > len && memcmp(at->s, path, len) == 0 &&
	    at->s[len] == '/';
}

bool
pathset_leads(const struct pathset *p, const char *path, size_t len)
{
	size_t i;

	if (len == 0)
		return p->n > 0;
	i = first_below(p, path, len);
	return i < p->n && is_below(&p->paths[i], path, len);
}

bool
pathset_next_in(const struct pathset *p, const char *dir, size_t len, size_t *i,
    const char **name, size_t *name_len)
{
	size_t first = len > 0 ? first_below(p, dir, len) : 0;
	size_t skip = len > 0 ? len + 1 : 0;
	const struct path *at;
	const char *slash;

	if (first + *i >= p->n)
		return false;
	at = &p->paths[first + *i];
	if (len > 0 && !is_below(at, dir, len))
		return false;
	*name = at->s + skip;
	slash = memchr(*name, '/', at->len - skip);
	*name_len = slash != NULL ? (size_t)(slash - *name) : at->len - skip;
	/* Those below that name come next, but for others like "name-x". */
	while (first + *i < p->n &&
	    p->paths[first + *i].len >= skip + *name_len &&
	    memcmp(p->paths[first + *i].s, at->s, skip + *name_len) == 0 &&
	    (p->paths[first + *i].len == skip + *name_len ||
		p->paths[first + *i].s[skip + *name_len] == '/'))
		++*i;
	return true;
}

int
pathset_track(struct pathset *p, struct err *e)
{
	p->seen = calloc(p->n + 1, sizeof(*p->seen));
	return p->seen != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

static void
saw(const struct pathset *p, size_t i)
{
	atomic_store_explicit(&p->seen[i], 1, memory_order_relaxed);
}

void
pathset_saw(const struct pathset *p, const char *path, size_t len, bool below)
{
	struct path want = {path, len};
	size_t i;

	if (p->seen == NULL)
		return;
	i = lower_bound(p, want);
	if (i < p->n && compare(&p->paths[i], &want) == 0)
		saw(p, i);
	if (!below)
		return;
	i = len > 0 ? first_below(p, path, len) : 0;
	for (; i < p->n && (len == 0 || is_below(&p->paths[i], path, len)); i++)
		saw(p, i);
}

bool
pathset_unseen(
    const struct pathset *p, size_t *i, const char **path, size_t *len)
{
	while (p->seen != NULL && *i < p->n &&
	    atomic_load_explicit(&p->seen[*i], memory_order_relaxed) != 0)
		++*i;
	if (p->seen == NULL || *i >= p->n)
		return false;
	*path = p->paths[*i].s;
	*len = p->paths[*i].len;
	return true;
}
