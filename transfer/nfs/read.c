/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/nfs/internal.h"

/* Names of one directory: what a hostile server can make us hold. */
#define NAMES_MAX ((size_t)2 << 30)

static struct store_stat
store_stat_of(const struct item_stat *st)
{
	return (struct store_stat){
	    .type = st->type,
	    .size = st->size,
	    .has_source_mtime = true,
	    .mtime_ns = st->mtime_ns,
	    .mode = st->mode,
	    .uid = st->uid,
	    .gid = st->gid,
	    .has_owner = true,
	    .ino = st->ino,
	    .ctime_ns = st->ctime_ns,
	    .nlink = st->nlink,
	};
}

/* ST as list() gives it. */
static struct item_stat
state_of(const struct item_stat *st)
{
	struct store_stat listed = store_stat_of(st);

	return item_of_listed(&listed);
}

int
nfs_stat_key(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	size_t len = strlen(key);
	struct item_stat st;
	struct nfs_fh fh;

	if (nfs_find(c, key, &fh, &st, e) == -1)
		return -1;
	if (len > 0 && key[len - 1] == '/' && st.type != ITEM_DIR)
		return err_set(e, ERR_NOTFOUND, "no such directory");
	*out = store_stat_of(&st);
	return 0;
}

static int
readlink_once(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e)
{
	struct item_stat now;
	struct nfs_fh fh;

	if (nfs_find(c, key, &fh, &now, e) == -1)
		return -1;
	if (now.type != ITEM_SYMLINK)
		return err_set(e, ERR_CHANGED, "is no symlink any more");
	if (nfs_wire_readlink(
		nfs_session_of(c)->wire, &fh, out, size, len, e) == -1)
		return -1;
	*st = state_of(&now);
	return 0;
}

int
nfs_readlink_key(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e)
{
	if (NFS_TWICE(c, e, readlink_once(c, key, st, out, size, len, e)) == 0)
		return 0;
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_VANISHED;
	return -1;
}

/* A symlink's bytes are its target, as in every store. */
static int
read_link(struct session *c, const struct nfs_fh *fh, uint64_t offset,
    void *data, size_t len, struct err *e)
{
	char target[PATH_MAX];
	size_t n;

	if (nfs_wire_readlink(nfs_session_of(c)->wire, fh, target,
		sizeof(target), &n, e) == -1)
		return -1;
	if (offset > n || len > n - offset)
		return err_set(e, ERR_MISMATCH, "ends too early");
	memcpy(data, target + offset, len);
	return 0;
}

static int
read_once(struct session *base, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);
	struct item_stat st;
	struct nfs_fh fh;

	if (nfs_reach(base, false, e) == -1)
		return -1;
	/* Piece after piece, the first one looks for it. */
	if (offset == 0 || offset != c->file_next ||
	    !nfs_file_known(base, key, &fh)) {
		nfs_file_forget(base);
		if (nfs_find(base, key, &fh, &st, e) == -1)
			return -1;
		if (st.type == ITEM_SYMLINK)
			return read_link(base, &fh, offset, data, len, e);
		if (st.type != ITEM_FILE)
			return err_set(e, ERR_MISMATCH, "not a regular file");
		nfs_file_remember(base, key, &fh);
	}
	if (nfs_wire_read(c->wire, &fh, offset, data, len, NULL, e) == -1)
		return -1;
	c->file_next = offset + len;
	return 0;
}

int
nfs_read_key(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	return NFS_TWICE(c, e, read_once(c, key, offset, data, len, e));
}

struct nfs_file {
	struct store_file base;
	struct nfs_fh fh;
	char key[];
};

static int
source_error(struct err *e)
{
	if (e->kind == ERR_NOTFOUND)
		return err_set(e, ERR_VANISHED, "vanished before it was read");
	return -1;
}

