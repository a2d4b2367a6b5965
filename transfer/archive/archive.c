/* SPDX-License-Identifier: ISC */
/* An archive as a store. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/archive/internal.h"
#include "transfer/itemjson.h"

static void
close_store(struct store *store)
{
	struct archive_source *s = archive_of(store);

	bytes_free(&s->stream);
	pack_index_close(s->index);
	while (s->refused != NULL) {
		struct refused *r = s->refused;

		s->refused = r->next;
		free(r->why);
		free(r);
	}
	if (s->utf8 != (locale_t)0)
		freelocale(s->utf8);
	if (s->fd != -1)
		close(s->fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->moved);
	free(s->path);
	free(s);
}

static int
open_archive(struct archive_source *s, struct err *e)
{
	locale_t was;
	int rc;

	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->fd == -1 || fstat(s->fd, &s->is) == -1)
		return err_sys(e, "open");
	s->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	was = archive_locale_begin(s);
	rc = archive_look(s, e);
	archive_locale_end(was);
	return rc;
}

static struct store *
open_store(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct archive_source *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->path = strdup(url->path)) == NULL) {
		free(s);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->fd = -1;
	s->attrs = store_attrs_kinds(config);
	s->keep_atimes = config->keep_atimes;
	s->unsafe_links = config->unsafe_links;
	s->max_ratio = config->archive_max_ratio != 0
	    ? config->archive_max_ratio
	    : RATIO_MAX;
	s->max_items = config->archive_max_items != 0
	    ? config->archive_max_items
	    : ITEMS_MAX;
	s->stop = config->stop;
	s->limit = config->limit_local ? config->limit : NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	if (open_archive(s, e) == -1) {
		close_store(&s->base);
		return NULL;
	}
	s->base.ops =
	    s->kind == ARCHIVE_PLAIN ? &archive_driver : &archive_stream_driver;
	return &s->base;
}

static void
place(const struct store *s, char *out, size_t size)
{
	(void)s;
	(void)size;
	out[0] = '\0';
}

static void
limits(const struct store *s, struct plan_limits *out)
{
	(void)s;
	out->part_min_bytes = (uint64_t)64 << 10;
	out->part_max_bytes = (uint64_t)1 << 30;
	out->parts_max = 10000000;
	out->put_max_bytes = UINT64_MAX;
}

static unsigned
digests(const struct store *s)
{
	(void)s;
	return 0;
}

static void
set_checksum(struct store *s, unsigned algo)
{
	(void)s;
	(void)algo;
}

static int
check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	(void)s;
	(void)type;
	return itemjson_is_path(key, strlen(key))
	    ? 0
	    : err_set(e, ERR_NAME, "is no path of names");
}

static struct session *
connect_to(struct store *s, struct err *e)
{
	struct session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->store = s;
	return c;
}

static void
disconnect(struct session *c)
{
	free(c);
}

static int
probe(struct session *c, bool create, bool checksum, struct store_probe *out,
    struct err *e)
{
	struct archive_source *s = archive_of(c->store);

	(void)create;
	(void)checksum;
	if (archive_scan(s, e) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	snprintf(out->text, sizeof(out->text), "archive of %llu members",
	    (unsigned long long)s->items);
	return 0;
}

/* A file is told by its place among the members, and by the archive's ctime. */
static struct store_stat
stat_of(const struct archive_source *s, const struct pack_record *r)
{
	struct store_stat st = {
	    .type = r->st.type,
	    .size = r->st.size,
	    .has_source_mtime = r->st.mtime_ns != ITEM_TIME_UNKNOWN,
	    .mtime_ns = r->st.mtime_ns,
	    .mode = r->st.mode,
	    .uid = r->st.uid,
	    .gid = r->st.gid,
	    .has_owner = r->st.mode != 0,
	    .has_atime = r->st.has_atime,
	    .atime_ns = r->st.atime_ns,
	    .sparse = r->st.sparse,
	};

	if (r->st.type != ITEM_FILE)
		return st;
	st.ino = r->order;
	st.dev = (uint64_t)s->is.st_ino;
	st.ctime_ns = item_time_ns(s->is.st_ctim);
	st.nlink = r->st.nlink;
	return st;
}

