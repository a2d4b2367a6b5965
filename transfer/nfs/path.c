/* SPDX-License-Identifier: ISC */
/*
 * From keys to handles.  Each component is looked up in the handle of the
 * directory before it and must be a directory itself, so there is no way for a
 * symbolic link to lead elsewhere, whenever it is put there.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/nfs/internal.h"

/* Others may move a directory while we hold its handle: this long. */
#define DIR_AGE_MS 1000

bool
nfs_is_name(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void
nfs_file_forget(struct session *base)
{
	struct nfs_session *c = nfs_session_of(base);

	free(c->file_path);
	c->file_path = NULL;
}

bool
nfs_file_known(struct session *base, const char *path, struct nfs_fh *out)
{
	struct nfs_session *c = nfs_session_of(base);

	if (c->file_path == NULL || strcmp(c->file_path, path) != 0)
		return false;
	*out = c->file;
	return true;
}

void
nfs_file_remember(
    struct session *base, const char *path, const struct nfs_fh *fh)
{
	struct nfs_session *c = nfs_session_of(base);

	nfs_file_forget(base);
	c->file_path = strdup(path); /* NULL: then it isn't kept */
	c->file = *fh;
}

static void
forget_dirs(struct nfs_session *c)
{
	size_t i;

	for (i = 0; i < NFS_DIRS; i++) {
		free(c->dirs[i].path);
		c->dirs[i].path = NULL;
	}
}

static void
forget_all(struct session *base, struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);

	forget_dirs(c);
	nfs_file_forget(base);
	c->mount.len = 0;
	c->root.len = 0;
	*e = (struct err)ERR_INIT;
}

bool
nfs_forget_stale(struct session *c, struct err *e)
{
	if (e->sys != ESTALE)
		return false;
	forget_all(c, e);
	return true;
}

bool
nfs_forget_gone(struct session *c, struct err *e)
{
	if (e->sys != ESTALE && e->sys != ENOENT)
		return false;
	forget_all(c, e);
	return true;
}

int
nfs_tools(struct session *base, struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);

	if (c->io == NULL)
		c->io = malloc(NFS_IO_SIZE);
	if (c->io == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (c->digester == NULL)
		c->digester = digester_new(e);
	return c->digester != NULL ? 0 : -1;
}

static struct nfs_dir *
slot_of(struct nfs_session *c, const char *path, size_t len)
{
	return &c->dirs[crc64nvme(1, path, len) % NFS_DIRS];
}

static const struct nfs_dir *
recall(struct nfs_session *c, const char *path, size_t len)
{
	const struct nfs_dir *d = slot_of(c, path, len);

	if (d->path == NULL || strncmp(d->path, path, len) != 0 ||
	    d->path[len] != '\0' || clock_mono_ms() - d->since_ms > DIR_AGE_MS)
		return NULL;
	return d;
}

static void
remember(struct nfs_session *c, const char *path, size_t len,
    const struct nfs_fh *fh, uint64_t since_ms)
{
	struct nfs_dir *d = slot_of(c, path, len);

	free(d->path);
	d->path = strndup(path, len);
	d->fh = *fh;
	d->since_ms = since_ms;
}

static int
in_the_way(const char *path, size_t len, enum item_type type, struct err *e)
{
	char shown[300];

	return err_set(e, ERR_EXISTS,
	    "%s is a %s where a directory is needed: move it away, or exclude "
	    "what goes there",
	    text_escaped(path, len, shown, sizeof(shown)),
	    type == ITEM_SYMLINK ? "symbolic link" : "file");
}

/* The directory NAME in DIR; PATH (LEN bytes) is how people know it. */
static int
step(struct nfs_session *c, const struct nfs_fh *dir, const char *name,
    bool make, const char *path, size_t len, struct nfs_fh *out, struct err *e)
{
	struct item_stat st;
	struct nfs_fh fh;
	int rc = nfs_wire_lookup(c->wire, dir, name, &fh, &st, e);

	if (rc == -1 && e->kind == ERR_NOTFOUND && make) {
		rc = nfs_wire_mkdir(c->wire, dir, name, 0755, &fh, &st, e);
		if (rc == -1 && e->kind == ERR_EXISTS) /* another was faster */
			rc = nfs_wire_lookup(c->wire, dir, name, &fh, &st, e);
	}
	if (rc == -1)
		return -1;
	if (st.type != ITEM_DIR)
		return in_the_way(path, len, st.type, e);
	*out = fh;
	return 0;
}

/*
 * Walks PATH, LEN bytes of which FROM are behind; FH is where that leads.
 * Unless SINCE_MS is 0 the handles on the way are remembered by their paths, as
 * found then.
 */
