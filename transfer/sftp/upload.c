/* SPDX-License-Identifier: ISC */
/*
 * Uploads: a temporary file beside its target, its name the upload's id.  Its
 * parts may come over several connections, each with a handle of its own that
 * is kept from part to part.  The parts that the ledger names are the progress,
 * never the file's size: it has holes where parts are missing.  What a crash
 * of the server left of them shows when they are read again.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/retry.h"
#include "transfer/sftp/internal.h"

#define CHECK_BYTES ((size_t)4 << 20)

static struct call *
call_of(struct session *c)
{
	return &sftp_session_of(c)->call;
}

/* A handle for PATH on the call's connection that is kept already. */
static bool
find_open(struct session *c, const char *path, struct conn_handle *out)
{
	struct sftp_store *s = sftp_store_of(c);
	struct call *call = call_of(c);
	struct sftp_open *o;

	pthread_mutex_lock(&s->lock);
	for (o = s->open; o != NULL; o = o->next)
		if (o->conn == call->conn &&
		    o->handle.generation == call->generation &&
		    strcmp(o->path, path) == 0)
			break;
	if (o != NULL)
		*out = o->handle;
	pthread_mutex_unlock(&s->lock);
	return o != NULL;
}

/* Keeps H; if another thread was first, or without memory, it is closed when
 * it isn't used any more: false. */
