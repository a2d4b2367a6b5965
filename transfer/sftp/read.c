/* SPDX-License-Identifier: ISC */
/* What is read: items' state, and files as a source. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/sftp/internal.h"

/* A file up to this size is fetched when it is opened: many may be. */
#define SMALL_BYTES ((uint64_t)64 << 10)
/* A bigger one is worth a connection. */
#define BULK_BYTES ((uint64_t)64 << 20)

struct sftp_file {
	struct store_file base;
	struct conn *conn;
	struct conn_handle handle;
	uint8_t *data;	/* all of a small file */
	bool unchanged; /* it was the same after that was read */
};

static struct call *
call_of(struct session *c)
{
	return &sftp_session_of(c)->call;
}

static int
stat_item(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct proto_attrs attrs;
	const char *path;

	if (sftp_parents(c, key, false, e) == -1) {
		/* Behind a file or a link there is nothing. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_NOTFOUND;
		return -1;
	}
	path = sftp_path(c, &me->path, key, e);
	if (path == NULL)
		return -1;
	call_stat(
	    &me->call, key[0] == '\0' ? PROTO_STAT : PROTO_LSTAT, path, &attrs);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) != PROTO_OK)
		return sftp_failed(c, call_status(&me->call, 0), "stat", e);
	*out = sftp_stat_of(&attrs);
	return 0;
}

int
sftp_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	size_t len = strlen(key);
	AUTO(free)
	char *name =
	    strndup(key, len > 0 && key[len - 1] == '/' ? len - 1 : len);
	struct store_stat st;
	int rc;

	if (name == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (sftp_begin(c, e) == -1)
		return -1;
	rc = stat_item(c, name, &st, e);
	sftp_end(c);
	if (rc == -1)
		return -1;
	if (len > 0 && key[len - 1] == '/' && st.type != ITEM_DIR)
		return err_set(e, ERR_NOTFOUND, "no such directory");
	*out = st;
	return 0;
}

static int
link_target(
    struct session *c, const char *path, struct proto_name *out, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);

	call_again(&me->call);
	call_names(&me->call, PROTO_READLINK, path, &me->body[0]);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) != PROTO_OK)
		return sftp_failed(
		    c, call_status(&me->call, 0), "read link", e);
	return call_one_name(&me->body[0], out, e);
}

/*
 * Looks what PATH is, and opens it if it is a regular file.  In two rounds: a
 * server that opens a fifo waits for its writer, and answers nobody.
 */
static int
look_and_open(struct session *c, const char *path, bool follow, mode_t *mode,
    struct conn_handle *h, struct err *e)
{
	struct proto_attrs attrs = {0};
	struct call *call = call_of(c);

	call_stat(call, follow ? PROTO_STAT : PROTO_LSTAT, path, &attrs);
	if (call_run(call, e) == -1)
		return -1;
	if (call_status(call, 0) != PROTO_OK)
		return sftp_failed(c, call_status(call, 0), "stat", e);
	*mode = (attrs.have & PROTO_ATTR_MODE) != 0 ? attrs.mode : S_IFREG;
	if (!S_ISREG(*mode))
		return 0;
	call_again(call);
	call_open(call, path, PROTO_OPEN_READ, NULL, h);
	if (call_run(call, e) == -1)
		return -1;
	return call_status(call, 0) == PROTO_OK
	    ? 0
	    : sftp_failed(c, call_status(call, 0), "open", e);
}

static int
read_item(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct proto_name target;
	struct conn_handle h;
	const char *path;
	mode_t mode;
	int rc;

	if (sftp_parents(c, key, false, e) == -1)
		return -1;
	path = sftp_path(c, &me->path, key, e);
	if (path == NULL || look_and_open(c, path, false, &mode, &h, e) == -1)
		return -1;
	/* A symlink's bytes are its target, as in every store. */
	if (S_ISLNK(mode)) {
		if (link_target(c, path, &target, e) == -1)
			return -1;
		if (offset > target.len || len > target.len - offset)
			return err_set(e, ERR_MISMATCH, "ends too early");
		memcpy(data, target.name + offset, len);
		return 0;
	}
	if (!S_ISREG(mode))
		return err_set(e, ERR_MISMATCH, "not a regular file");
	rc = sftp_read_range(c, &h, offset, len, data, NULL, e);
	conn_close_later(me->call.conn, &h);
	return rc;
}

int
sftp_read(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = read_item(c, key, offset, data, len, e);
	sftp_end(c);
	return rc;
}

static int
other_kind(struct err *e)
{
	return err_set(e, ERR_CHANGED, "is another kind of file now");
}

static int
same(const struct sftp_file *f, const struct proto_attrs *now, struct err *e)
{
	struct store_stat st = sftp_stat_of(now);
	struct item_stat is = item_of_listed(&st);

	return item_same(&is, &f->base.state)
	    ? 0
	    : err_set(e, ERR_CHANGED, "changed while it was read");
}

/* Asks for a byte behind the last one, in the same round: servers were seen to
 * tell a size that is too small.  The request. */
static size_t
ask_for_more(struct call *call, const struct conn_handle *h, uint64_t size,
    uint8_t *byte)
{
	return call_read(call, h, size, 1, byte, NULL);
}

static int
longer(uint64_t size, struct err *e)
{
	return err_set(e, ERR_CHANGED,
	    "holds more than the %llu bytes that the server tells of",
	    (unsigned long long)size);
}

static bool
has_more(const struct call *call, size_t request)
{
	return call_status(call, request) == PROTO_OK &&
	    call->requests[request].got > 0;
}

/* What tells it apart; and, if it is small, all of it. */
static int
begin_file(struct session *c, struct sftp_file *f, uint64_t size, struct err *e)
{
	struct call *call = call_of(c);
	struct proto_attrs before = {0}, after = {0};
	struct store_stat st;
	size_t reads = 0, more = 0, last = 0;
	bool fetch = size <= SMALL_BYTES;

	if (fetch && (f->data = malloc((size_t)size + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	call_again(call);
	call_fstat(call, &f->handle, &before);
	if (fetch) {
		reads = sftp_read_ask(
		    c, &f->handle, 0, (size_t)size, f->data, NULL);
		more = ask_for_more(call, &f->handle, size, f->data + size);
		last = call_fstat(call, &f->handle, &after);
	}
	if (call_run(call, e) == -1)
		return -1;
	if (call_status(call, 0) != PROTO_OK)
		return sftp_failed(c, call_status(call, 0), "stat", e);
	st = sftp_stat_of(&before);
	if (st.type != ITEM_FILE)
		return other_kind(e);
	f->base.state = f->base.meta = item_of_listed(&st);
	f->base.meta.has_atime =
	    st.has_atime && sftp_store_of(c)->config.keep_atimes;
	f->base.meta.atime_ns = st.atime_ns;
	if (!fetch)
		return 0;
	f->unchanged =
	    call_status(call, last) == PROTO_OK && same(f, &after, e) == 0;
	if (f->unchanged && st.size == size && has_more(call, more))
		return longer(size, e);
	if (st.size == size && f->unchanged &&
	    sftp_read_check(c, 1, reads, &f->handle, e) == 0)
		return 0;
	/* The hint was wrong: it is read the long way. */
	free(f->data);
	f->data = NULL;
	return 0;
}

static int
open_source(struct session *c, const char *key, uint64_t size,
    struct sftp_file *f, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	bool follow = sftp_store_of(c)->config.follow_links;
	const char *path;
	mode_t mode;

	if (!follow && sftp_parents(c, key, false, e) == -1)
		return -1;
	path = sftp_path(c, &me->path, key, e);
	if (path == NULL ||
	    look_and_open(c, path, follow, &mode, &f->handle, e) == -1)
		return -1;
	if (!S_ISREG(mode))
		return other_kind(e);
	f->conn = me->call.conn;
	if (begin_file(c, f, size, e) == 0)
		return 0;
	conn_close_later(me->call.conn, &f->handle);
	return -1;
}

struct store_file *
sftp_open_file(struct session *c, const char *key, uint64_t size, struct err *e)
{
	struct sftp_file *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->base.session = c;
	rc = size > BULK_BYTES ? sftp_begin_bulk(c, e) : sftp_begin(c, e);
	if (rc == 0) {
		rc = open_source(c, key, size, f, e);
		sftp_end(c);
	}
	if (rc == 0)
		return &f->base;
	if (e->kind == ERR_NOTFOUND)
		err_set(e, ERR_VANISHED, "vanished before it was read");
	else if (e->kind == ERR_EXISTS)
		other_kind(e);
	free(f->data);
	free(f);
	return NULL;
}

static int
read_open(
    struct sftp_file *f, uint64_t offset, void *data, size_t len, struct err *e)
{
	struct session *c = f->base.session;
	struct call *call = call_of(c);
	uint64_t size = f->base.state.size;
	size_t reads, last = 0;
	bool more = false;
	uint8_t byte;

	call_again(call);
	reads = sftp_read_ask(c, &f->handle, offset, len, data, NULL);
	if (offset + len == size)
		last = ask_for_more(call, &f->handle, size, &byte);
	if (call_run(call, e) == -1)
		return -1;
	if (offset + len == size)
		more = has_more(call, last);
	if (sftp_read_check(c, 0, reads, &f->handle, e) == -1)
		return -1;
	return more ? longer(size, e) : 0;
}

int
sftp_read_file(struct store_file *base, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	struct sftp_file *f = (struct sftp_file *)(void *)base;
	int rc;

	if (f->data != NULL) {
		if (offset > base->state.size ||
		    len > base->state.size - offset)
			return err_set(
			    e, ERR_CHANGED, "changed while it was read");
		memcpy(data, f->data + offset, len);
		return 0;
	}
	if (sftp_begin_on(base->session, f->conn, e) == -1)
		return -1;
	rc = read_open(f, offset, data, len, e);
	sftp_end(base->session);
	if (rc == -1 && e->kind == ERR_MISMATCH)
		err_set(e, ERR_CHANGED, "changed while it was read");
	return rc;
}

int
sftp_check_file(struct store_file *base, struct err *e)
{
	struct sftp_file *f = (struct sftp_file *)(void *)base;
	struct session *c = base->session;
	struct proto_attrs now = {0};
	int rc;

	if (f->data != NULL && f->unchanged)
		return 0;
	if (sftp_begin_on(c, f->conn, e) == -1)
		return -1;
	call_fstat(call_of(c), &f->handle, &now);
	rc = call_run(call_of(c), e);
	if (rc == 0 && call_status(call_of(c), 0) != PROTO_OK)
		rc = sftp_failed(c, call_status(call_of(c), 0), "stat", e);
	sftp_end(c);
	return rc == 0 ? same(f, &now, e) : -1;
}

void
sftp_close_file(struct store_file *base)
{
	struct sftp_file *f = (struct sftp_file *)(void *)base;

	if (f == NULL)
		return;
	conn_close_later(f->conn, &f->handle);
	attrs_free(f->base.attrs);
	free(f->data);
	free(f);
}

static int
read_link(struct session *c, const char *key, struct item_stat *st, char *out,
    size_t size, size_t *len, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct proto_attrs attrs = {0};
	struct proto_name target;
	struct store_stat there;
	const char *path;

	if (sftp_parents(c, key, false, e) == -1)
		return -1;
	path = sftp_path(c, &me->path, key, e);
	if (path == NULL)
		return -1;
	call_stat(&me->call, PROTO_LSTAT, path, &attrs);
	call_names(&me->call, PROTO_READLINK, path, &me->body[0]);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) != PROTO_OK)
		return sftp_failed(c, call_status(&me->call, 0), "stat", e);
	there = sftp_stat_of(&attrs);
	if (call_status(&me->call, 1) != PROTO_OK) {
		if (there.type != ITEM_SYMLINK)
			return err_set(
			    e, ERR_CHANGED, "is no symlink any more");
		return sftp_failed(
		    c, call_status(&me->call, 1), "read link", e);
	}
	/* proftpd may tell what it leads to. */
	if (there.type != ITEM_SYMLINK) {
		there.type = ITEM_SYMLINK;
		there.mode = S_IFLNK | 0777;
		there.size = 0;
	}
	if (call_one_name(&me->body[0], &target, e) == -1)
		return -1;
	if (target.len > size)
		return err_set(e, ERR_NAME, "symlink target too long");
	*st = item_of_listed(&there);
	memcpy(out, target.name, target.len);
	*len = target.len;
	return 0;
}

int
sftp_readlink(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = read_link(c, key, st, out, size, len, e);
	sftp_end(c);
	if (rc == -1 && e->kind == ERR_NOTFOUND)
		err_set(e, ERR_VANISHED, "vanished");
	return rc;
}