struct store_file *
nfs_open_file(struct session *c, const char *key, uint64_t size, struct err *e)
{
	size_t n = strlen(key) + 1;
	AUTO(free) struct nfs_file *f = calloc(1, sizeof(*f) + n);

	(void)size;
	if (f == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memcpy(f->key, key, n);
	f->base.session = c;
	if (nfs_find(c, key, &f->fh, &f->base.meta, e) == -1) {
		source_error(e);
		return NULL;
	}
	if (f->base.meta.type != ITEM_FILE) {
		err_set(e, ERR_CHANGED, "is another kind of file now");
		return NULL;
	}
	f->base.state = state_of(&f->base.meta);
	f->base.meta.has_atime = nfs_store_of(c)->keep_atimes;
	return &TAKE(f)->base;
}

static int
check_state(
    const struct nfs_file *f, const struct item_stat *now, struct err *e)
{
	struct item_stat state = state_of(now);

	if (!item_same(&state, &f->base.state))
		return err_set(e, ERR_CHANGED, "changed while it was read");
	return 0;
}

/* The handle isn't known any more: the path may still lead to the same file. */
static int
open_again(struct nfs_file *f, struct err *e)
{
	struct item_stat now;

	if (!nfs_forget_stale(f->base.session, e))
		return -1;
	if (nfs_find(f->base.session, f->key, &f->fh, &now, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			return err_set(
			    e, ERR_CHANGED, "changed while it was read");
		return -1;
	}
	return check_state(f, &now, e);
}

static int
read_file_once(
    struct nfs_file *f, uint64_t offset, void *data, size_t len, struct err *e)
{
	if (nfs_reach(f->base.session, false, e) == -1)
		return -1;
	if (nfs_wire_read(nfs_session_of(f->base.session)->wire, &f->fh, offset,
		data, len, &f->base.state, e) == 0)
		return 0;
	if (e->kind == ERR_MISMATCH)
		e->kind = ERR_CHANGED;
	return -1;
}

int
nfs_read_file(struct store_file *file, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	struct nfs_file *f = (struct nfs_file *)(void *)file;

	if (read_file_once(f, offset, data, len, e) == 0)
		return 0;
	return open_again(f, e) == 0 ? read_file_once(f, offset, data, len, e)
				     : -1;
}

static int
check_once(struct nfs_file *f, struct err *e)
{
	struct item_stat now;

	if (nfs_reach(f->base.session, false, e) == -1 ||
	    nfs_wire_getattr(
		nfs_session_of(f->base.session)->wire, &f->fh, &now, e) == -1)
		return -1;
	return check_state(f, &now, e);
}

int
nfs_check_file(struct store_file *file, struct err *e)
{
	struct nfs_file *f = (struct nfs_file *)(void *)file;

	return check_once(f, e) == 0 ? 0 : open_again(f, e);
}

void
nfs_close_file(struct store_file *f)
{
	if (f != NULL)
		attrs_free(f->attrs);
	free(f);
}

/* Listing */

void
nfs_names_free(struct nfs_names *n)
{
	buf_free(&n->names);
	free(n->entries);
	n->entries = NULL;
	n->n = n->cap = 0;
}

struct filling {
	struct nfs_names *out;
	bool temporary; /* names of the owner's are wanted */
	uint32_t owner;
};

static int
take_entry(void *arg, const char *name, const struct item_stat *st,
    const struct nfs_fh *fh, struct err *e)
{
	struct filling *f = arg;
	struct nfs_names *out = f->out;
	size_t len = strlen(name);
	struct nfs_entry *x;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    temp_is_nameless(name) ||
	    (temp_is_name(name, len) &&
		!(f->temporary && temp_is_of(f->owner, name, len))))
		return 0;
	if (out->n == out->cap) {
		size_t cap = out->cap > 0 ? 2 * out->cap : 64;

		x = realloc(out->entries, cap * sizeof(*x));
		if (x == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		out->entries = x;
		out->cap = cap;
	}
	x = &out->entries[out->n];
	x->name = out->names.len;
	x->has_st = st != NULL;
	if (st != NULL)
		x->st = *st;
	x->fh.len = 0;
	if (fh != NULL)
		x->fh = *fh;
	buf_add(&out->names, name, len + 1);
	if (buf_failed(&out->names))
		return err_set(e, ERR_NOMEM, "out of memory for a directory");
	out->n++;
	return 0;
}

static int
by_name(const void *a, const void *b, void *names)
{
	const struct nfs_entry *x = a, *y = b;

	return strcmp((char *)names + x->name, (char *)names + y->name);
}

/* A server may tell a name twice when the directory changes meanwhile. */
static void
sort(struct nfs_names *d)
{
	size_t i, n = 0;

	if (d->n == 0)
		return;
	qsort_r(d->entries, d->n, sizeof(*d->entries), by_name, d->names.data);
	for (i = 0; i < d->n; i++)
		if (i == 0 ||
		    by_name(
			&d->entries[i], &d->entries[n - 1], d->names.data) != 0)
			d->entries[n++] = d->entries[i];
	d->n = n;
}

int
nfs_read_dir(struct session *c, const struct nfs_fh *dir, struct nfs_names *out,
    struct err *e)
{
	struct filling f = {
	    .out = out,
	    .temporary = c->tells_leftovers,
	    .owner = nfs_store_of(c)->owner,
	};
	int tries;

	for (tries = 0; tries < 5; tries++) {
		struct nfs_cookie cookie = {.at = 0};
		int rc = 0;

		nfs_names_free(out);
		buf_init(&out->names, NAMES_MAX);
		while (rc == 0 && !cookie.end)
			rc = nfs_wire_list(nfs_session_of(c)->wire, dir,
			    &cookie, take_entry, &f, e);
		if (rc == 0) {
			sort(out);
			return 0;
		}
		/* It changed so that the server can't go on from there. */
		if (e->sys != EAGAIN)
			return -1;
	}
	return -1;
}

/* A directory that waits to be listed. */
struct pending {
	struct pending *next;
	struct nfs_fh fh; /* len 0: to be looked up */
	char path[];
};

struct listing {
	struct session *c;
	bool recursive;
	store_list_fn *fn;
	void *arg;
	struct pending *stack;
};

static int
push(struct listing *l, const char *path, size_t len, const struct nfs_fh *fh,
    struct err *e)
{
	struct pending *p = malloc(sizeof(*p) + len + 1);

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(p->path, path, len + 1);
	p->fh = *fh;
	p->next = l->stack;
	l->stack = p;
	return 0;
}

/* Passes on X of DIR, whose path is in KEY. */
static int
list_entry(struct listing *l, const struct nfs_fh *dir, const char *name,
    struct nfs_entry *x, const struct buf *key, struct err *e)
{
	struct store_list_entry entry = {
	    .key = key->data,
	    .key_len = key->len,
	    .leftover = temp_is_name(name, strlen(name)),
	};

	/* A name with a slash in it, or none: the engine says so of a source;
	 * nothing of ours has it at a target. */
	if (!nfs_is_name(name)) {
		entry.st.type = ITEM_FILE;
		return l->recursive ? 0 : l->fn(l->arg, &entry, e);
	}
	if (!x->has_st &&
	    nfs_wire_lookup(nfs_session_of(l->c)->wire, dir, name, &x->fh,
		&x->st, e) == -1) {
		if (e->kind != ERR_NOTFOUND)
			return err_context(e, "%s", name);
		*e = (struct err)ERR_INIT;
		return 0;
	}
	if (x->st.type == ITEM_SPECIAL && l->recursive)
		return 0;
	entry.st = store_stat_of(&x->st);
	if (l->fn(l->arg, &entry, e) == -1)
		return -1;
	if (x->st.type == ITEM_DIR && l->recursive && !entry.leftover)
		return push(l, key->data, key->len, &x->fh, e);
	return 0;
}

static int
read_dir_once(
    struct session *c, struct pending *p, struct nfs_names *out, struct err *e)
{
	if (nfs_reach(c, false, e) == -1)
		return -1;
	if (p->fh.len == 0 &&
	    nfs_dir(c, p->path, strlen(p->path), false, &p->fh, e) == -1)
		return -1;
	if (nfs_read_dir(c, &p->fh, out, e) == 0)
		return 0;
	if (e->sys == ESTALE)
		p->fh.len = 0;
	return -1;
}

static int
list_dir(struct listing *l, struct pending *p, struct err *e)
{
	AUTO(nfs_names) struct nfs_names d = {.n = 0};
	AUTO(buf) struct buf key = BUF_INIT(NFS_PATH_MAX);
	const atomic_bool *stop = nfs_store_of(l->c)->config.stop;
	size_t i, prefix;

	if (NFS_TWICE(l->c, e, read_dir_once(l->c, p, &d, e)) == -1) {
		if (p->path[0] == '\0')
			return -1;
		/* gone meanwhile, or no longer a directory */
		if (e->kind != ERR_NOTFOUND && e->kind != ERR_EXISTS &&
		    e->sys != ENOTDIR && e->sys != ESTALE)
			return err_context(e, "%s", p->path);
		if (!l->recursive)
			return err_set(e, ERR_NOTFOUND, "no such directory");
		*e = (struct err)ERR_INIT;
		return 0;
	}
	buf_adds(&key, p->path);
	if (key.len > 0)
		buf_addc(&key, '/');
	prefix = key.len;
	for (i = 0; i < d.n; i++) {
		const char *name = d.names.data + d.entries[i].name;

		if (stop != NULL && atomic_load(stop))
			return err_set(e, ERR_STOPPED, "stopped");
		key.len = prefix;
		buf_adds(&key, name);
		if (buf_failed(&key))
			return err_set(e, ERR_NAME,
			    "%.60s...: a path of over %zu bytes", p->path,
			    NFS_PATH_MAX);
		if (list_entry(l, &p->fh, name, &d.entries[i], &key, e) == -1)
			return -1;
	}
	return 0;
}

int
nfs_list(struct session *c, const char *dir, bool recursive, store_list_fn *fn,
    void *arg, struct err *e)
{
	struct listing l = {
	    .c = c,
	    .recursive = recursive,
	    .fn = fn,
	    .arg = arg,
	};
	struct nfs_fh none = {.len = 0};
	int rc = push(&l, dir, strlen(dir), &none, e);

	while (l.stack != NULL) {
		struct pending *p = l.stack;

		l.stack = p->next;
		if (rc == 0)
			rc = list_dir(&l, p, e);
		free(p);
	}
	return rc;
}
