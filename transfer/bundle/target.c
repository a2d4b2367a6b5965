/* SPDX-License-Identifier: ISC */
/* A bundle as a target: what the engine writes to. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/bundle/internal.h"
#include "transfer/itemjson.h"
#include "transfer/pack/tar.h"

#define HEADER_MAX ((size_t)1 << 22)
/* Volumes that are written at a time. */
#define VOLUMES 4

static struct store *
target_open(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	struct bundle_target *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->path = strdup(url->path)) == NULL) {
		free(s);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &bundle_target_driver;
	s->order = config->bundle;
	s->stop = config->stop;
	s->limit = config->limit_local ? config->limit : NULL;
	s->volume_bytes = s->order->volume_bytes;
	if (s->volume_bytes == 0)
		s->volume_bytes = INT64_MAX;
	if (s->order->before != NULL && s->order->before->n > 0)
		s->number =
		    s->order->before->volumes[s->order->before->n - 1].number;
	pthread_mutex_init(&s->opening, NULL);
	pthread_mutex_init(&s->sorting, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->given, NULL);
	atomic_init(&s->dir_fd, -1);
	return &s->base;
}

static void
target_close(struct store *store)
{
	struct bundle_target *s = (struct bundle_target *)(void *)store;
	struct bundle_upload *u;
	size_t i;

	while ((u = s->uploads) != NULL) {
		s->uploads = u->next;
		free(u);
	}
	for (i = 0; i < s->n; i++)
		volume_free(s->volumes[i]);
	if (atomic_load(&s->dir_fd) != -1)
		close(atomic_load(&s->dir_fd));
	pthread_mutex_destroy(&s->opening);
	pthread_mutex_destroy(&s->sorting);
	pthread_mutex_destroy(&s->lock);
	rows_free(s->rows);
	pthread_cond_destroy(&s->given);
	free(s->volumes);
	free(s->leaders);
	free(s->path);
	free(s);
}

/* A disk may be another one each time. */
static void
target_place(const struct store *s, char *out, size_t size)
{
	(void)s;
	(void)size;
	out[0] = '\0';
}

static void
target_limits(const struct store *store, struct plan_limits *limits)
{
	const struct bundle_target *s =
	    (const struct bundle_target *)(const void *)store;

	limits->part_min_bytes = (uint64_t)64 << 10;
	limits->part_max_bytes = s->volume_bytes / 2;
	limits->parts_max = 10000000;
	limits->put_max_bytes = s->volume_bytes / 2;
}

static unsigned
target_digests(const struct store *s)
{
	(void)s;
	return 0;
}

static void
target_set_checksum(struct store *s, unsigned algo)
{
	(void)s;
	(void)algo;
}

static int
target_check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	(void)s;
	(void)type;
	return itemjson_is_path(key, strlen(key))
	    ? 0
	    : err_set(e, ERR_NAME, "is no path of names");
}

static struct session *
target_connect(struct store *s, struct err *e)
{
	struct bundle_session *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->base.store = s;
	buf_init(&c->header, HEADER_MAX);
	buf_init(&c->line, PACK_LINE_MAX);
	return &c->base;
}

static void
target_disconnect(struct session *base)
{
	struct bundle_session *c = bundle_session_of(base);

	buf_free(&c->header);
	buf_free(&c->line);
	digester_free(c->digester);
	free(c);
}

/* What is in the way of a bundle is somebody's. */
static int
check_empty(struct bundle_target *s, int dir, struct err *e)
{
	int fd = dup(dir);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int rc = 0;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return err_sys(e, "%s", s->path);
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0 &&
		    strcmp(entry->d_name, ".bundle.new") != 0 &&
		    strncmp(entry->d_name, "bundle.json", 11) != 0)
			rc = err_set(e, ERR_CONFIG,
			    "%s is not empty: a bundle has a directory of its "
			    "own: name one that isn't there yet",
			    s->path);
	closedir(d);
	return rc;
}

