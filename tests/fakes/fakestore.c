/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/fakes/fakestore.h"

#define BUCKETS 4096
#define FAULTS_MAX 32

struct fake_upload {
	struct fake_upload *next;
	char *key;
	char id[24];
	int64_t begun_ns;
	struct item_stat st;
	struct plan plan;
	unsigned char *data;
	uint64_t *part_crc; /* 0: not there */
};

struct fake {
	struct store base;
	pthread_mutex_t mutex;
	struct fake_object *objects[BUCKETS];
	size_t object_count;
	struct fake_upload *uploads;
	unsigned ids;
	struct fake_fault faults[FAULTS_MAX];
	unsigned fault_count;
	unsigned calls[FAKE_OPS];
	void (*on_call)(void *arg, enum fake_op op, const char *key);
	void *arg;
	bool proves_nothing;
	unsigned files;
	unsigned names_max;
};

static struct fake *
fake_of(struct store *s)
{
	return (struct fake *)(void *)s;
}

/* 0: go on; 1: do it, then fail with *E; -1: fail with *E. */
static int
begin_call(struct session *c, enum fake_op op, const char *key, struct err *e)
{
	struct fake *f = fake_of(c->store);
	unsigned i, delay_ms = 0;
	int rc = 0;

	if (f->on_call != NULL)
		f->on_call(f->arg, op, key);
	pthread_mutex_lock(&f->mutex);
	f->calls[op]++;
	for (i = 0; i < f->fault_count && rc == 0; i++) {
		struct fake_fault *x = &f->faults[i];

		if (x->op != op || x->times == 0 ||
		    (x->key != NULL && strcmp(x->key, key) != 0))
			continue;
		if (x->after > 0) {
			x->after--;
			continue;
		}
		x->times--;
		delay_ms = x->delay_ms;
		if (x->kind == ERR_NONE)
			continue;
		err_set(e, x->kind, "told to fail");
		rc = x->lost ? 1 : -1;
	}
	pthread_mutex_unlock(&f->mutex);
	if (delay_ms > 0) {
		struct timespec t = {.tv_sec = delay_ms / 1000,
		    .tv_nsec = (long)(delay_ms % 1000) * 1000000};

		nanosleep(&t, NULL);
	}
	return rc;
}