static int
find(struct archive_source *s, const char *key, size_t n,
    struct pack_entry *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (archive_scan(s, e) == -1)
		return -1;
	rc = pack_index_find(s->index, key, n, out, e);
	if (rc == 1 && out->record.named) {
		pack_entry_clear(out);
		rc = 0;
	}
	return rc;
}

/*
 * Whose bytes M has: M becomes that record, under its own path.  Why that can't
 * be goes to M's refused.
 */
static int
follow(struct archive_source *s, struct pack_entry *m, struct err *e)
{
	struct pack_entry leader;
	int rc;

	if (m->record.refused != NULL || m->record.same_as == NULL)
		return 0;
	rc = find(s, m->record.same_as, m->record.same_as_len, &leader, e);
	if (rc == -1)
		return -1;
	if (rc == 0 || leader.record.st.type != ITEM_FILE ||
	    leader.record.same_as != NULL || leader.record.refused != NULL) {
		pack_entry_clear(&leader);
		m->record.refused = "is a hard link to what the archive "
				    "doesn't have, or what is refused itself";
		return 0;
	}
	pack_entry_clear(m);
	*m = leader;
	return 0;
}

struct listing {
	struct archive_source *source;
	struct session *session;
	store_list_fn *fn;
	void *arg;
	const char *below; /* with RECURSIVE: what it must lie in */
};

static int
tell_refused(const struct listing *l, const char *name, size_t len,
    const char *why, struct err *e)
{
	struct store_list_entry entry = {.key = name,
	    .key_len = len,
	    .st = {.type = ITEM_FILE},
	    .refused = why};

	return l->session->tells_refused ? l->fn(l->arg, &entry, e) : 0;
}

static int
tell(struct listing *l, const struct pack_record *r, struct err *e)
{
	struct store_list_entry entry = {
	    .key = r->path,
	    .key_len = r->path_len,
	};
	struct pack_entry own;
	struct store_stat st;
	int rc;

	if (r->same_as == NULL || r->refused != NULL) {
		entry.st = stat_of(l->source, r);
		return l->fn(l->arg, &entry, e);
	}
	rc = find(l->source, r->path, r->path_len, &own, e);
	if (rc != 1)
		return rc;
	rc = follow(l->source, &own, e);
	st = stat_of(l->source, &own.record);
	if (rc == 0 && own.record.refused != NULL)
		rc = tell_refused(
		    l, r->path, r->path_len, own.record.refused, e);
	else if (rc == 0) {
		entry.st = st;
		rc = l->fn(l->arg, &entry, e);
	}
	pack_entry_clear(&own);
	return rc;
}

static int
list_one(void *arg, const struct pack_record *r, struct err *e)
{
	struct listing *l = arg;
	size_t n = strlen(l->below);

	if (l->source->stop != NULL && atomic_load(l->source->stop))
		return err_set(e, ERR_STOPPED, "stopped");
	if (r->named ||
	    (n > 0 &&
		(r->path_len <= n || r->path[n] != '/' ||
		    memcmp(r->path, l->below, n) != 0)))
		return 0;
	if (r->refused != NULL &&
	    tell_refused(l, r->path, r->path_len, r->refused, e) == -1)
		return -1;
	return r->refused != NULL && r->st.type != ITEM_DIR ? 0 : tell(l, r, e);
}

/* What has no place in the tree. */
static int
list_refused(const struct listing *l, struct err *e)
{
	const struct archive_source *s = l->source;
	const char *name = strrchr(s->path, '/');
	const struct refused *r;
	char text[120];

	for (r = s->refused; r != NULL; r = r->next)
		if (tell_refused(l, r->name, r->len, r->why, e) == -1)
			return -1;
	if (s->refused_n <= REFUSED_MAX)
		return 0;
	snprintf(text, sizeof(text),
	    "%llu further members have names that lead out of the tree",
	    (unsigned long long)(s->refused_n - REFUSED_MAX));
	name = name != NULL ? name + 1 : s->path;
	return tell_refused(l, name, strlen(name), text, e);
}