/* What the disk has already must be of this bundle. */
static int
check_manifest(struct bundle_target *s, int dir, struct err *e)
{
	const struct bundle_order *order = s->order;
	struct bundle_manifest m = {0};
	int rc = bundle_manifest_read(dir, &m, e);

	if (rc == -1)
		return err_context(e, "%s", s->path);
	if (rc == 0) {
		if (check_empty(s, dir, e) == -1)
			return -1;
		m.created_ns = clock_wall_ns();
		m.disk = order->disk;
		m.compressed = order->level > 0;
		snprintf(m.id, sizeof(m.id), "%s", order->id);
		snprintf(m.base, sizeof(m.base), "%s", order->base);
		return bundle_manifest_write(dir, &m, e);
	}
	rc = 0;
	if (m.compressed != (order->level > 0))
		rc = err_set(e, ERR_CONFIG,
		    "%s was begun %s --compress: go on in the same way",
		    s->path, m.compressed ? "with" : "without");
	else if (m.state != BUNDLE_WRITING)
		rc = err_set(e, ERR_CONFIG,
		    "%s holds a bundle that is done (%s): name another "
		    "directory or disk",
		    s->path, m.id);
	else if (strcmp(m.id, order->id) != 0 || m.disk != order->disk)
		rc = err_set(e, ERR_CONFIG,
		    "%s holds disk %u of the unfinished bundle %s of another "
		    "task: name another directory",
		    s->path, m.disk, m.id);
	bundle_manifest_clear(&m);
	return rc;
}

static int
open_dir(struct bundle_target *s, struct err *e)
{
	AUTO(close) int fd = -1;

	if (mkdir(s->path, 0777) == -1 && errno != EEXIST)
		return err_sys(e, "%s", s->path);
	fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_sys(e, "%s", s->path);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return err_set(e, ERR_BUSY,
		    "%s: another dray writes this bundle now", s->path);
	return check_manifest(s, fd, e) == -1 ? -1 : take_fd(&fd);
}

int
bundle_open(struct bundle_target *s, struct err *e)
{
	int fd, rc = 0;

	if (atomic_load_explicit(&s->dir_fd, memory_order_acquire) != -1)
		return 0;
	pthread_mutex_lock(&s->opening);
	if (atomic_load(&s->dir_fd) == -1) {
		fd = open_dir(s, e);
		if (s->rows == NULL)
			s->rows = rows_new(s->stop, e);
		rc =
		    fd == -1 || s->rows == NULL ? -1 : bundle_recover(s, fd, e);
		if (rc == 0)
			atomic_store(&s->dir_fd, fd);
		else if (fd != -1)
			close(fd);
	}
	pthread_mutex_unlock(&s->opening);
	return rc;
}

static int
target_probe(struct session *c, bool create, bool checksum,
    struct store_probe *out, struct err *e)
{
	struct bundle_target *s = bundle_of(c);

	(void)create;
	(void)checksum;
	if (bundle_open(s, e) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	snprintf(out->text, sizeof(out->text), "bundle %.32s, disk %u",
	    s->order->id, s->order->disk);
	return 0;
}

/* The ledger alone knows what was written. */
static int
target_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e)
{
	(void)c;
	(void)dir;
	(void)recursive;
	(void)fn;
	(void)arg;
	(void)e;
	return 0;
}

/* The member is written again, with what it is to have. */
static int
target_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	(void)c;
	(void)key;
	(void)st;
	(void)was;
	(void)out;
	return err_set(e, ERR_MISMATCH, "what was written stays as it is");
}

static int
target_flush(struct session *c, struct err *e)
{
	struct bundle_target *s = bundle_of(c);
	struct volume *v;
	size_t i;

	for (i = 0;; i++) {
		pthread_mutex_lock(&s->lock);
		v = i < s->n ? s->volumes[i] : NULL;
		pthread_mutex_unlock(&s->lock);
		if (v == NULL)
			return 0;
		if (volume_sync(v, e) == -1) {
			atomic_store(&s->unsure, true);
			return -1;
		}
	}
}

const struct store_driver bundle_target_driver = {
    .scheme = "bundle",
    .features = STORE_HAS_DIRS | STORE_HAS_MODES | STORE_IS_LOCAL |
	STORE_HAS_LINKS | STORE_HAS_ATTRS | STORE_SERIAL,
    .transfers = VOLUMES,
    .open = target_open,
    .close = target_close,
    .place = target_place,
    .limits = target_limits,
    .digests = target_digests,
    .check_key = target_check_key,
    .connect = target_connect,
    .disconnect = target_disconnect,
    .probe = target_probe,
    .set_checksum = target_set_checksum,
    .list = target_list,
    .put = bundle_put,
    .mkdir = bundle_mkdir,
    .symlink = bundle_symlink,
    .link = bundle_link,
    .set_metadata = target_set_metadata,
    .flush = target_flush,
    .upload_begin = bundle_upload_begin,
    .upload_part = bundle_upload_part,
    .upload_check = bundle_upload_check,
    .upload_complete = bundle_upload_complete,
    .upload_abort = bundle_upload_abort,
    .remove = bundle_remove,
};
