/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/place.h"
#include "agent/reach.h"
#include "base/buf.h"
#include "base/clock.h"

#define CHUNK_BYTES ((size_t)4 << 20)

struct place {
	const struct options *o;
	const atomic_bool *stop;
	struct store_config config;
	struct store *store;
	struct session *session;
	char *name;
	int fd;
	uint64_t size;
	bool refreshed;
	/* Of what is under way: */
	void *data;
	size_t len;
	uint64_t offset;
	struct digest digest;
	bool proved; /* all so far */
	char id[STORE_ID_MAX];
	struct store_upload upload;
	struct store_part *parts;
	uint32_t part;
	struct digest whole;
	store_list_fn *fn;
	void *arg;
};

static void
place_close(struct place *p)
{
	store_disconnect(p->session);
	store_close(p->store);
	free(p->name);
	free(p->data);
	free(p->parts);
}

int
place_split(const char *where, char **directory, char **name, struct err *e)
{
	bool query = strncmp(where, "nfs://", 6) == 0;
	size_t len = query ? strcspn(where, "?") : strlen(where);
	const char *host = strstr(where, "://");
	const char *slash = memrchr(where, '/', len);
	AUTO(buf) struct buf dir = BUF_INIT(1 << 20);
	size_t name_at;

	*directory = *name = NULL;
	if (slash != NULL && host != NULL && slash < host + 3)
		slash = where + len; /* a bucket or host alone */
	name_at = slash != NULL ? (size_t)(slash - where) + 1 : 0;
	if (name_at >= len)
		return err_set(e, ERR_USAGE, "%s: does not name a file", where);
	if (slash == NULL)
		buf_addc(&dir, '.');
	else
		buf_add(
		    &dir, where, (size_t)(slash - where) + (slash == where));
	/* sftp://host/NAME: the root */
	if (host != NULL && strchr(host + 3, '/') == slash)
		buf_addc(&dir, '/');
	buf_adds(&dir, where + len);
	*name = strndup(where + name_at, len - name_at);
	*directory = buf_take(&dir);
	return *directory != NULL && *name != NULL
	    ? 0
	    : err_set(e, ERR_NOMEM, "out of memory");
}

int
place_check(const char *where, struct err *e)
{
	AUTO(free) char *directory = NULL;
	AUTO(free) char *name = NULL;
	AUTO(store_url) struct store_url *url = NULL;

	if (place_split(where, &directory, &name, e) == -1)
		return -1;
	url = store_url_parse(directory, e);
	return url != NULL ? 0 : -1;
}

static int
open_directory(
    struct place *p, const char *directory, bool create, struct err *e)
{
	AUTO(store_url)
	struct store_url *url = store_url_parse(directory, e);
	struct reach_options ro = {
	    .create = create,
	    .checksum = create,
	    .attempts = p->o->retries,
	    .stop = p->stop,
	};
	struct store_probe probe;

	if (url == NULL)
		return -1;
	p->store = store_open(url, &p->config, e);
	if (p->store == NULL || reach_store(p->store, &ro, &probe, e) == -1)
		return -1;
	p->session = store_connect(p->store, e);
	return p->session != NULL ? 0 : -1;
}

static int
open_place(struct place *p, const char *where, bool create, struct err *e)
{
	AUTO(free) char *directory = NULL;

	if (place_split(where, &directory, &p->name, e) == -1)
		return -1;
	return open_directory(p, directory, create, e);
}

/* Does STEP, again as long as that makes sense. */
static int
insist(
    struct place *p, int (*step)(struct place *p, struct err *e), struct err *e)
{
	struct retry_policy policy = {
	    .attempts = p->o->retries,
	    .base_ms = 500,
	    .cap_ms = 30000,
	};
	unsigned attempt;
	int64_t wait;

	for (attempt = 1; step(p, e) == -1; attempt++) {
		if (e->kind == ERR_EXPIRED && !p->refreshed &&
		    p->store->ops->refresh != NULL) {
			p->refreshed = true;
			if (p->store->ops->refresh(p->store, e) == 0)
				continue;
		}
		wait = retry_delay_ms(
		    &policy, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0)
			return -1;
		if (!reach_pause(wait, p->stop))
			return err_set(e, ERR_STOPPED, "stopped");
	}
	return 0;
}