static int
list(struct session *c, const char *dir, bool recursive, store_list_fn *fn,
    void *arg, struct err *e)
{
	struct archive_source *s = archive_of(c->store);
	struct listing l = {
	    .source = s,
	    .session = c,
	    .fn = fn,
	    .arg = arg,
	    .below = recursive ? dir : "",
	};

	if (archive_scan(s, e) == -1 ||
	    (*dir == '\0' && list_refused(&l, e) == -1))
		return -1;
	return recursive ? pack_index_each(s->index, list_one, &l, e)
			 : pack_index_list(s->index, dir, list_one, &l, e);
}

static int
stat_key(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	struct archive_source *s = archive_of(c->store);
	struct pack_record root = {.st = s->root};
	size_t n = strlen(key);
	struct pack_entry m;
	int rc;

	if (archive_scan(s, e) == -1)
		return -1;
	if (n == 0) {
		root.st = s->root;
		if (root.st.type == 0)
			root.st = (struct item_stat){
			    .type = ITEM_DIR, .mtime_ns = ITEM_TIME_UNKNOWN};
		*out = stat_of(s, &root);
		return 0;
	}
	rc = find(s, key, key[n - 1] == '/' ? n - 1 : n, &m, e);
	if (rc == 1 && follow(s, &m, e) == -1)
		rc = -1;
	if (rc == 0 || (rc == 1 && m.record.refused != NULL))
		rc = err_set(e, ERR_NOTFOUND, "the archive has no such member");
	if (rc == 1)
		*out = stat_of(s, &m.record);
	pack_entry_clear(&m);
	return rc == 1 ? 0 : -1;
}

/* The attributes of M, which loses them. */
static struct attrs *
take_attrs(struct pack_entry *m)
{
	struct attrs *a = TAKE(m->attrs);

	m->record.st.attrs = NULL;
	return a;
}

static int
fill(struct archive_source *s, struct archive_file *f, struct err *e)
{
	const struct pack_record *r = &f->entry.record;
	struct store_stat st;

	if (follow(s, &f->entry, e) == -1)
		return -1;
	if (r->refused != NULL)
		return err_set(e, ERR_UNSUPPORTED, "%s", r->refused);
	if (r->st.type != ITEM_FILE)
		return err_set(e, ERR_CHANGED, "is no file");
	st = stat_of(s, r);
	f->base.state = item_of_listed(&st);
	f->base.meta = f->base.state;
	f->base.meta.sparse = r->st.sparse;
	f->base.meta.has_atime = s->keep_atimes && r->st.has_atime;
	f->base.meta.atime_ns = r->st.atime_ns;
	f->base.attrs = take_attrs(&f->entry);
	f->base.meta.attrs = f->base.attrs;
	return 0;
}

static void
close_file(struct store_file *base)
{
	struct archive_file *f = (struct archive_file *)(void *)base;

	bytes_leave(archive_of(base->session->store), f);
	attrs_free(f->base.attrs);
	pack_entry_clear(&f->entry);
	free(f);
}

