/* SPDX-License-Identifier: ISC */
/* A directory's names become batches: which are told of, and as what. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/scan_in.h"

/* The directory that a walker reads. */
struct reading {
	struct walker *w;
	struct scannode *node;
	int fd;
	size_t dir_len;	   /* of the directory's path in w->path */
	size_t prefix_len; /* the same with the slash */
	struct scan_batch *batch;
	char *names;		   /* where the next name goes */
	struct scannode *children; /* found in this batch, last first */
};

void
scan_troubles_free(struct scan_trouble *t)
{
	while (t != NULL) {
		struct scan_trouble *next = t->next;

		free(t);
		t = next;
	}
}

void
scan_batch_free(struct scan_batch *b)
{
	if (b != NULL)
		scan_troubles_free(b->troubles);
	free(b);
}

/* A batch with room for N entries whose names take NAME_BYTES. */
static struct scan_batch *
batch_new(const struct reading *r, size_t n, size_t name_bytes)
{
	size_t entries = n * sizeof(struct scan_entry);
	struct scan_batch *b;

	b = malloc(sizeof(*b) + entries + r->dir_len + 1 + name_bytes);
	if (b == NULL)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->entries = (struct scan_entry *)(void *)(b + 1);
	b->left = b->entries + n;
	b->dir = (char *)(b + 1) + entries;
	b->dir_len = r->dir_len;
	memcpy(b->dir, r->w->path, r->dir_len);
	b->dir[r->dir_len] = '\0';
	b->troubles_end = &b->troubles;
	return b;
}

struct scan_trouble *
scan_trouble_new(const char *name, size_t len, const struct err *why)
{
	struct scan_trouble *t = malloc(sizeof(*t) + len);

	if (t == NULL)
		return NULL;
	t->next = NULL;
	t->err = *why;
	t->name_len = len;
	memcpy(t->name, name, len);
	return t;
}

/* NAME is there; BELOW: what is below it won't be looked at. */
static void
saw(struct reading *r, const char *name, size_t len, bool below)
{
	const struct pathset *only = r->w->scan->options.only;

	if (only == NULL)
		return;
	memcpy(r->w->path + r->prefix_len, name, len + 1);
	pathset_saw(only, r->w->path, r->prefix_len + len, below);
}

static void
unreadable(struct reading *r, const char *name, const struct err *why)
{
	struct scan_batch *b = r->batch;
	struct scan_trouble *t = scan_trouble_new(name, strlen(name), why);

	saw(r, name, strlen(name), false);
	if (t == NULL) {
		err_set(&b->error, ERR_NOMEM, "out of memory while scanning");
		return;
	}
	*b->troubles_end = t;
	b->troubles_end = &t->next;
}

static void
excluded(struct reading *r, const char *name, size_t len)
{
	r->batch->excluded++;
	saw(r, name, len, true);
}

/* Whether the filter lets NAME pass. */
static bool
passes(struct reading *r, const char *name, size_t len, bool is_dir)
{
	const struct filter *filter = r->w->scan->options.filter;

	if (filter == NULL)
		return true;
	memcpy(r->w->path + r->prefix_len, name, len + 1);
	return filter_passes(filter, r->w->path, r->prefix_len + len, is_dir);
}