static bool
keep_open(struct session *c, const char *path, const struct conn_handle *h)
{
	struct sftp_store *s = sftp_store_of(c);
	struct call *call = call_of(c);
	struct sftp_open *o = malloc(sizeof(*o) + strlen(path) + 1);
	struct conn_handle other;

	if (o == NULL || find_open(c, path, &other)) {
		free(o);
		return false;
	}
	o->conn = call->conn;
	o->handle = *h;
	memcpy(o->path, path, strlen(path) + 1);
	pthread_mutex_lock(&s->lock);
	o->next = s->open;
	s->open = o;
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* Closes all handles of PATH (NULL: just forgets all). */
static void
close_all(struct sftp_store *s, const char *path)
{
	struct sftp_open **at = &s->open, *gone = NULL, *o;

	pthread_mutex_lock(&s->lock);
	while ((o = *at) != NULL) {
		if (path != NULL && strcmp(o->path, path) != 0) {
			at = &o->next;
			continue;
		}
		*at = o->next;
		o->next = gone;
		gone = o;
	}
	pthread_mutex_unlock(&s->lock);
	while ((o = gone) != NULL) {
		gone = o->next;
		if (path != NULL)
			conn_close_later(o->conn, &o->handle);
		free(o);
	}
}

void
sftp_forget_uploads(struct sftp_store *s)
{
	close_all(s, NULL);
}

/* The upload's file; *OWN: the caller has to close it. */
static int
open_temp(struct session *c, const char *key, const char *id,
    struct conn_handle *h, bool *own, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *path;
	uint32_t status;

	*own = false;
	if (temp_check_id(id, e) == -1)
		return -1;
	if (sftp_parents(c, key, false, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			e->kind = ERR_GONE;
		return -1;
	}
	path = sftp_beside(c, &me->path2, key, id, e);
	if (path == NULL)
		return -1;
	if (find_open(c, path, h))
		return 0;
	call_open(&me->call, path, PROTO_OPEN_READ | PROTO_OPEN_WRITE, NULL, h);
	if (call_run(&me->call, e) == -1)
		return -1;
	status = call_status(&me->call, 0);
	if (status == PROTO_NO_SUCH_FILE)
		return err_set(
		    e, ERR_GONE, "the unfinished file %s is gone", id);
	if (status != PROTO_OK)
		return sftp_failed(c, status, "open", e);
	*own = !keep_open(c, path, h);
	call_again(&me->call);
	return 0;
}

static int
begin(struct session *c, const char *key, const struct item_stat *st, char *id,
    struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	char temp[TEMP_NAME_SIZE];
	struct conn_handle h;
	const char *path;

	if (sftp_parents(c, key, true, e) == -1)
		return -1;
	if (sftp_temp_file(c, key, st, temp, &h, e) == -1) {
		sftp_drop(c, key, temp, NULL, e);
		return -1;
	}
	path = sftp_beside(c, &me->path2, key, temp, e);
	if (path == NULL || !keep_open(c, path, &h))
		conn_close_later(me->call.conn, &h);
	memcpy(id, temp, sizeof(temp));
	return 0;
}

int
sftp_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e)
{
	int rc;

	(void)plan;
	if (sftp_begin(c, e) == -1)
		return -1;
	rc = begin(c, key, st, id, e);
	sftp_end(c);
	return rc;
}

static int
prove_part(struct session *c, const struct store_upload *u, uint64_t offset,
    const void *data, size_t len, const struct digest *digest, struct err *e)
{
	struct buf *b = &sftp_session_of(c)->path;
	const char *path = sftp_beside(c, b, u->key, u->id, e);

	if (path == NULL)
		return -1;
	return sftp_prove(c, path, offset, data, len, false, digest, e);
}

static int
part(struct session *c, const struct store_upload *u, uint32_t number,
    const void *data, size_t len, const struct digest *digest, struct err *e)
{
	const struct store_config *config = &sftp_store_of(c)->config;
	uint64_t offset = plan_offset(&u->plan, number);
	struct call *call = call_of(c);
	size_t writes, reads = 0;
	struct conn_handle h;
	bool own;
	int rc;

	if (open_temp(c, u->key, u->id, &h, &own, e) == -1)
		return -1;
	writes = sftp_write_ask(c, &h, offset, data, len);
	if (config->read_back && config->sftp_checksum == NULL)
		reads = sftp_read_ask(c, &h, offset, len, NULL, data);
	rc = call_run(call, e);
	if (rc == 0)
		rc = sftp_write_check(c, 0, writes, e);
	if (rc == 0)
		rc = sftp_read_check(c, writes, reads, &h, e);
	if (rc == 0 && config->read_back && config->sftp_checksum != NULL)
		rc = prove_part(c, u, offset, data, len, digest, e);
	if (own)
		conn_close_later(call->conn, &h);
	return rc;
}

int
sftp_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	int rc;

	if (number == 0 || number > u->plan.parts ||
	    len != plan_length(&u->plan, number))
		return err_set(e, ERR_MISMATCH,
		    "part %u of %zu bytes is not of the plan", number, len);
	if (sftp_begin_bulk(c, e) == -1)
		return -1;
	rc = part(c, u, number, data, len, digest, e);
	sftp_end(c);
	if (rc == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = sftp_store_of(c)->config.read_back;
	return 0;
}

/* Whether the bytes in the file have the digest of PART. */
static int
part_holds(struct session *base, const struct conn_handle *h,
    const struct plan *plan, const struct store_part *part, uint8_t *io,
    bool *holds, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	uint64_t offset, left;
	struct digest now;

	*holds = false;
	if ((part->digest.have & DIGEST_XXH3) == 0 || part->number == 0 ||
	    part->number > plan->parts ||
	    part->size != plan_length(plan, part->number))
		return 0;
	offset = plan_offset(plan, part->number);
	digester_start(c->digester, DIGEST_XXH3);
	for (left = part->size; left > 0;) {
		size_t n = left < CHECK_BYTES ? (size_t)left : CHECK_BYTES;

		if (sftp_read_range(base, h, offset, n, io, NULL, e) == -1)
			return e->kind == ERR_MISMATCH ? 0 : -1;
		digester_update(c->digester, io, n);
		offset += n;
		left -= n;
	}
	digester_finish(c->digester, &now);
	*holds = memcmp(now.xxh3, part->digest.xxh3, sizeof(now.xxh3)) == 0;
	return 0;
}

/* What reading parts again needs; NULL and ERR_NOMEM. */
static uint8_t *
tools(struct session *base, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	uint8_t *io;

	if (c->digester == NULL && (c->digester = digester_new(e)) == NULL)
		return NULL;
	io = malloc(CHECK_BYTES);
	if (io == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return io;
}

static int
check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	AUTO(free) uint8_t *io = tools(c, e);
	struct conn_handle h;
	bool own;
	size_t i;
	int rc = 0;

	if (io == NULL || open_temp(c, u->key, u->id, &h, &own, e) == -1)
		return -1;
	for (i = 0; i < n && rc == 0; i++)
		rc = part_holds(c, &h, &u->plan, &parts[i], io, &keep[i], e);
	if (own)
		conn_close_later(call_of(c)->conn, &h);
	return rc;
}

int
sftp_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = check(c, u, parts, n, keep, e);
	sftp_end(c);
	return rc;
}

/*
 * Whether the upload was completed before, and then its process was killed:
 * the file is what the parts make.  If not, *E may say why that couldn't be
 * seen.
 */