static struct store_file *
open_file(struct session *c, const char *key, uint64_t size, struct err *e)
{
	struct archive_source *s = archive_of(c->store);
	struct archive_file *f = calloc(1, sizeof(*f));
	int rc;

	(void)size;
	if (f == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->base.session = c;
	rc = find(s, key, strlen(key), &f->entry, e);
	if (rc == 0)
		err_set(e, ERR_VANISHED, "the archive has no such member");
	if (rc == 1 && fill(s, f, e) == 0)
		return &f->base;
	close_file(&f->base);
	return NULL;
}

/* A stretch of zeros, or of data, of the file from OFFSET on: how many bytes
 * it has, and where these are in what is stored. */
static size_t
stretch(const struct pack_record *r, uint64_t offset, size_t len,
    uint64_t *stored, bool *hole)
{
	uint64_t at = 0, end = r->st.size;
	size_t i;

	*hole = r->st.sparse;
	*stored = offset;
	for (i = 0; r->st.sparse && i < r->extents_n; i++) {
		const struct pack_extent *x = &r->extents[i];

		if (offset < x->offset) {
			end = x->offset;
			break;
		}
		if (offset < x->offset + x->length) {
			*hole = false;
			*stored = at + (offset - x->offset);
			end = x->offset + x->length;
			break;
		}
		at += x->length;
	}
	return len < end - offset ? len : (size_t)(end - offset);
}

static int
read_file(struct store_file *base, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	struct archive_file *f = (struct archive_file *)(void *)base;
	struct archive_source *s = archive_of(base->session->store);
	const struct pack_record *r = &f->entry.record;
	char *to = data;

	if (offset > r->st.size || len > r->st.size - offset)
		return err_set(e, ERR_CHANGED, "ends before what is asked for");
	if (s->limit != NULL && len > 0)
		limit_pay(s->limit, len);
	while (len > 0) {
		uint64_t stored;
		bool hole;
		size_t n = stretch(r, offset, len, &stored, &hole);

		if (hole)
			memset(to, 0, n);
		else if (r->pieces_n != 1)
			return err_set(e, ERR_PROTOCOL, "has no bytes");
		else if (bytes_read(s, f, r->pieces[0].offset + stored, to, n,
			     e) == -1)
			return -1;
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* The archive must be the file still that the first pass went through. */
static int
check_file(struct store_file *f, struct err *e)
{
	const struct archive_source *s = archive_of(f->session->store);
	struct stat now;

	if (fstat(s->fd, &now) == -1)
		return err_sys(e, "stat");
	if (now.st_size == s->is.st_size &&
	    item_time_ns(now.st_mtim) == item_time_ns(s->is.st_mtim) &&
	    item_time_ns(now.st_ctim) == item_time_ns(s->is.st_ctim))
		return 0;
	return err_set(e, ERR_CHANGED, "the archive changed while it was read");
}

static int
read_key(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct store_file *f = open_file(c, key, len, e);
	int rc;

	if (f == NULL)
		return -1;
	rc = read_file(f, offset, data, len, e);
	if (rc == -1 && e->kind == ERR_CHANGED)
		e->kind = ERR_MISMATCH;
	close_file(f);
	return rc;
}

static int
read_link(struct session *c, const char *key, struct item_stat *st, char *out,
    size_t size, size_t *len, struct err *e)
{
	struct archive_source *s = archive_of(c->store);
	struct pack_entry m;
	int rc = find(s, key, strlen(key), &m, e);
	const struct pack_record *r = &m.record;
	struct store_stat is;

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(
		    e, ERR_VANISHED, "the archive has no such member");
	if (r->st.type != ITEM_SYMLINK)
		rc = err_set(e, ERR_CHANGED, "is no symlink");
	else if (r->target_len > size)
		rc = err_set(e, ERR_NAME, "symlink target too long");
	if (rc == 1) {
		is = stat_of(s, r);
		*st = item_of_listed(&is);
		memcpy(out, r->target, r->target_len);
		*len = r->target_len;
	}
	pack_entry_clear(&m);
	return rc == 1 ? 0 : -1;
}

static int
attrs_of(struct session *c, const char *key, enum item_type type,
    struct attrs **out, struct err *e)
{
	struct pack_entry m;
	int rc = find(archive_of(c->store), key, strlen(key), &m, e);

	(void)type;
	if (rc == -1)
		return -1;
	*out = rc == 1 ? take_attrs(&m) : NULL;
	pack_entry_clear(&m);
	return 0;
}

#define FEATURES                                                  \
	(STORE_HAS_DIRS | STORE_HAS_MODES | STORE_LIST_MTIME |    \
	    STORE_LIST_META | STORE_IS_LOCAL | STORE_LIST_LINKS | \
	    STORE_HAS_LINKS | STORE_HAS_ATTRS)
#define OPERATIONS                                                        \
	.scheme = "archive", .open = open_store, .close = close_store,    \
	.place = place, .limits = limits, .digests = digests,             \
	.check_key = check_key, .connect = connect_to,                    \
	.disconnect = disconnect, .probe = probe,                         \
	.set_checksum = set_checksum, .list = list, .stat = stat_key,     \
	.read = read_key, .open_file = open_file, .read_file = read_file, \
	.check_file = check_file, .close_file = close_file,               \
	.readlink = read_link, .attrs = attrs_of

const struct store_driver archive_driver = {.features = FEATURES, OPERATIONS};

const struct store_driver archive_stream_driver = {
    .features = FEATURES | STORE_SEQUENTIAL, OPERATIONS};