/* LEN bytes at OFFSET of the file at hand, into p->data. */
static int
load(struct place *p, uint64_t offset, size_t len, struct err *e)
{
	unsigned char *to = p->data;
	size_t done = 0;

	p->offset = offset;
	p->len = len;
	while (done < len) {
		ssize_t n =
		    pread(p->fd, to + done, len - done, (off_t)(offset + done));

		if (n <= 0)
			return err_sys(e, "temporary file");
		done += (size_t)n;
	}
	return 0;
}

static int
take_digest(struct place *p, struct err *e)
{
	AUTO(digester) struct digester *d = digester_new(e);

	if (d == NULL)
		return -1;
	digester_start(d,
	    DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C |
		p->store->ops->digests(p->store));
	digester_update(d, p->data, p->len);
	digester_finish(d, &p->digest);
	return 0;
}

static int
step_put(struct place *p, struct err *e)
{
	struct store_receipt r;

	if (p->store->ops->put(p->session, p->name, &p->upload.st, p->data,
		p->len, &p->digest, &r, e) == -1)
		return -1;
	p->proved = r.proved;
	return 0;
}

static int
step_begin(struct place *p, struct err *e)
{
	return p->store->ops->upload_begin(
	    p->session, p->name, &p->upload.st, &p->upload.plan, p->id, e);
}

static int
step_part(struct place *p, struct err *e)
{
	struct store_part *part = &p->parts[p->part - 1];
	struct store_receipt r;

	if (p->store->ops->upload_part(p->session, &p->upload, p->part, p->data,
		p->len, &p->digest, &r, e) == -1)
		return -1;
	*part = (struct store_part){.number = p->part,
	    .size = p->len,
	    .digest = p->digest,
	    .proved = r.proved};
	memcpy(part->etag, r.etag, sizeof(part->etag));
	p->proved &= r.proved;
	return 0;
}

static int
step_complete(struct place *p, struct err *e)
{
	struct store_receipt r;

	return p->store->ops->upload_complete(p->session, &p->upload, p->parts,
	    p->upload.plan.parts, &p->whole, &r, e);
}

