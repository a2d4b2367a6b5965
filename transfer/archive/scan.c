/* SPDX-License-Identifier: ISC */
/* The first pass: the members become an index, or are refused. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scratch.h"
#include "transfer/archive/internal.h"

#define TAR_BLOCK 512

struct pass {
	struct archive_source *s;
	struct feed feed;
	struct pack_sort *sort;
	uint64_t bytes;	   /* MEMBERS: of the stream, up to here */
	char *dir;	   /* the last one that was implied */
	char *last;	   /* the last member that has bytes in the stream */
	uint64_t last_end; /* where they end */
};

/*
 * STAYS, a file, has another name, NAMED.  The bytes of a group of names may
 * stand behind any of them (cpio: behind the last one).
 */
static void
name_again(struct pack_entry *stays, struct pack_entry *named)
{
	struct pack_record *r = &stays->record;
	struct pack_piece *pieces = stays->pieces;

	r->st.nlink += named->record.st.nlink;
	if (named->record.pieces_n == 0 || r->st.size > 0)
		return;
	r->st.size = named->record.st.size;
	r->order = named->record.order;
	r->pieces = stays->pieces = named->pieces;
	r->pieces_n = named->record.pieces_n;
	named->pieces = pieces;
	named->record.pieces_n = 0;
}

/* The same path twice: what becomes of it. */
static bool
settle(void *arg, struct pack_entry *kept, struct pack_entry *next)
{
	struct pack_record *a = &kept->record, *b = &next->record;
	bool a_dir = a->st.type == ITEM_DIR, b_dir = b->st.type == ITEM_DIR;

	(void)arg;
	if (a->named || b->named) {
		name_again(a->named ? next : kept, a->named ? kept : next);
		return a->named;
	}
	if (a_dir && b_dir) {
		const char *why = a->refused != NULL ? a->refused : b->refused;

		a->refused = b->refused = why;
		return !b->implied;
	}
	if (a_dir || b_dir) {
		(a_dir ? a : b)->refused =
		    "is also the name of a member that is no directory, which "
		    "can't be carried";
		return b_dir;
	}
	if (a->refused == NULL)
		a->refused = b->refused != NULL
		    ? b->refused
		    : "is in the archive more than once";
	return false;
}

/* Told of at the root. */
static int
add_refused(
    struct archive_source *s, const char *name, const char *why, struct err *e)
{
	size_t len = strlen(name);
	struct refused *r;