/* False if there is nothing to tell of NAME. */
static bool
stat_local(struct reading *r, const char *name, struct item_stat *out)
{
	bool follow = r->w->scan->options.links == SCAN_LINKS_FOLLOW;
	struct err e = ERR_INIT;
	struct stat st;

	if (fstatat(r->fd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0) {
		*out = item_of_stat(&st);
		return true;
	}
	if (errno != ENOENT) {
		err_sys(&e, "stat");
		unreadable(r, name, &e);
	} else if (follow &&
	    fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* A dangling link isn't a name that vanished. */
		err_set(&e, ERR_NOTFOUND, "symbolic link to nowhere");
		unreadable(r, name, &e);
	}
	return false;
}

/* Remembers the directory ENTRY for later.  False: out of memory. */
static bool
add_child(struct reading *r, struct scan_entry *entry)
{
	struct scan *s = r->w->scan;
	struct scannode *n;

	entry->not_walked =
	    s->options.one_file_system && entry->st.dev != s->root_dev;
	if (entry->not_walked) {
		saw(r, entry->name, entry->name_len, true);
		return true;
	}
	n = scannode_new(r->node, entry);
	if (n == NULL)
		return false;
	n->next = r->children;
	r->children = n;
	return true;
}

/* Copies NAME into the batch's memory. */
static const char *
keep_name(struct reading *r, const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = r->names;

	memcpy(copy, name, size);
	r->names += size;
	return copy;
}

/* The same without its last byte: what sorts between both is few.  NULL:
 * nothing would be left. */
static const char *
keep_beginning(struct reading *r, const char *name)
{
	size_t len = strlen(name) - 1;
	char *copy = r->names;

	if (len == 0)
		return NULL;
	memcpy(copy, name, len);
	copy[len] = '\0';
	r->names += len + 1;
	return copy;
}

/* NAME is left alone.  What is left grows down from behind the entries: each
 * name becomes one or the other. */
static void
leave(struct reading *r, const char *name, size_t len, enum item_type type,
    uint32_t mode)
{
	struct scan_batch *b = r->batch;

	b->left--;
	b->left_n++;
	*b->left = (struct scan_entry){
	    .name = keep_name(r, name),
	    .name_len = len,
	    .st = {.type = type, .mode = mode & S_IFMT},
	};
}

/* What can be decided before the stat.  True: NAME is done with. */
static bool
decided_by_type(
    struct reading *r, const char *name, size_t len, unsigned char type)
{
	enum scan_links links = r->w->scan->options.links;
	const char *prefix = r->w->scan->options.skip_prefix;

	if (prefix != NULL && scandir_is_temporary(name, prefix)) {
		if (passes(r, name, len, type == DT_DIR))
			leave(r, name, len,
			    type == DT_DIR ? ITEM_DIR : ITEM_FILE, 0);
		else
			excluded(r, name, len);
		return true;
	}
	if (type == DT_UNKNOWN ||
	    (type == DT_LNK && links == SCAN_LINKS_FOLLOW))
		return false;
	if (!passes(r, name, len, type == DT_DIR)) {
		excluded(r, name, len);
		return true;
	}
	if (type == DT_LNK && links == SCAN_LINKS_SKIP) {
		leave(r, name, len, ITEM_SYMLINK, S_IFLNK);
		return true;
	}
	if (type != DT_REG && type != DT_DIR && type != DT_LNK) {
		leave(r, name, len, ITEM_SPECIAL, DTTOIF((uint32_t)type));
		return true;
	}
	return false;
}

static bool
stat_entry(struct reading *r, size_t i, struct item_stat *out)
{
	const struct scandir *d = &r->w->dir;

	if (!d->has_stats)
		return stat_local(r, scandir_name(d, i), out);
	*out = scandir_stat(d, i);
	return true;
}

/* Where NAME is, if the scan is limited to some paths. */
enum place {
	PLACE_OUTSIDE,
	PLACE_ABOVE, /* what is wanted may be below it */
	PLACE_INSIDE,
};

static enum place
place_of(struct reading *r, const char *name, size_t len)
{
	const struct pathset *only = r->w->scan->options.only;
	char *path = r->w->path;

	if (only == NULL)
		return PLACE_INSIDE;
	memcpy(path + r->prefix_len, name, len + 1);
	if (pathset_has(only, path, r->prefix_len + len))
		return PLACE_INSIDE;
	return pathset_leads(only, path, r->prefix_len + len) ? PLACE_ABOVE
							      : PLACE_OUTSIDE;
}

/* Takes name number I into the batch.  False: out of memory. */
static bool
take_name(struct reading *r, size_t i)
{
	const struct scan_options *o = &r->w->scan->options;
	const char *name = scandir_name(&r->w->dir, i);
	unsigned char type = scandir_type(&r->w->dir, i);
	struct scan_batch *b = r->batch;
	struct scan_entry *entry = &b->entries[b->n];
	struct item_stat *st = &entry->st;
	bool was_dir = type == DT_DIR;
	size_t len = strlen(name);
	enum place place = place_of(r, name, len);

	if (place == PLACE_OUTSIDE)
		return true;
	if (!r->w->named)
		saw(r, name, len, false);
	if (decided_by_type(r, name, len, type) || !stat_entry(r, i, st))
		return true;
	saw(r, name, len, false);
	/* The filter asks again where the type was not known or moved on. */
	if ((type == DT_UNKNOWN || type == DT_LNK ||
		was_dir != (st->type == ITEM_DIR)) &&
	    !passes(r, name, len, st->type == ITEM_DIR)) {
		excluded(r, name, len);
		return true;
	}
	if (st->type == ITEM_SPECIAL ||
	    (st->type == ITEM_SYMLINK && o->links == SCAN_LINKS_SKIP)) {
		leave(r, name, len, st->type, st->mode);
		return true;
	}
	if (st->type == ITEM_DIR && o->links == SCAN_LINKS_FOLLOW &&
	    scannode_is_loop(r->node, st)) {
		struct err e = ERR_INIT;

		err_set(&e, ERR_UNSUPPORTED,
		    "symbolic link to a directory that it is in");
		unreadable(r, name, &e);
		return true;
	}
	entry->name = keep_name(r, name);
	entry->name_len = len;
	entry->not_walked = false;
	if (st->type == ITEM_DIR && !add_child(r, entry))
		return false;
	if (place == PLACE_INSIDE || (o->with_parents && st->type == ITEM_DIR))
		b->n++;
	return true;
}

/* Delivers names FROM to TO of the directory.  False: out of memory. */
static bool
deliver_stretch(struct reading *r, size_t from, size_t to, size_t name_bytes,
    const struct err *error)
{
	const struct scandir *d = &r->w->dir;
	struct scan_batch *b = batch_new(r, to - from, name_bytes);
	size_t i;

	if (b == NULL)
		return false;
	r->batch = b;
	r->names = b->dir + r->dir_len + 1;
	if (from > 0)
		b->after = keep_name(r, scandir_name(d, from - 1));
	else if (r->w->named && d->n > 0)
		b->after = keep_beginning(r, scandir_name(d, 0));
	if (to < d->n || (r->w->named && d->n > 0))
		b->upto = keep_name(r, scandir_name(d, to - 1));
	else if (r->w->named)
		b->upto = keep_name(r, "");
	r->children = NULL;
	b->first = from == 0;
	b->last = to == d->n;
	if (b->last && error != NULL)
		b->error = *error;
	if (b->first) {
		b->troubles = r->w->refused;
		r->w->refused = NULL;
		while (*b->troubles_end != NULL)
			b->troubles_end = &(*b->troubles_end)->next;
	}
	for (i = from; i < to && !atomic_load(&r->w->scan->stop); i++)
		if (!take_name(r, i))
			break;
	scan_push(r->w->scan, r->children);
	if (i < to && !atomic_load(&r->w->scan->stop)) {
		scan_batch_free(b);
		return false;
	}
	/* A stretch that was cut short by a stop doesn't end the directory. */
	if (i < to)
		b->last = false;
	scan_deliver(r->w->scan, b);
	return true;
}

bool
scan_deliver_dir(
    struct walker *w, struct scannode *node, int fd, const struct err *error)
{
	struct reading r = {
	    .w = w,
	    .node = node,
	    .fd = fd,
	    .dir_len = node->path_len,
	    .prefix_len = node->path_len,
	};
	const struct scandir *d = &w->dir;
	size_t from = 0;

	if (node->path_len > 0)
		w->path[r.prefix_len++] = '/';
	do {
		size_t to = from, bytes = 2 * (d->longest + 1);

		for (; to < d->n && to - from < SCAN_BATCH_MAX; to++)
			bytes += strlen(scandir_name(d, to)) + 1;
		if (!deliver_stretch(&r, from, to, bytes, error))
			return false;
		from = to;
	} while (from < d->n && !atomic_load(&w->scan->stop));
	return true;
}
