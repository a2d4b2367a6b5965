/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "transfer/beneath.h"
#include "transfer/scan.h"
#include "transfer/scandir.h"
#include "transfer/scanlist.h"

/*
 * A directory that is known.  It is kept while it or one below it waits to be
 * read; the path is spelled by going up, so that a million waiting siblings
 * share one copy of it.
 */
struct node {
	struct node *parent; /* NULL for the root */
	struct node *next;   /* in the stack of those that wait */
	uint64_t dev;
	uint64_t ino;
	atomic_uint refs; /* itself waiting or read, and its children */
	size_t path_len;
	size_t len;
	char name[];
};

struct scan {
	int root_fd;	     /* or -1, and */
	struct store *store; /* what is walked */
	struct scan_options options;
	scan_deliver_fn *deliver;
	void (*done)(void *arg);
	void *arg;
	uint64_t root_dev;
	atomic_bool stop;
	struct walker *walkers;
	unsigned n; /* of them; those in front have a thread */
	unsigned started;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct node *stack; /* last in, first out: the stack stays short */
	unsigned busy;	    /* walkers that may push more */
	unsigned alive;	    /* walkers; the last one says done */
};

/* What a walker owns. */
struct walker {
	struct scan *scan;
	pthread_t thread;
	struct session *session;      /* to the store, once there is one */
	struct scandir dir;	      /* the names of the directory it reads */
	bool named;		      /* these are only those asked for */
	struct scan_trouble *refused; /* entries of its listing */
	struct scan_batch *spare;     /* to report that memory ran out */
	char *path;		      /* of the directory, then of an item */
	size_t path_cap;
};

/* The directory that a walker reads. */
struct reading {
	struct walker *w;
	struct node *node;
	int fd;
	size_t dir_len;	   /* of the directory's path in w->path */
	size_t prefix_len; /* the same with the slash */
	struct scan_batch *batch;
	char *names;	       /* where the next name goes */
	struct node *children; /* found in this batch, last first */
};

static void
troubles_free(struct scan_trouble *t)
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
		troubles_free(b->troubles);
	free(b);
}

static struct node *
node_new(struct node *parent, const struct scan_entry *entry)
{
	size_t len = entry != NULL ? entry->name_len : 0;
	struct node *n = malloc(sizeof(*n) + len);

	if (n == NULL)
		return NULL;
	*n = (struct node){.parent = parent, .len = len};
	atomic_init(&n->refs, 1);
	if (parent == NULL)
		return n;
	n->dev = entry->st.dev;
	n->ino = entry->st.ino;
	n->path_len = parent->path_len + (parent->path_len > 0) + len;
	memcpy(n->name, entry->name, len);
	atomic_fetch_add_explicit(&parent->refs, 1, memory_order_relaxed);
	return n;
}

static void
node_release(struct node *n)
{
	while (n != NULL &&
	    atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) == 1) {
		struct node *parent = n->parent;

		free(n);
		n = parent;
	}
}

/* The whole path of N, which has path_len bytes, and a NUL. */
static void
node_path(const struct node *n, char *out)
{
	char *at = out + n->path_len;

	*at = '\0';
	for (; n->parent != NULL; n = n->parent) {
		at -= n->len;
		memcpy(at, n->name, n->len);
		if (at > out)
			*--at = '/';
	}
}

/* Room for N bytes of path. */
static bool
path_room(struct walker *w, size_t n)
{
	char *p;

	if (n <= w->path_cap)
		return true;
	p = realloc(w->path, n + 4096);
	if (p == NULL)
		return false;
	w->path = p;
	w->path_cap = n + 4096;
	return true;
}

static void
deliver(struct scan *s, struct scan_batch *b)
{
	if (!s->deliver(s->arg, b))
		scan_stop(s);
}