static int
walk(struct nfs_session *c, const char *path, size_t from, size_t len,
    bool make, uint64_t since_ms, struct nfs_fh *fh, struct err *e)
{
	AUTO(free) char *name = malloc(len + 1);
	size_t at = from, n;

	if (name == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (at < len) {
		while (at < len && path[at] == '/')
			at++;
		for (n = 0; at + n < len && path[at + n] != '/'; n++)
			name[n] = path[at + n];
		name[n] = '\0';
		if (n == 0)
			break;
		if (!nfs_is_name(name))
			return err_set(e, ERR_NAME, "\"%s\" in a path", name);
		at += n;
		if (step(c, fh, name, make, path, at, fh, e) == -1)
			return -1;
		if (since_ms != 0)
			remember(c, path, at, fh, since_ms);
	}
	return 0;
}

/* No directory of the path is exported (WHY, of all of it): say what is. */
static int
not_exported(struct nfs_session *c, const struct nfs_store *s,
    const struct err *why, struct err *e)
{
	char exports[200];

	nfs_wire_exports(c->wire, exports, sizeof(exports));
	if (exports[0] != '\0')
		return err_set(e, ERR_CONFIG,
		    "%s can't be mounted (%.100s): the server exports %s",
		    s->path, why->msg, exports);
	return err_set(e, why->kind == ERR_DENIED ? ERR_DENIED : ERR_CONFIG,
	    "%s can't be mounted: %.200s", s->path, why->msg);
}

/* LEN bytes of the store's path. */
static int
mount_at(struct nfs_session *c, struct nfs_store *s, size_t len, struct err *e)
{
	AUTO(free) char *path = strndup(s->path, len);

	if (path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (nfs_wire_mount(c->wire, path, &c->mount, e) == -1) {
		c->mount.len = 0;
		return -1;
	}
	atomic_store(&s->mount_len, len);
	return 0;
}

/*
 * Where the export ends and the path within it begins isn't seen in a URL:
 * all of it is tried, then the directories above.
 */
static int
mount_some(struct nfs_session *c, struct nfs_store *s, struct err *e)
{
	size_t len = atomic_load(&s->mount_len);
	struct err first;

	if (len != 0)
		return mount_at(c, s, len, e);
	len = strlen(s->path);
	if (mount_at(c, s, len, e) == 0)
		return 0;
	first = *e;
	while (len > 1 &&
	    (e->kind == ERR_NOTFOUND || e->kind == ERR_DENIED ||
		e->kind == ERR_SYS)) {
		while (len > 1 && s->path[len - 1] != '/')
			len--;
		len = len > 1 ? len - 1 : 1;
		if (mount_at(c, s, len, e) == 0)
			return 0;
	}
	if (e->kind == ERR_NET || e->kind == ERR_STOPPED ||
	    e->kind == ERR_NOMEM)
		return -1;
	return not_exported(c, s, &first, e);
}

int
nfs_reach(struct session *base, bool make, struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);
	struct nfs_store *s = nfs_store_of(base);
	struct nfs_fh fh;

	if (c->mount.len == 0 && mount_some(c, s, e) == -1)
		return -1;
	if (nfs_wire_connect(c->wire, &c->mount, e) == -1)
		return -1;
	if (c->root.len != 0)
		return 0;
	fh = c->mount;
	if (walk(c, s->path, atomic_load(&s->mount_len), strlen(s->path), make,
		0, &fh, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			return err_set(e, ERR_NOTFOUND,
			    "no directory %s at the server", s->path);
		return -1;
	}
	c->root = fh;
	return 0;
}

static int
dir_once(struct session *base, const char *path, size_t len, bool make,
    struct nfs_fh *out, struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);
	const struct nfs_dir *d = NULL;
	size_t known = len;

	if (nfs_reach(base, false, e) == -1)
		return -1;
	/* The longest beginning that is known. */
	while (known > 0 && (d = recall(c, path, known)) == NULL) {
		while (known > 0 && path[known - 1] != '/')
			known--;
		if (known > 0)
			known--;
	}
	*out = d != NULL ? d->fh : c->root;
	return walk(c, path, known, len, make,
	    d != NULL ? d->since_ms : clock_mono_ms(), out, e);
}

int
nfs_dir(struct session *c, const char *path, size_t len, bool make,
    struct nfs_fh *out, struct err *e)
{
	struct nfs_fh fh;

	if (NFS_TWICE(c, e, dir_once(c, path, len, make, &fh, e)) == -1)
		return -1;
	*out = fh;
	return 0;
}

int
nfs_parent(struct session *c, const char *key, bool make, struct nfs_place *out,
    struct err *e)
{
	size_t len = strlen(key), n;
	const char *last;

	if (len > 0 && key[len - 1] == '/')
		len--;
	for (n = len; n > 0 && key[n - 1] != '/'; n--)
		;
	last = key + n;
	len -= n;
	if (len >= sizeof(out->name))
		return err_set(e, ERR_NAME, "a name of %zu bytes", len);
	memcpy(out->name, last, len);
	out->name[len] = '\0';
	out->key = key;
	if (!nfs_is_name(out->name))
		return err_set(e, ERR_NAME, "not a name for an item");
	return nfs_dir(c, key, n > 0 ? n - 1 : 0, make, &out->dir, e);
}

static int
find_once(struct session *c, const char *key, struct nfs_fh *fh,
    struct item_stat *st, struct err *e)
{
	struct nfs_place p;

	if (key[0] == '\0') {
		if (nfs_dir(c, "", 0, false, fh, e) == -1)
			return -1;
		return nfs_wire_getattr(nfs_session_of(c)->wire, fh, st, e);
	}
	if (nfs_parent(c, key, false, &p, e) == -1) {
		/* Behind a file or a link there is nothing. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_NOTFOUND;
		return -1;
	}
	return nfs_wire_lookup(
	    nfs_session_of(c)->wire, &p.dir, p.name, fh, st, e);
}

int
nfs_find(struct session *c, const char *key, struct nfs_fh *fh,
    struct item_stat *st, struct err *e)
{
	return NFS_TWICE(c, e, find_once(c, key, fh, st, e));
}
