/* SPDX-License-Identifier: ISC */
/* Walkers: which directory is next, and its names. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "transfer/beneath.h"
#include "transfer/scan_in.h"
#include "transfer/scanlist.h"

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

void
scan_deliver(struct scan *s, struct scan_batch *b)
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
		scan_deliver(w->scan, b);
	}
	scan_stop(w->scan);
}

void
scan_push(struct scan *s, struct scannode *newest)
{
	struct scannode *oldest = newest;
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
static struct scannode *
pop(struct scan *s)
{
	struct scannode *n = NULL;

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
		scandir_named(
		    &w->dir, *fd, only, w->path, strlen(w->path), NULL, e);
		return;
	}
	if (*fd != -1) {
		scandir_read(&w->dir, *fd, NULL, &s->stop, e);
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
		scan_troubles_free(w->refused);
		w->refused = NULL;
		return;
	}
	t = scan_trouble_new(name, len, why);
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
read_node(struct walker *w, struct scannode *node)
{
	struct scan *s = w->scan;
	AUTO(close) int fd = -1;
	struct err e = ERR_INIT;

	if (!path_room(w, node->path_len + 1))
		return false;
	scannode_path(node, w->path);
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
	return scan_deliver_dir(w, node, fd, e.kind != ERR_NONE ? &e : NULL);
}

static void *
walk(void *arg)
{
	struct walker *w = arg;
	struct scan *s = w->scan;
	struct scannode *n;
	bool last;

	while ((n = pop(s)) != NULL) {
		if (!read_node(w, n))
			out_of_memory(w);
		scannode_release(n);
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
		scan_troubles_free(w->refused);
		free(w->spare);
		free(w->path);
	}
	while (s->stack != NULL) {
		struct scannode *n = s->stack;

		s->stack = n->next;
		scannode_release(n);
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
	s->stack = scannode_new(NULL, NULL);
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
