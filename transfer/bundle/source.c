/* SPDX-License-Identifier: ISC */
/* A bundle as a source. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/bundle/source.h"
#include "transfer/itemjson.h"

static struct store *
open_store(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct bundle_source *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->path = strdup(url->path)) == NULL) {
		free(s);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &bundle_source_driver;
	s->attrs = store_attrs_kinds(config);
	s->keep_atimes = config->keep_atimes;
	s->stop = config->stop;
	s->limit = config->limit_local ? config->limit : NULL;
	s->dir_fd = -1;
	buf_init(&s->complaints, SOURCE_COMPLAINTS_MAX);
	pthread_mutex_init(&s->lock, NULL);
	return &s->base;
}

static void
close_store(struct store *store)
{
	struct bundle_source *s = source_of(store);

	source_close(s);
	pthread_mutex_destroy(&s->lock);
	buf_free(&s->complaints);
	free(s->path);
	free(s);
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
	struct source_session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->base.store = s;
	return &c->base;
}

static void
disconnect(struct session *c)
{
	frame_cache_free(&source_session_of(c)->cache);
	free(c);
}

static int
probe(struct session *c, bool create, bool checksum, struct store_probe *out,
    struct err *e)
{
	struct bundle_source *s = source_of(c->store);

	(void)create;
	(void)checksum;
	if (source_open(s, e) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	snprintf(out->text, sizeof(out->text), "bundle %.32s, disk %u",
	    s->manifest.id, s->manifest.disk);
	return 0;
}

/*
 * What the content is takes an inode's place, and the group of a file's names
 * that of a device.
 */
struct store_stat
source_stat(const struct pack_record *r)
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
	    .digest = r->digest,
	    .ino = 1,
	};

	if (r->part_bytes != 0)
		st.digest.have &= DIGEST_CRC64NVME | DIGEST_CRC32C;
	if (r->target != NULL)
		st.ino = crc64nvme(0, r->target, r->target_len);
	else if ((r->digest.have & DIGEST_CRC64NVME) != 0)
		st.ino = r->digest.crc64nvme;
	if (r->st.type != ITEM_FILE || r->st.nlink < 2)
		return st;
	st.nlink = r->st.nlink;
	st.dev = r->group;
	return st;
}

struct listing {
	struct bundle_source *source;
	const char *dir;
	size_t dir_len;
	store_list_fn *fn;
	void *arg;
};

static int
list_one(void *arg, const struct pack_record *r, struct err *e)
{
	const struct listing *l = arg;
	struct store_list_entry entry = {
	    .key = r->path,
	    .key_len = r->path_len,
	};
	size_t n = l->dir_len;

	if (l->source->stop != NULL && atomic_load(l->source->stop))
		return err_set(e, ERR_STOPPED, "stopped");
	if (n > 0 &&
	    (r->path_len <= n || r->path[n] != '/' ||
		memcmp(r->path, l->dir, n) != 0))
		return 0;
	if (r->path_len == sizeof(BUNDLE_ROOT) - 1 &&
	    memcmp(r->path, BUNDLE_ROOT, r->path_len) == 0)
		return 0;
	entry.st = source_stat(r);
	return l->fn(l->arg, &entry, e);
}

static int
list(struct session *c, const char *dir, bool recursive, store_list_fn *fn,
    void *arg, struct err *e)
{
	struct bundle_source *s = source_of(c->store);
	struct listing l = {
	    .source = s,
	    .dir = dir,
	    .dir_len = strlen(dir),
	    .fn = fn,
	    .arg = arg,
	};

	if (source_open(s, e) == -1)
		return -1;
	if (recursive)
		return pack_index_each(s->index, list_one, &l, e);
	return pack_index_list(s->index, dir, list_one, &l, e);
}

/* KEY without the slash of a directory: 1, 0, -1. */
int
source_find(struct bundle_source *s, const char *key, struct pack_entry *out,
    struct err *e)
{
	size_t n = strlen(key);
	int rc;

	memset(out, 0, sizeof(*out));
	if (source_open(s, e) == -1)
		return -1;
	if (n > 0 && key[n - 1] == '/')
		n--;
	rc = n == 0 ? pack_index_find(
			  s->index, BUNDLE_ROOT, strlen(BUNDLE_ROOT), out, e)
		    : pack_index_find(s->index, key, n, out, e);
	if (rc != 1)
		pack_entry_clear(out);
	return rc;
}

static int
vanished(struct err *e)
{
	return err_set(e, ERR_VANISHED, "the bundle has no such item");
}

static int
stat_key(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	struct pack_entry m;
	int rc = source_find(source_of(c->store), key, &m, e);

	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "the bundle has no such item");
	if (rc == 1)
		*out = source_stat(&m.record);
	pack_entry_clear(&m);
	return rc == 1 ? 0 : -1;
}

/* The attributes of M, which loses them: of the kinds that are kept. */
struct attrs *
source_take_attrs(const struct bundle_source *s, struct pack_entry *m)
{
	struct attrs *a = TAKE(m->attrs);

	m->record.st.attrs = NULL;
	if (a != NULL && s->attrs == 0) {
		attrs_free(a);
		return NULL;
	}
	if (a != NULL)
		attrs_keep(a, s->attrs);
	return a;
}

static int
read_link(struct session *c, const char *key, struct item_stat *st, char *out,
    size_t size, size_t *len, struct err *e)
{
	struct pack_entry m;
	int rc = source_find(source_of(c->store), key, &m, e);
	const struct pack_record *r = &m.record;
	struct store_stat is;

	if (rc == -1)
		return -1;
	if (rc == 0)
		return vanished(e);
	if (r->st.type != ITEM_SYMLINK)
		rc = err_set(e, ERR_CHANGED, "is no symlink");
	else if (r->target_len > size)
		rc = err_set(e, ERR_NAME, "symlink target too long");
	if (rc == 1) {
		is = source_stat(r);
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
	struct bundle_source *s = source_of(c->store);
	struct pack_entry m;
	int rc = source_find(s, key, &m, e);

	(void)type;
	if (rc == -1)
		return -1;
	*out = rc == 1 ? source_take_attrs(s, &m) : NULL;
	pack_entry_clear(&m);
	return 0;
}

const char *
bundle_complaints(const struct store *s)
{
	return buf_str(
	    &((const struct bundle_source *)(const void *)s)->complaints);
}

const struct bundle_manifest *
bundle_manifest_of(const struct store *s)
{
	return &((const struct bundle_source *)(const void *)s)->manifest;
}

const struct store_driver bundle_source_driver = {
    .scheme = "bundle",
    .features = STORE_HAS_DIRS | STORE_HAS_MODES | STORE_LIST_MTIME |
	STORE_LIST_META | STORE_IS_LOCAL | STORE_LIST_LINKS | STORE_HAS_LINKS |
	STORE_HAS_ATTRS,
    .open = open_store,
    .close = close_store,
    .place = place,
    .limits = limits,
    .digests = digests,
    .check_key = check_key,
    .connect = connect_to,
    .disconnect = disconnect,
    .probe = probe,
    .set_checksum = set_checksum,
    .list = list,
    .stat = stat_key,
    .read = source_read_key,
    .open_file = source_open_file,
    .read_file = source_read_file,
    .check_file = source_check_file,
    .close_file = source_close_file,
    .readlink = read_link,
    .attrs = attrs_of,
};