static bool
is_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	AUTO(free) uint8_t *io = tools(c, e);
	const char *path = sftp_path(c, &me->path2, u->key, e);
	struct proto_attrs a = {0};
	struct conn_handle h;
	struct store_stat st;
	bool holds = true;
	size_t i;

	if (io == NULL || path == NULL || n != u->plan.parts)
		return false;
	call_again(&me->call);
	call_stat(&me->call, PROTO_LSTAT, path, &a);
	if (call_run(&me->call, e) == -1 ||
	    call_status(&me->call, 0) != PROTO_OK)
		return false;
	st = sftp_stat_of(&a);
	if (st.type != ITEM_FILE || st.size != u->plan.size ||
	    st.mtime_ns / 1000000000 != u->st.mtime_ns / 1000000000)
		return false;
	call_again(&me->call);
	call_open(&me->call, path, PROTO_OPEN_READ, NULL, &h);
	if (call_run(&me->call, e) == -1 ||
	    call_status(&me->call, 0) != PROTO_OK)
		return false;
	for (i = 0; i < n && holds; i++)
		if (part_holds(c, &h, &u->plan, &parts[i], io, &holds, e) == -1)
			holds = false;
	conn_close_later(me->call.conn, &h);
	return holds;
}

/* Metadata, the sync, and whether it is all there. */
static int
finish(struct session *c, const struct store_upload *u,
    const struct conn_handle *h, bool *set_id, struct err *e)
{
	struct call *call = call_of(c);
	struct proto_attrs now = {0};
	struct sftp_meta meta;
	size_t stat;

	call_again(call);
	meta = sftp_meta_ask(c, h, &u->st);
	stat = call_fstat(call, h, &now);
	if (call_run(call, e) == -1)
		return -1;
	if (call_status(call, stat) != PROTO_OK)
		return sftp_failed(c, call_status(call, stat), "stat", e);
	if ((now.have & PROTO_ATTR_SIZE) != 0 && now.size != u->plan.size)
		return err_set(e, ERR_MISMATCH,
		    "the unfinished file has %llu bytes, not %llu",
		    (unsigned long long)now.size,
		    (unsigned long long)u->plan.size);
	return sftp_meta_check(c, &meta, &u->st, set_id, e);
}

static int
complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	AUTO(free) char *temp = NULL;
	struct conn_handle h;
	bool own, set_id = false;
	int rc;

	if (n != u->plan.parts)
		return err_set(e, ERR_MISMATCH, "%zu of %u parts are there", n,
		    u->plan.parts);
	if (open_temp(c, u->key, u->id, &h, &own, e) == -1) {
		struct err why = ERR_INIT;

		if (e->kind == ERR_GONE && is_complete(c, u, parts, n, &why))
			return 0;
		/* What can't be seen now isn't gone. */
		if (why.kind == ERR_STOPPED || retry_makes_sense(why.kind))
			*e = why;
		return -1;
	}
	temp = strdup(me->path2.data);
	if (temp == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = finish(c, u, &h, &set_id, e);
	call_again(&me->call);
	if (rc == 0 && set_id) {
		struct proto_attrs mode = {
		    .have = PROTO_ATTR_MODE,
		    .mode = u->st.mode & 07777,
		};

		call_fsetstat(&me->call, &h, &mode);
		rc = call_run(&me->call, e);
		call_again(&me->call);
	}
	/* Handed over before the new name: closed before it, here at least. */
	if (own)
		conn_close_later(me->call.conn, &h);
	if (rc == 0 || (e->kind != ERR_NET && e->kind != ERR_STOPPED))
		close_all(sftp_store_of(c), temp);
	if (rc == -1) {
		/* What failed to reach the disk proves nothing when read. */
		if (e->kind != ERR_NET && e->kind != ERR_STOPPED)
			sftp_drop(c, u->key, u->id, NULL, e);
		return -1;
	}
	if (sftp_publish(c, u->key, u->id, NULL, e) == 0)
		return 0;
	sftp_drop(c, u->key, NULL, NULL, e);
	return -1;
}

int
sftp_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	int rc;

	(void)whole;
	if (store_sweep_left(c, u->key, e) == -1 || sftp_begin(c, e) == -1)
		return -1;
	rc = complete(c, u, parts, n, e);
	sftp_end(c);
	if (rc == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = sftp_store_of(c)->config.read_back;
	return 0;
}

static int
abort_upload(struct session *c, const char *key, const char *id, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *path;
	uint32_t status;

	if (temp_check_id(id, e) == -1)
		return 0;
	if (sftp_parents(c, key, false, e) == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	path = sftp_beside(c, &me->path2, key, id, e);
	if (path == NULL)
		return -1;
	close_all(sftp_store_of(c), path);
	call_path(&me->call, PROTO_REMOVE, path);
	if (call_run(&me->call, e) == -1)
		return -1;
	status = call_status(&me->call, 0);
	if (status == PROTO_OK || status == PROTO_NO_SUCH_FILE)
		return 0;
	return sftp_failed(c, status, "remove unfinished file", e);
}

int
sftp_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = abort_upload(c, key, id, e);
	sftp_end(c);
	return rc;
}