static struct fake_object **
slot(struct fake *f, const char *key)
{
	size_t h = crc64nvme(0, key, strlen(key)) % BUCKETS;
	struct fake_object **at = &f->objects[h];

	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

/* Under the mutex. */
static struct fake_object *
keep(struct fake *f, const char *key, const struct item_stat *st,
    const void *data, size_t len)
{
	struct fake_object **at = slot(f, key), *o = *at;

	if (o == NULL) {
		*at = o = calloc(1, sizeof(*o));
		o->key = strdup(key);
		f->object_count++;
	}
	free(o->data);
	o->data = malloc(len + 1);
	if (len > 0)
		memcpy(o->data, data, len);
	o->len = len;
	o->st = *st;
	o->puts++;
	o->crc64nvme = crc64nvme(0, o->data, len);
	o->file = ++f->files;
	snprintf(o->etag, sizeof(o->etag), "e-%016llx",
	    (unsigned long long)o->crc64nvme);
	return o;
}

static struct store *
open_fake(const struct store_url *url, const struct store_config *config,
    struct err *e)
{
	(void)url;
	(void)config;
	(void)e;
	return fake_open();
}

static void
drop_upload(struct fake *f, struct fake_upload **at)
{
	struct fake_upload *u = *at;

	(void)f;
	*at = u->next;
	free(u->key);
	free(u->data);
	free(u->part_crc);
	free(u);
}

static void
fake_close(struct store *s)
{
	struct fake *f = fake_of(s);
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		while (f->objects[i] != NULL) {
			struct fake_object *o = f->objects[i];

			f->objects[i] = o->next;
			free(o->key);
			free(o->data);
			free(o);
		}
	while (f->uploads != NULL)
		drop_upload(f, &f->uploads);
	pthread_mutex_destroy(&f->mutex);
	free(f);
}

static void
place(const struct store *s, char *out, size_t size)
{
	(void)s;
	snprintf(out, size, "memory");
}

static void
limits(const struct store *s, struct plan_limits *l)
{
	(void)s;
	l->part_min_bytes = 1;
	l->part_max_bytes = (uint64_t)1 << 32;
	l->parts_max = 10000;
	l->put_max_bytes = (uint64_t)1 << 32;
}

static unsigned
digests(const struct store *s)
{
	return ((const struct fake *)(const void *)s)->proves_nothing
	    ? 0
	    : DIGEST_CRC64NVME;
}

static int
check_key(
    const struct store *s, const char *key, enum item_type type, struct err *e)
{
	(void)s;
	(void)type;
	if (strlen(key) > 1024)
		return err_set(e, ERR_NAME, "too long");
	return 0;
}

static struct session *
connect_fake(struct store *s, struct err *e)
{
	struct session *c = calloc(1, sizeof(*c));

	(void)e;
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
	(void)create;
	(void)checksum;
	if (begin_call(c, FAKE_PROBE, "", e) != 0)
		return -1;
	memset(out, 0, sizeof(*out));
	return 0;
}

static void
set_checksum(struct store *s, unsigned algo)
{
	(void)s;
	(void)algo;
}

static struct store_stat
stat_of(const struct fake *f, const struct fake_object *o)
{
	struct store_stat st = {
	    .type = o->st.type,
	    .size = o->len,
	    .has_source_mtime = true,
	    .mtime_ns = o->st.mtime_ns,
	    .mode = o->st.mode,
	    .uid = o->st.uid,
	    .gid = o->st.gid,
	    .has_owner = o->st.mode != 0,
	};

	memcpy(st.etag, o->etag, sizeof(st.etag));
	if (!f->proves_nothing) {
		st.digest.have = DIGEST_CRC64NVME;
		st.digest.crc64nvme = o->crc64nvme;
	}
	return st;
}

static int
list(struct session *c, const char *dir, bool recursive, store_list_fn *fn,
    void *arg, struct err *e)
{
	struct fake *f = fake_of(c->store);
	size_t i;
	int rc = begin_call(c, FAKE_LIST, dir, e);

	(void)recursive;
	if (rc != 0)
		return -1;
	pthread_mutex_lock(&f->mutex);
	for (i = 0; i < BUCKETS && rc == 0; i++) {
		struct fake_object *o;

		for (o = f->objects[i]; o != NULL && rc == 0; o = o->next) {
			struct store_list_entry entry = {.key = o->key,
			    .key_len = strlen(o->key),
			    .st = stat_of(f, o)};

			if (*dir != '\0' &&
			    (strncmp(o->key, dir, strlen(dir)) != 0 ||
				o->key[strlen(dir)] != '/'))
				continue;
			rc = fn(arg, &entry, e);
		}
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int
stat_fake(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_object *o;

	char plain[1100];
	size_t n = strlen(key);
	bool dir = n > 0 && key[n - 1] == '/';

	if (begin_call(c, FAKE_STAT, key, e) != 0)
		return -1;
	snprintf(plain, sizeof(plain), "%.*s", (int)(n - dir), key);
	pthread_mutex_lock(&f->mutex);
	o = *slot(f, plain);
	if (o != NULL && dir && o->st.type != ITEM_DIR)
		o = NULL;
	if (o != NULL)
		*out = stat_of(f, o);
	pthread_mutex_unlock(&f->mutex);
	return o != NULL ? 0 : err_set(e, ERR_NOTFOUND, "no such object");
}

static int
read_fake(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_object *o;
	bool right = false;

	if (begin_call(c, FAKE_READ, key, e) != 0)
		return -1;
	pthread_mutex_lock(&f->mutex);
	o = *slot(f, key);
	if (o != NULL && offset <= o->len && len <= o->len - offset) {
		memcpy(data, o->data + offset, len);
		right = true;
	}
	pthread_mutex_unlock(&f->mutex);
	return right ? 0 : err_set(e, ERR_MISMATCH, "ends too early");
}

static void
receipt(struct fake *f, const char *key, struct store_receipt *out)
{
	const struct fake_object *o = *slot(f, key);

	if (out == NULL)
		return;
	memset(out, 0, sizeof(*out));
	memcpy(out->etag, o->etag, sizeof(out->etag));
	out->proved = !f->proves_nothing;
}

static int
put_any(struct session *c, enum fake_op op, const char *key,
    const struct item_stat *st, const void *data, size_t len,
    struct store_receipt *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	int rc = begin_call(c, op, key, e);

	if (rc == -1)
		return -1;
	pthread_mutex_lock(&f->mutex);
	keep(f, key, st, data, len);
	if (rc == 0)
		receipt(f, key, out);
	pthread_mutex_unlock(&f->mutex);
	return rc == 0 ? 0 : -1;
}

static int
put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	if (digest->crc64nvme != crc64nvme(0, data, len))
		return err_set(e, ERR_MISMATCH, "not what was announced");
	return put_any(c, FAKE_PUT, key, st, data, len, out, e);
}

static int
make_dir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	return put_any(c, FAKE_MKDIR, key, st, "", 0, NULL, e);
}

static int
make_link(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	if (st->type != ITEM_SYMLINK)
		return err_set(e, ERR_NAME, "a symlink that is none");
	return put_any(c, FAKE_SYMLINK, key, st, target, len, NULL, e);
}

/* Under the mutex. */
static unsigned
names_of(struct fake *f, unsigned file)
{
	const struct fake_object *o;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		for (o = f->objects[i]; o != NULL; o = o->next)
			n += o->file == file;
	return n;
}

/* Under the mutex. */
static void
set_all_names(struct fake *f, unsigned file, const struct item_stat *st)
{
	struct fake_object *o;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		for (o = f->objects[i]; o != NULL; o = o->next)
			if (o->file == file)
				o->st = *st;
}

/* Under the mutex. */
static int
link_to(struct fake *f, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	struct fake_object *from = *slot(f, existing), *o = *slot(f, key);
	unsigned file;

	if (from == NULL)
		return err_set(e, ERR_NOTFOUND, "no such object");
	if (was != NULL && strcmp(from->etag, was->etag) != 0)
		return err_set(e, ERR_MISMATCH, "another object");
	file = from->file;
	if ((f->base.ops->features & STORE_HAS_LINKS) == 0) {
		keep(f, key, st, from->data, from->len);
		receipt(f, key, out);
		return 0;
	}
	if (o != NULL && o->file == file) {
		receipt(f, key, out);
		out->was_there = true;
		return 0;
	}
	if (f->names_max > 0 && names_of(f, file) >= f->names_max) {
		err_set(e, ERR_UNSUPPORTED, "too many names");
		e->sys = EMLINK;
		return -1;
	}
	keep(f, key, &from->st, from->data, from->len)->file = file;
	receipt(f, key, out);
	return 0;
}

static int
link_fake(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	int rc = begin_call(c, FAKE_LINK, key, e);

	if (rc != 0) {
		if (e->kind == ERR_UNSUPPORTED)
			store_lacks(c->store, STORE_LACK_LINKS, "as told");
		return -1;
	}
	pthread_mutex_lock(&f->mutex);
	rc = link_to(f, key, existing, st, was, out, e);
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int
set_metadata(struct session *c, const char *key, const struct item_stat *st,
    const struct store_stat *was, struct store_receipt *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_object *o;
	bool other = false;

	if (begin_call(c, FAKE_SET_METADATA, key, e) != 0)
		return -1;
	pthread_mutex_lock(&f->mutex);
	o = *slot(f, key);
	if (o != NULL && was != NULL)
		other = strcmp(o->etag, was->etag) != 0;
	if (o != NULL && !other) {
		set_all_names(f, o->file, st);
		receipt(f, key, out);
	}
	pthread_mutex_unlock(&f->mutex);
	if (other)
		return err_set(e, ERR_MISMATCH, "another object");
	return o != NULL ? 0 : err_set(e, ERR_NOTFOUND, "no such object");
}

/* Under the mutex. */
static struct fake_upload *
begin_upload(struct fake *f, const char *key, const struct plan *plan,
    const struct item_stat *st)
{
	struct fake_upload *u = calloc(1, sizeof(*u));

	u->key = strdup(key);
	snprintf(u->id, sizeof(u->id), "id%u", ++f->ids);
	u->begun_ns = clock_wall_ns();
	u->st = *st;
	u->plan = *plan;
	u->data = malloc(plan->size + 1);
	u->part_crc = calloc(plan->parts + 1, sizeof(*u->part_crc));
	u->next = f->uploads;
	f->uploads = u;
	return u;
}

static struct fake_upload **
find_upload(struct fake *f, const char *id)
{
	struct fake_upload **at = &f->uploads;

	while (*at != NULL && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

static int
upload_begin(struct session *c, const char *key, const struct item_stat *st,
    const struct plan *plan, char *id, struct err *e)
{
	struct fake *f = fake_of(c->store);
	int rc = begin_call(c, FAKE_BEGIN, key, e);

	if (rc == -1)
		return -1;
	pthread_mutex_lock(&f->mutex);
	snprintf(id, rc == 0 ? STORE_ID_MAX : 1, "%s",
	    begin_upload(f, key, plan, st)->id);
	pthread_mutex_unlock(&f->mutex);
	return rc == 0 ? 0 : -1;
}

static int
gone(struct err *e)
{
	return err_set(e, ERR_GONE, "no such upload");
}

static int
upload_part(struct session *c, const struct store_upload *up, uint32_t number,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	int rc = begin_call(c, FAKE_PART, up->key, e);
	struct fake_upload *u;

	if (rc == -1)
		return -1;
	if (digest->crc64nvme != crc64nvme(0, data, len))
		return err_set(e, ERR_MISMATCH, "not what was announced");
	pthread_mutex_lock(&f->mutex);
	u = *find_upload(f, up->id);
	if (u != NULL) {
		memcpy(u->data + plan_offset(&u->plan, number), data, len);
		u->part_crc[number - 1] = digest->crc64nvme;
	}
	pthread_mutex_unlock(&f->mutex);
	if (u == NULL)
		return rc == 0 ? gone(e) : -1;
	memset(out, 0, sizeof(*out));
	snprintf(out->etag, sizeof(out->etag), "p%u", number);
	out->proved = !f->proves_nothing;
	return rc == 0 ? 0 : -1;
}

static int
upload_check(struct session *c, const struct store_upload *up,
    const struct store_part *parts, size_t n, bool *keep_it, struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_upload *u;
	size_t i;

	if (begin_call(c, FAKE_CHECK, up->key, e) != 0)
		return -1;
	pthread_mutex_lock(&f->mutex);
	u = *find_upload(f, up->id);
	for (i = 0; u != NULL && i < n; i++)
		keep_it[i] = u->part_crc[parts[i].number - 1] ==
		    parts[i].digest.crc64nvme;
	pthread_mutex_unlock(&f->mutex);
	return u != NULL ? 0 : gone(e);
}

static int
upload_complete(struct session *c, const struct store_upload *up,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	struct fake *f = fake_of(c->store);
	int rc = begin_call(c, FAKE_COMPLETE, up->key, e);
	struct fake_upload **at;
	struct fake_object *o;
	bool right = false, there = false;

	if (rc == -1)
		return -1;
	pthread_mutex_lock(&f->mutex);
	at = find_upload(f, up->id);
	if (*at != NULL) {
		right = n == (*at)->plan.parts && parts[n - 1].number == n &&
		    crc64nvme(0, (*at)->data, (*at)->plan.size) ==
			whole->crc64nvme;
		if (right) {
			keep(f, up->key, &(*at)->st, (*at)->data,
			    (*at)->plan.size);
			drop_upload(f, at);
			there = true;
		}
	} else {
		/* It may have been completed, and the answer got lost. */
		o = *slot(f, up->key);
		there = right = o != NULL && o->len == up->plan.size &&
		    crc64nvme(0, o->data, o->len) == whole->crc64nvme;
		if (!there)
			rc = 2;
	}
	if (there && rc == 0)
		receipt(f, up->key, out);
	pthread_mutex_unlock(&f->mutex);
	if (rc == 2)
		return gone(e);
	if (!right)
		return err_set(e, ERR_MISMATCH, "not what was announced");
	return rc == 0 ? 0 : -1;
}

static int
upload_abort(struct session *c, const char *key, const char *id, struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_upload **at;
	int rc = begin_call(c, FAKE_ABORT, key, e);

	if (rc == -1)
		return -1;
	pthread_mutex_lock(&f->mutex);
	at = find_upload(f, id);
	if (*at != NULL)
		drop_upload(f, at);
	pthread_mutex_unlock(&f->mutex);
	return rc == 0 ? 0 : -1;
}

static int
uploads(struct session *c, const char *key, store_upload_fn *fn, void *arg,
    struct err *e)
{
	struct fake *f = fake_of(c->store);
	struct fake_upload *u;
	char ids[64][24];
	int64_t begun[64];
	int i, n = 0;

	if (begin_call(c, FAKE_UPLOADS, key, e) != 0)
		return -1;
	pthread_mutex_lock(&f->mutex);
	for (u = f->uploads; u != NULL && n < 64; u = u->next)
		if (strcmp(u->key, key) == 0) {
			memcpy(ids[n], u->id, sizeof(ids[n]));
			begun[n++] = u->begun_ns;
		}
	pthread_mutex_unlock(&f->mutex);
	for (i = 0; i < n; i++)
		if (fn(arg, key, ids[i], begun[i], e) == -1)
			return -1;
	return 0;
}

/* Under the mutex.  KEY without a slash at its end. */
static void
drop(struct fake *f, const char *key, bool dir)
{
	struct fake_object **at = slot(f, key), *o = *at;

	if (o == NULL || (o->st.type == ITEM_DIR) != dir)
		return;
	*at = o->next;
	f->object_count--;
	free(o->key);
	free(o->data);
	free(o);
}

static int
remove_keys(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	struct fake *f = fake_of(c->store);
	size_t i, failed = 0;

	for (i = 0; i < n; i++) {
		char plain[1100];
		bool dir;
		int rc;

		results[i] = (struct err)ERR_INIT;
		snprintf(plain, sizeof(plain), "%s", keys[i]);
		dir = plain[strlen(plain) - 1] == '/';
		plain[strlen(plain) - (dir ? 1 : 0)] = '\0';
		rc = begin_call(c, FAKE_REMOVE, plain, &results[i]);
		pthread_mutex_lock(&f->mutex);
		if (rc >= 0)
			drop(f, plain, dir);
		pthread_mutex_unlock(&f->mutex);
		if (rc != 0 && failed++ == 0)
			*e = results[i];
	}
	return failed == 0 ? 0 : -1;
}

static const struct store_driver fake_driver = {
    .scheme = "fake",
    .features = STORE_LIST_MTIME | STORE_HAS_LINKS,
    .open = open_fake,
    .close = fake_close,
    .place = place,
    .limits = limits,
    .digests = digests,
    .check_key = check_key,
    .connect = connect_fake,
    .disconnect = disconnect,
    .probe = probe,
    .set_checksum = set_checksum,
    .list = list,
    .stat = stat_fake,
    .read = read_fake,
    .put = put,
    .mkdir = make_dir,
    .symlink = make_link,
    .link = link_fake,
    .set_metadata = set_metadata,
    .upload_begin = upload_begin,
    .upload_part = upload_part,
    .upload_check = upload_check,
    .upload_complete = upload_complete,
    .upload_abort = upload_abort,
    .uploads = uploads,
    .remove = remove_keys,
};

static struct store *
open_as(const struct store_driver *driver)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->base.ops = driver;
	pthread_mutex_init(&f->mutex, NULL);
	return &f->base;
}

struct store *
fake_open(void)
{
	return open_as(&fake_driver);
}

struct store *
fake_open_copying(void)
{
	static struct store_driver driver;

	driver = fake_driver;
	driver.features &= ~(unsigned)STORE_HAS_LINKS;
	return open_as(&driver);
}

void
fake_names_max(struct store *s, unsigned n)
{
	fake_of(s)->names_max = n;
}

void
fake_prove_nothing(struct store *s)
{
	fake_of(s)->proves_nothing = true;
}

void
fake_fault(struct store *s, const struct fake_fault *fault)
{
	struct fake *f = fake_of(s);

	f->faults[f->fault_count++ % FAULTS_MAX] = *fault;
}

void
fake_forget_faults(struct store *s)
{
	fake_of(s)->fault_count = 0;
}

void
fake_on_call(struct store *s,
    void (*fn)(void *arg, enum fake_op op, const char *key), void *arg)
{
	struct fake *f = fake_of(s);

	f->on_call = fn;
	f->arg = arg;
}

unsigned
fake_calls(struct store *s, enum fake_op op)
{
	struct fake *f = fake_of(s);
	unsigned n;

	pthread_mutex_lock(&f->mutex);
	n = f->calls[op];
	pthread_mutex_unlock(&f->mutex);
	return n;
}

void
fake_forget_calls(struct store *s)
{
	struct fake *f = fake_of(s);

	memset(f->calls, 0, sizeof(f->calls));
}

struct fake_object *
fake_find(struct store *s, const char *key)
{
	return *slot(fake_of(s), key);
}

size_t
fake_objects(struct store *s)
{
	return fake_of(s)->object_count - (fake_find(s, "") != NULL);
}

unsigned
fake_uploads(struct store *s)
{
	struct fake_upload *u;
	unsigned n = 0;

	for (u = fake_of(s)->uploads; u != NULL; u = u->next)
		n++;
	return n;
}

void
fake_forget_uploads(struct store *s)
{
	struct fake *f = fake_of(s);

	while (f->uploads != NULL)
		drop_upload(f, &f->uploads);
}

void
fake_begin_upload(struct store *s, const char *key)
{
	struct plan plan = {.size = 1, .part_bytes = 1, .parts = 1};
	struct item_stat st = {.type = ITEM_FILE};

	begin_upload(fake_of(s), key, &plan, &st);
}

void
fake_put(struct store *s, const char *key, const void *data, size_t len,
    int64_t mtime_ns)
{
	struct item_stat st = {
	    .type = ITEM_FILE,
	    .mtime_ns = mtime_ns,
	    .size = len,
	};

	keep(fake_of(s), key, &st, data, len);
}