static int
send_parts(struct place *p, struct err *e)
{
	const struct plan *plan = &p->upload.plan;

	p->parts = calloc(plan->parts, sizeof(*p->parts));
	if (p->parts == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	p->proved = true;
	p->upload.id = p->id;
	for (p->part = 1; p->part <= plan->parts; p->part++) {
		size_t len = (size_t)plan_length(plan, p->part);

		if (load(p, plan_offset(plan, p->part), len, e) == -1 ||
		    take_digest(p, e) == -1 || insist(p, step_part, e) == -1)
			return -1;
		if (p->part == 1)
			p->whole = (struct digest){
			    .have = DIGEST_CRC64NVME | DIGEST_CRC32C};
		p->whole.crc64nvme = crc64nvme_combine(
		    p->whole.crc64nvme, p->digest.crc64nvme, len);
		p->whole.crc32c =
		    crc32c_combine(p->whole.crc32c, p->digest.crc32c, len);
	}
	return insist(p, step_complete, e);
}

static int
step_read(struct place *p, struct err *e)
{
	return p->store->ops->read(
	    p->session, p->name, p->offset, p->data, p->len, e);
}

/* Reads back what the store has not proved. */
static int
read_back(struct place *p, struct err *e)
{
	AUTO(free) void *there = malloc(CHUNK_BYTES);
	uint64_t at;

	if (there == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (at = 0; at < p->size; at += p->len) {
		uint64_t left = p->size - at;

		p->offset = at;
		p->len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
		if (insist(p, step_read, e) == -1)
			return err_context(e, "reading it back");
		memcpy(there, p->data, p->len);
		if (load(p, at, p->len, e) == -1)
			return -1;
		if (memcmp(there, p->data, p->len) != 0)
			return err_set(e, ERR_MISMATCH,
			    "read back, it is not what was sent");
	}
	return 0;
}

static int
send(struct place *p, struct err *e)
{
	struct plan_limits limits = {0};
	struct err ignored = ERR_INIT;
	size_t most;
	int rc;

	p->store->ops->limits(p->store, &limits);
	limits.threshold_bytes = p->o->threshold_bytes;
	limits.part_bytes = p->o->part_bytes;
	if (plan_make(p->size, &limits, &p->upload.plan, e) == -1)
		return -1;
	p->upload.key = p->name;
	most = (size_t)(p->upload.plan.parts > 0 ? p->upload.plan.part_bytes
						 : p->size);
	p->data = malloc(most > CHUNK_BYTES ? most : CHUNK_BYTES);
	if (p->data == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (p->upload.plan.parts == 0) {
		if (load(p, 0, (size_t)p->size, e) == -1 ||
		    take_digest(p, e) == -1 || insist(p, step_put, e) == -1)
			return -1;
	} else {
		if (insist(p, step_begin, e) == -1)
			return -1;
		rc = send_parts(p, e);
		if (rc == -1) {
			p->store->ops->upload_abort(
			    p->session, p->name, p->id, &ignored);
			return -1;
		}
	}
	return p->proved ? 0 : read_back(p, e);
}

int
place_write(const char *where, int fd, uint64_t size, const struct options *o,
    const char *owner, const atomic_bool *stop, struct err *e)
{
	struct place p = {
	    .o = o, .stop = stop, .config = o->store, .fd = fd, .size = size};
	int rc;

	p.config.owner = owner;
	p.config.read_back = true;
	p.upload.st = (struct item_stat){
	    .type = ITEM_FILE, .size = size, .mtime_ns = clock_wall_ns()};
	rc = open_place(&p, where, true, e);
	if (rc == 0)
		rc = send(&p, e);
	place_close(&p);
	return rc;
}

int
place_put(const char *directory, const struct place_file *file,
    const struct options *o, const char *owner, const atomic_bool *stop,
    struct err *e)
{
	struct place p = {.o = o,
	    .stop = stop,
	    .config = o->store,
	    .fd = file->fd,
	    .size = file->size};
	int rc;

	p.config.owner = owner;
	p.config.read_back = true;
	p.config.content_type = file->content_type;
	p.config.stop = stop;
	p.upload.st = (struct item_stat){
	    .type = ITEM_FILE, .size = file->size, .mtime_ns = file->mtime_ns};
	p.name = strdup(file->key);
	rc = p.name != NULL ? open_directory(&p, directory, true, e)
			    : err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = send(&p, e);
	place_close(&p);
	return rc;
}

static int
step_stat(struct place *p, struct err *e)
{
	struct store_stat st;

	if (p->store->ops->stat(p->session, p->name, &st, e) == -1)
		return -1;
	if (st.type != ITEM_FILE)
		return err_set(e, ERR_CONFIG, "is no file");
	p->size = st.size;
	return 0;
}

static int
fetch(struct place *p, struct err *e)
{
	uint64_t at;

	p->data = malloc(CHUNK_BYTES);
	if (p->data == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (insist(p, step_stat, e) == -1)
		return -1;
	for (at = 0; at < p->size; at += p->len) {
		uint64_t left = p->size - at;

		p->offset = at;
		p->len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
		if (insist(p, step_read, e) == -1)
			return -1;
		if (pwrite(p->fd, p->data, p->len, (off_t)at) !=
		    (ssize_t)p->len)
			return err_sys(e, "temporary file");
	}
	return 0;
}

int
place_read(const char *where, int fd, const struct options *o,
    const atomic_bool *stop, struct err *e)
{
	struct place p = {.o = o, .stop = stop, .config = o->store, .fd = fd};
	int rc = open_place(&p, where, false, e);

	if (rc == 0)
		rc = fetch(&p, e);
	place_close(&p);
	return rc;
}

int
place_get(const char *directory, const char *key, int fd,
    const struct options *o, const atomic_bool *stop, struct err *e)
{
	struct place p = {.o = o, .stop = stop, .config = o->store, .fd = fd};
	int rc;

	p.name = strdup(key);
	rc = p.name != NULL ? open_directory(&p, directory, false, e)
			    : err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = fetch(&p, e);
	place_close(&p);
	return rc;
}

static int
step_list(struct place *p, struct err *e)
{
	return p->store->ops->list(p->session, "", true, p->fn, p->arg, e);
}

int
place_list(const char *directory, const struct options *o,
    const atomic_bool *stop, store_list_fn *fn, void *arg, struct err *e)
{
	struct place p = {
	    .o = o, .stop = stop, .config = o->store, .fn = fn, .arg = arg};
	int rc = open_directory(&p, directory, false, e);

	if (rc == 0)
		rc = insist(&p, step_list, e);
	place_close(&p);
	return rc;
}