/* Silence would look like a directory that is empty. */
static void
out_of_memory(struct walker *w)
{
	struct scan_batch *b = w->spare;

	if (b != NULL) {
		w->spare = NULL;
		err_set(&b->error, ERR_NOMEM, "out of memory while scanning");
		deliver(w->scan, b);
	}
	scan_stop(w->scan);
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

static void
push_children(struct scan *s, struct node *newest)
{
	struct node *oldest = newest;
	unsigned n = 1;

	if (newest == NULL)
		return;
	for (; oldest->next != NULL; oldest = oldest->next)
		n++;
	pthread_mutex_lock(&s->lock);
	oldest->next = s->stack;
	s->stack = newest;
	if (n > 1)
		pthread_cond_broadcast(&s->work);
	else
		pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

/* The next directory, or NULL when there is none and will be none. */
static struct node *
pop(struct scan *s)
{
	struct node *n = NULL;

	pthread_mutex_lock(&s->lock);
	s->busy--;
	while (s->stack == NULL && s->busy > 0 && !atomic_load(&s->stop))
		pthread_cond_wait(&s->work, &s->lock);
	if (s->stack != NULL && !atomic_load(&s->stop)) {
		n = s->stack;
		s->stack = n->next;
		n->next = NULL;
		s->busy++;
	} else {
		pthread_cond_broadcast(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Whether ENTRY is N or a directory that N is in. */
static bool
is_loop(const struct node *n, const struct item_stat *st)
{
	for (; n != NULL; n = n->parent)
		if (n->ino == st->ino && n->dev == st->dev)
			return true;
	return false;
}

static struct scan_trouble *
trouble_new(const char *name, size_t len, const struct err *why)
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
	struct scan_trouble *t = trouble_new(name, strlen(name), why);

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
	struct node *n;

	entry->not_walked =
	    s->options.one_file_system && entry->st.dev != s->root_dev;
	if (entry->not_walked) {
		saw(r, entry->name, entry->name_len, true);
		return true;
	}
	n = node_new(r->node, entry);
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
	    is_loop(r->node, st)) {
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
	push_children(r->w->scan, r->children);
	if (i < to && !atomic_load(&r->w->scan->stop)) {
		scan_batch_free(b);
		return false;
	}
	/* A stretch that was cut short by a stop doesn't end the directory. */
	if (i < to)
		b->last = false;
	deliver(r->w->scan, b);
	return true;
}

/* All batches of the directory, of which the names were read. */
static bool
deliver_all(struct reading *r, const struct err *error)
{
	const struct scandir *d = &r->w->dir;
	size_t from = 0;

	do {
		size_t to = from, bytes = 2 * (d->longest + 1);

		for (; to < d->n && to - from < SCAN_BATCH_MAX; to++)
			bytes += strlen(scandir_name(d, to)) + 1;
		if (!deliver_stretch(r, from, to, bytes, error))
			return false;
		from = to;
	} while (from < d->n && !atomic_load(&r->w->scan->stop));
	return true;
}

/* Opens the directory at PATH, through symlinks, piece by piece. */
static int
open_following(int root_fd, char *path)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
	AUTO(close) int held = -1;
	int at = root_fd;

	while (strlen(path) >= PATH_MAX) {
		char *cut = memrchr(path, '/', PATH_MAX - 1);
		int fd;

		if (cut == NULL) {
			errno = ENAMETOOLONG;
			return -1;
		}
		*cut = '\0';
		fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		*cut = '/';
		if (fd == -1)
			return -1;
		if (held != -1)
			close(held);
		at = held = fd;
		path = cut + 1;
	}
	return openat(at, *path != '\0' ? path : ".", flags);
}

static int
open_dir(struct scan *s, char *path)
{
	if (s->options.links == SCAN_LINKS_FOLLOW)
		return open_following(s->root_fd, path);
	return beneath_open(s->root_fd, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
}

/* The names of the local directory at w->path; *FD is open then. */
static void
read_local(struct walker *w, int *fd, struct err *e)
{
	struct scan *s = w->scan;
	const struct pathset *only = s->options.only;

	/* What is asked for is looked up, however much else there is. */
	w->named = only != NULL && !pathset_has(only, w->path, strlen(w->path));
	*fd = open_dir(s, w->path);
	scandir_reset(&w->dir);
	if (*fd != -1 && w->named) {
		scandir_named(&w->dir, *fd, only, w->path, strlen(w->path),
		    s->options.skip_prefix, e);
		return;
	}
	if (*fd != -1) {
		scandir_read(&w->dir, *fd, s->options.skip_prefix, &s->stop, e);
		return;
	}
	err_sys(e, "open directory");
	/* It was there when its parent was read. */
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_VANISHED;
}

static void
refuse(void *arg, const char *name, size_t len, const struct err *why)
{
	struct walker *w = arg;
	struct scan_trouble *t;

	if (name == NULL) {
		troubles_free(w->refused);
		w->refused = NULL;
		return;
	}
	t = trouble_new(name, len, why);
	if (t == NULL) {
		out_of_memory(w);
		return;
	}
	t->next = w->refused;
	w->refused = t;
}

/* The names of the store's directory at w->path. */
static void
read_listing(struct walker *w, struct err *e)
{
	struct scan *s = w->scan;
	struct scanlist_options o = {
	    .skip_prefix = s->options.skip_prefix,
	    .retry = s->options.retry,
	    .stop = &s->stop,
	    .refuse = refuse,
	    .arg = w,
	};

	scandir_reset(&w->dir);
	if (w->session == NULL)
		w->session = store_connect(s->store, e);
	if (w->session == NULL)
		return;
	if (scanlist_read(&w->dir, w->session, w->path, &o, e) == 0)
		e->kind = ERR_NONE; /* whatever went wrong on the way */
	else if (e->kind == ERR_NOTFOUND && w->path[0] != '\0')
		e->kind = ERR_VANISHED;
}

/* Reads NODE's directory and delivers it.  False: out of memory. */
static bool
read_node(struct walker *w, struct node *node)
{
	struct scan *s = w->scan;
	struct reading r = {.w = w, .node = node, .dir_len = node->path_len};
	AUTO(close) int fd = -1;
	struct err e = ERR_INIT;

	if (!path_room(w, node->path_len + 1))
		return false;
	node_path(node, w->path);
	if (s->store != NULL)
		read_listing(w, &e);
	else
		read_local(w, &fd, &e);
	if (e.kind == ERR_NOMEM)
		return false;
	if (atomic_load(&s->stop))
		return true;
	/* That it couldn't be read is told; of what is in it nothing is known.
	 */
	if (s->options.only != NULL)
		pathset_saw(s->options.only, w->path, node->path_len,
		    e.kind != ERR_NONE && e.kind != ERR_VANISHED);
	if (!path_room(w, node->path_len + 1 + w->dir.longest + 1))
		return false;
	r.fd = fd;
	r.prefix_len = node->path_len;
	if (node->path_len > 0)
		w->path[r.prefix_len++] = '/';
	return deliver_all(&r, e.kind != ERR_NONE ? &e : NULL);
}

static void *
walk(void *arg)
{
	struct walker *w = arg;
	struct scan *s = w->scan;
	struct node *n;
	bool last;

	while ((n = pop(s)) != NULL) {
		if (!read_node(w, n))
			out_of_memory(w);
		node_release(n);
	}
	pthread_mutex_lock(&s->lock);
	last = --s->alive == 0;
	pthread_mutex_unlock(&s->lock);
	if (last && s->done != NULL)
		s->done(s->arg);
	return NULL;
}

static int
walker_init(struct walker *w, struct scan *s)
{
	w->scan = s;
	scandir_init(&w->dir);
	w->spare = calloc(1, sizeof(*w->spare) + 1);
	if (w->spare == NULL)
		return -1;
	w->spare->dir = (char *)(w->spare + 1);
	return 0;
}

static void
scan_free(struct scan *s)
{
	unsigned i;

	for (i = 0; s->walkers != NULL && i < s->n; i++) {
		struct walker *w = &s->walkers[i];

		store_disconnect(w->session);
		scandir_free(&w->dir);
		troubles_free(w->refused);
		free(w->spare);
		free(w->path);
	}
	while (s->stack != NULL) {
		struct node *n = s->stack;

		s->stack = n->next;
		node_release(n);
	}
	free(s->walkers);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct scan *
scan_new(int root_fd, const struct scan_options *options)
{
	struct scan *s = calloc(1, sizeof(*s));
	unsigned i;

	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	s->root_fd = root_fd;
	s->options = *options;
	if (options->filter != NULL && filter_is_empty(options->filter))
		s->options.filter = NULL;
	s->n = options->threads > 0 ? options->threads : 2;
	s->walkers = calloc(s->n, sizeof(s->walkers[0]));
	s->stack = node_new(NULL, NULL);
	if (s->walkers == NULL || s->stack == NULL) {
		scan_free(s);
		return NULL;
	}
	for (i = 0; i < s->n; i++) {
		if (walker_init(&s->walkers[i], s) == -1) {
			scan_free(s);
			return NULL;
		}
	}
	return s;
}

/* As many walkers as there can be; none is an error. */
static int
start_walkers(struct scan *s, struct err *e)
{
	unsigned i;
	int rc = 0;

	/* Under the lock, none of them can be the last one yet. */
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n && rc == 0; i++) {
		struct walker *w = &s->walkers[i];

		rc = pthread_create(&w->thread, NULL, walk, w);
		if (rc == 0)
			s->started++;
	}
	s->busy = s->alive = s->started;
	pthread_mutex_unlock(&s->lock);
	if (s->started > 0)
		return 0;
	errno = rc;
	return err_sys(e, "start a thread");
}

struct scan *
scan_start(int root_fd, struct store *store, const struct scan_options *options,
    scan_deliver_fn *fn, void (*done)(void *arg), void *arg, struct err *e)
{
	struct stat st = {0};
	struct scan *s;

	if (store == NULL && fstat(root_fd, &st) == -1) {
		err_sys(e, "stat");
		return NULL;
	}
	s = scan_new(root_fd, options);
	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->store = store;
	s->deliver = fn;
	s->done = done;
	s->arg = arg;
	s->root_dev = s->stack->dev = st.st_dev;
	s->stack->ino = st.st_ino;
	if (start_walkers(s, e) == -1) {
		scan_free(s);
		return NULL;
	}
	return s;
}

void
scan_stop(struct scan *s)
{
	atomic_store(&s->stop, true);
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
}

void
scan_join(struct scan *s)
{
	unsigned i;

	for (i = 0; i < s->started; i++)
		pthread_join(s->walkers[i].thread, NULL);
	scan_free(s);
}