	if (s->refused_n++ >= REFUSED_MAX)
		return 0;
	r = malloc(sizeof(*r) + len + 1);
	if (r == NULL || (r->why = strdup(why)) == NULL) {
		free(r);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	memcpy(r->name, name, len + 1);
	r->len = len;
	r->next = s->refused;
	s->refused = r;
	return 0;
}

/* The directories above PATH, which no member may tell of. */
static int
add_parents(struct pass *p, const char *path, struct err *e)
{
	const char *cut = strrchr(path, '/');
	size_t n = cut != NULL ? (size_t)(cut - path) : 0;
	struct pack_record r = {
	    .st = {.type = ITEM_DIR, .mtime_ns = ITEM_TIME_UNKNOWN},
	    .implied = true,
	};
	char *dir;

	if (n == 0 ||
	    (p->dir != NULL && strlen(p->dir) == n &&
		memcmp(p->dir, path, n) == 0))
		return 0;
	dir = strndup(path, n);
	if (dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	free(p->dir);
	p->dir = dir;
	for (; n > 0; n = cut != NULL ? (size_t)(cut - path) : 0) {
		r.path = path;
		r.path_len = n;
		if (pack_sort_add(p->sort, &r, e) == -1)
			return -1;
		cut = memrchr(path, '/', n);
	}
	return 0;
}

/* Another name of what may come yet, or has come. */
static int
add_named(struct pass *p, const struct member *link, struct err *e)
{
	struct pack_record r = {
	    .path = link->record.same_as,
	    .path_len = link->record.same_as_len,
	    .st = {.type = ITEM_FILE,
		.size = link->piece.length,
		.nlink = 1,
		.mtime_ns = ITEM_TIME_UNKNOWN},
	    .order = link->record.order,
	    .named = true,
	    .pieces = &link->piece,
	    .pieces_n = link->piece.length > 0,
	};

	return pack_sort_add(p->sort, &r, e);
}

/* Where its bytes are in the stream. */
static int
find_bytes(struct pass *p, struct member *m, uint64_t bytes, struct err *e)
{
	struct pack_record *r = &m->record;
	la_int64_t at = archive_filter_bytes(p->feed.read, 0);

	if (p->s->kind == ARCHIVE_MEMBERS) {
		m->piece.offset = p->bytes;
		if (bytes > UINT64_MAX / 2 - p->bytes)
			return err_set(e, ERR_PROTOCOL, "sizes make no sense");
		p->bytes += bytes;
		if (archive_check_size(p->s, p->bytes, e) == -1)
			return -1;
	} else {
		m->piece.offset = (uint64_t)at;
		if (at < 0 ||
		    ((archive_format(p->feed.read) &
			 ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR &&
			at % TAR_BLOCK != 0))
			r->refused = "is at a place that makes no sense";
	}
	if (m->piece.length > UINT64_MAX / 2) {
		r->refused = "has a size that makes no sense";
		m->piece.length = 0;
	}
	if (r->refused != NULL || r->st.type != ITEM_FILE ||
	    m->piece.length == 0)
		return 0;
	if (r->same_as == NULL) {
		r->pieces = &m->piece;
		r->pieces_n = 1;
	}
	free(p->last);
	p->last = strdup(m->path);
	p->last_end = m->piece.offset + m->piece.length;
	return p->last != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

/* What is refused is a file without bytes in the index. */
static void
strip(struct pack_record *r)
{
	if (r->st.type == ITEM_DIR)
		return;
	r->st = (struct item_stat){
	    .type = ITEM_FILE, .mtime_ns = ITEM_TIME_UNKNOWN};
	r->target = r->same_as = NULL;
	r->pieces_n = r->extents_n = 0;
}

static int
add(struct pass *p, struct member *m, uint64_t bytes, struct err *e)
{
	struct pack_record *r = &m->record;

	if (m->root) {
		p->s->root = r->st;
		p->s->root.attrs = NULL;
		return 0;
	}
	if (find_bytes(p, m, bytes, e) == -1)
		return -1;
	if (m->odd)
		return add_refused(p->s, m->raw, r->refused, e);
	r->order = ++p->s->items;
	if (r->refused != NULL)
		strip(r);
	if (r->same_as != NULL && add_named(p, m, e) == -1)
		return -1;
	return add_parents(p, m->path, e) == -1 ||
		pack_sort_add(p->sort, r, e) == -1
	    ? -1
	    : 0;
}

/* The archive can't be read any further. */
static int
broke_off(struct pass *p, struct err *e)
{
	const char *name = strrchr(p->s->path, '/');
	const char *why = archive_error_string(p->feed.read);
	uint64_t have = p->s->kind == ARCHIVE_PLAIN ? (uint64_t)p->s->is.st_size
						    : p->feed.decoded;
	struct pack_record r = {
	    .st = {.type = ITEM_FILE, .mtime_ns = ITEM_TIME_UNKNOWN},
	    .refused = "is cut off, or damaged",
	};
	char text[400];

	if (p->feed.why.kind != ERR_NONE) {
		*e = p->feed.why;
		return -1;
	}
	if (archive_errno(p->feed.read) == ENOMEM)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(text, sizeof(text),
	    "the archive is cut off or damaged (%s): what follows the %llu "
	    "members before that is not carried",
	    why != NULL ? why : "for no reason that is told",
	    (unsigned long long)p->s->items);
	if (p->last != NULL && p->last_end > have &&
	    p->s->kind != ARCHIVE_MEMBERS) {
		r.path = p->last;
		r.path_len = strlen(p->last);
		if (pack_sort_add(p->sort, &r, e) == -1)
			return -1;
	}
	return add_refused(p->s, name != NULL ? name + 1 : p->s->path, text, e);
}

/* The next member: 1, 0 at the end, -1. */
static int
next(struct pass *p, struct err *e)
{
	struct archive_entry *entry;
	struct member m;
	int rc = archive_read_next_header(p->feed.read, &entry);

	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN)
		return rc == ARCHIVE_RETRY ? 1 : broke_off(p, e);
	if (p->s->items + p->s->refused_n >= p->s->max_items)
		return err_set(e, ERR_UNSUPPORTED,
		    "the archive is refused: it has more than %llu members "
		    "(--archive-max-items allows them)",
		    (unsigned long long)p->s->max_items);
	if (member_read(p->s, entry, &m, e) == -1) {
		member_clear(&m);
		return -1;
	}
	/* A name that was converted isn't the member's any more. */
	if (rc == ARCHIVE_WARN && m.record.refused == NULL &&
	    archive_error_string(p->feed.read) != NULL &&
	    strstr(archive_error_string(p->feed.read), "convert") != NULL)
		m.record.refused = "has a name that isn't in the character set "
				   "that it should be in";
	rc = add(p, &m, archive_entry_bytes(entry), e);
	member_clear(&m);
	return rc == -1 ? -1 : 1;
}

static int
pass(struct pass *p, struct err *e)
{
	struct pack_sort_options so = {.same = settle, .stop = p->s->stop};
	struct pack_written written;
	int fd, rc;

	p->sort = pack_sort_new(&so, e);
	if (p->sort == NULL || feed_open(&p->feed, p->s, true, e) == -1)
		return -1;
	while ((rc = next(p, e)) == 1)
		continue;
	if (rc == -1)
		return -1;
	fd = scratch_open(e);
	if (fd == -1)
		return -1;
	if (pack_sort_finish(p->sort, fd, &written, e) == -1) {
		close(fd);
		return -1;
	}
	p->s->index = pack_index_open(fd, e);
	return p->s->index != NULL ? 0 : -1;
}

int
archive_scan(struct archive_source *s, struct err *e)
{
	struct pass p = {.s = s};
	locale_t was;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (s->index == NULL) {
		was = archive_locale_begin(s);
		rc = pass(&p, e);
		feed_close(&p.feed);
		archive_locale_end(was);
		pack_sort_free(p.sort);
		free(p.dir);
		free(p.last);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}
