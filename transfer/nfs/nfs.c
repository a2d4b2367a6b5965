/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/nfs/internal.h"

static void
nfs_close_store(struct store *store)
{
	struct nfs_store *s = (struct nfs_store *)(void *)store;

	free(s->host);
	free(s->path);
	free(s);
}

/* What this driver or its library can't do is refused, not left out. */
static int
check_config(const struct nfs_options *o, const struct store_config *config,
    struct err *e)
{
	if (o->version != 3)
		return err_set(e, ERR_CONFIG,
		    "version=%u: this dray speaks NFS version 3 only",
		    o->version);
	if (config->bind_address != NULL)
		return err_set(e, ERR_CONFIG,
		    "nfs:// can't be bound to an address or interface");
	if (config->follow_links)
		return err_set(e, ERR_CONFIG,
		    "symbolic links of an nfs:// source can't be followed");
	return 0;
}

static struct store *
nfs_open_store(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct nfs_options options;
	struct nfs_store *s;

	if (nfs_options_parse(url->query, &options, e) == -1) {
		err_context(e, "%s", url->text);
		return NULL;
	}
	if (check_config(&options, config, e) == -1)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->host = strdup(url->host)) == NULL ||
	    (s->path = strdup(url->path)) == NULL) {
		if (s != NULL)
			nfs_close_store(&s->base);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &nfs_driver;
	s->config = (struct nfs_wire_config){
	    .host = s->host,
	    .options = options,
	    .timeout_ms = config->timeout_ms,
	    .connect_timeout_ms = config->connect_timeout_ms,
	    .stop = config->stop,
	    .limit = config->limit,
	};
	atomic_init(&s->refused_uid, -1);
	atomic_init(&s->refused_gid, -1);
	s->owner = temp_owner(config->owner);
	s->read_back = config->read_back;
	s->keep_atimes = config->keep_atimes;
	return &s->base;
}

/* The URL says it all; what else there is to know the server would tell. */
static void
nfs_place(const struct store *s, char *out, size_t size)
{
	(void)s;
	(void)size;
	out[0] = '\0';
}

static void
nfs_limits(const struct store *s, struct plan_limits *limits)
{
	(void)s;
	limits->part_min_bytes = (uint64_t)64 << 10;
	limits->part_max_bytes = (uint64_t)1 << 30;
	limits->parts_max = 10000000;
	limits->put_max_bytes = UINT64_MAX;
}

static unsigned
nfs_digests(const struct store *s)
{
	(void)s;
	return 0;
}

static void
nfs_set_checksum(struct store *s, unsigned algo)
{
	(void)s;
	(void)algo;
}

static int
nfs_check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	const char *p = key;

	(void)s;
	(void)type;
	if (strlen(key) > NFS_PATH_MAX)
		return err_set(
		    e, ERR_NAME, "a path of over %zu bytes", NFS_PATH_MAX);
	for (;;) {
		size_t n = strcspn(p, "/");

		if (store_check_component(p, n, e) == -1)
			return -1;
		if (n > NAME_MAX)
			return err_set(e, ERR_NAME,
			    "a component of %zu bytes: the most is %d", n,
			    NAME_MAX);
		if (p[n] == '\0')
			return 0;
		p += n + 1;
	}
}

static void
nfs_disconnect(struct session *base)
{
	struct nfs_session *c = nfs_session_of(base);
	size_t i;

	nfs_wire_free(c->wire);
	for (i = 0; i < NFS_DIRS; i++)
		free(c->dirs[i].path);
	nfs_file_forget(base);
	digester_free(c->digester);
	free(c->io);
	free(c);
}

static struct session *
nfs_connect(struct store *s, struct err *e)
{
	struct nfs_session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->base.store = s;
	c->wire = nfs_wire_new(&nfs_store_of(&c->base)->config, e);
	if (c->wire == NULL) {
		nfs_disconnect(&c->base);
		return NULL;
	}
	return &c->base;
}

/*
 * A file is made and removed again: whether we may write at all, and who the
 * server takes us for.  The root's time stays what it was.
 */
static int
try_to_write(struct session *c, struct item_stat *st, struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	struct nfs_place p = {.name = "probe", .key = "probe"};
	struct err ignored = ERR_INIT;
	char temp[TEMP_NAME_SIZE];
	struct item_stat root;
	struct nfs_fh fh;

	p.dir = nfs_session_of(c)->root;
	if (nfs_wire_getattr(w, &p.dir, &root, e) == -1 ||
	    nfs_temp_file(c, &p, temp, &fh, st, e) == -1 ||
	    nfs_wire_remove(w, &p.dir, temp, e) == -1)
		return -1;
	/* It may be another's, who lets us write. */
	nfs_wire_setattr(w, &p.dir, NFS_SET_MTIME, &root, NULL, &ignored);
	return 0;
}

static int
probe_once(struct session *c, bool create, struct item_stat *mine,
    uint64_t *free_bytes, struct err *e)
{
	if (nfs_reach(c, create, e) == -1 ||
	    nfs_wire_free_bytes(nfs_session_of(c)->wire,
		&nfs_session_of(c)->root, free_bytes, e) == -1)
		return -1;
	return create ? try_to_write(c, mine, e) : 0;
}

static int
nfs_probe(struct session *c, bool create, bool checksum,
    struct store_probe *out, struct err *e)
{
	const struct nfs_store *s = nfs_store_of(c);
	struct item_stat mine = {.uid = 0};
	char size[16], who[40] = "";
	uint64_t free_bytes;

	(void)checksum;
	if (NFS_TWICE(c, e, probe_once(c, create, &mine, &free_bytes, e)) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	text_size(free_bytes, size, sizeof(size));
	if (create && mine.uid != 0)
		snprintf(who, sizeof(who), ", all owned by uid %u", mine.uid);
	snprintf(out->text, sizeof(out->text), "NFS v%u %.40s:%.80s, %s free%s",
	    s->config.options.version, s->host, s->path, size, who);
	return 0;
}

const struct store_driver nfs_driver = {
    .scheme = "nfs",
    .features = STORE_HAS_DIRS | STORE_HAS_MODES | STORE_LIST_MTIME |
	STORE_LIST_META | STORE_LIST_LINKS | STORE_HAS_LINKS,
    .open = nfs_open_store,
    .close = nfs_close_store,
    .place = nfs_place,
    .limits = nfs_limits,
    .digests = nfs_digests,
    .check_key = nfs_check_key,
    .connect = nfs_connect,
    .disconnect = nfs_disconnect,
    .probe = nfs_probe,
    .set_checksum = nfs_set_checksum,
    .list = nfs_list,
    .stat = nfs_stat_key,
    .read = nfs_read_key,
    .open_file = nfs_open_file,
    .read_file = nfs_read_file,
    .check_file = nfs_check_file,
    .close_file = nfs_close_file,
    .readlink = nfs_readlink_key,
    .put = nfs_put,
    .mkdir = nfs_make_dir,
    .symlink = nfs_make_link,
    .link = nfs_link_key,
    .set_metadata = nfs_set_metadata,
    .upload_begin = nfs_upload_begin,
    .upload_part = nfs_upload_part,
    .upload_check = nfs_upload_check,
    .upload_complete = nfs_upload_complete,
    .upload_abort = nfs_upload_abort,
    .sweep = nfs_sweep,
    .set_aside = nfs_set_aside,
    .remove = nfs_remove_keys,
};
