/* SPDX-License-Identifier: ISC */
/*
 * Files: a temporary one, and its name.  A small file takes three rounds:
 * open; bytes, what they read back as, metadata and sync; close and rename.  A
 * checksum taken there is one more, before the last.
 */
#include "config.h"

#include <string.h>

#include "transfer/sftp/internal.h"

#define NONE SIZE_MAX

static struct call *
call_of(struct session *c)
{
	return &sftp_session_of(c)->call;
}

static bool
has(struct session *c, unsigned feature)
{
	return (call_of(c)->caps.features & feature) != 0;
}

/* Without saying why: too many may be open. */
static int
open_failed(struct session *c, uint32_t status, struct err *e)
{
	int users = atomic_load(conn_users(call_of(c)->conn));

	sftp_failed(c, status, "make temporary file", e);
	if (e->kind == ERR_SERVER && users > 1)
		e->kind = ERR_THROTTLE;
	return -1;
}

/* Nobody else reads it before it has its owner and mode. */
static void
ask_temp(struct session *c, const char *path, const struct item_stat *st,
    struct conn_handle *h)
{
	struct proto_attrs attrs = {
	    .have = st->mode != 0 ? PROTO_ATTR_MODE : 0,
	    .mode = 0600,
	};

	call_open(call_of(c), path,
	    PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREAT |
		PROTO_OPEN_EXCL,
	    &attrs, h);
}

int
sftp_temp_file(struct session *c, const char *key, const struct item_stat *st,
    char *temp, struct conn_handle *h, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	bool again = false, parents = false;

	for (;;) {
		const char *path;
		uint32_t status;

		sftp_temp_name(c, temp);
		path = sftp_beside(c, &me->path, key, temp, e);
		if (path == NULL)
			return -1;
		call_again(&me->call);
		ask_temp(c, path, st, h);
		if (call_run(&me->call, e) == -1)
			return -1;
		status = call_status(&me->call, 0);
		if (status == PROTO_OK)
			return 0;
		if ((status == PROTO_NO_SUCH_FILE ||
			status == PROTO_PERMISSION_DENIED) &&
		    !parents) {
			parents = true;
			if (sftp_parents_again(c, key, e) == -1)
				return -1;
		} else if ((status == PROTO_FAILURE || status == 11) &&
		    !again) {
			/* The name may be taken. */
			again = true;
		} else {
			return open_failed(c, status, e);
		}
	}
}

/* The link TO goes; what it leads to isn't ours to be moved. */
static int
replace_link(struct session *c, const char *from, const char *to, struct err *e)
{
	struct call *call = call_of(c);
	uint32_t status;

	/* One after the other: none is carried out late without the other. */
	call_again(call);
	call_path(call, PROTO_REMOVE, to);
	if (call_run(call, e) == -1)
		return -1;
	call_again(call);
	call_rename(call, false, from, to);
	if (call_run(call, e) == -1)
		return -1;
	status = call_status(call, 0);
	return status == PROTO_OK ? 0 : sftp_failed(c, status, "rename", e);
}

/* Why FROM didn't become KEY, which is TO at the server; and where that needs
 * more than one step, it is done. */
static int
rename_otherwise(struct session *c, uint32_t status, const char *from,
    const char *to, const char *key, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct proto_attrs there = {0};
	bool posix = has(c, PROTO_HAS_POSIX_RENAME);

	if (status != PROTO_FAILURE && status != 11 &&
	    status != PROTO_PERMISSION_DENIED)
		return sftp_failed(c, status, "rename", e);
	call_again(&me->call);
	call_stat(&me->call, PROTO_LSTAT, to, &there);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) == PROTO_OK &&
	    (there.have & PROTO_ATTR_MODE) != 0 && S_ISDIR(there.mode))
		return err_set(e, ERR_EXISTS,
		    "a directory has this name at the target: move it away, "
		    "or exclude this item");
	if (posix || call_status(&me->call, 0) != PROTO_OK)
		return sftp_failed(c, status, "rename", e);
	return S_ISLNK(there.mode) ? replace_link(c, from, to, e)
				   : sftp_replace(c, from, key, e);
}

int
sftp_rename_to(
    struct session *c, const char *from, const char *key, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *to = sftp_path(c, &me->path2, key, e);
	uint32_t status;

	if (to == NULL)
		return -1;
	call_again(&me->call);
	call_rename(&me->call, has(c, PROTO_HAS_POSIX_RENAME), from, to);
	if (call_run(&me->call, e) == -1)
		return -1;
	status = call_status(&me->call, 0);
	return status == PROTO_OK
	    ? 0
	    : rename_otherwise(c, status, from, to, key, e);
}

/*
 * What CLOSE may tell has been told by a sync before, or it isn't asked for;
 * else it is waited for.
 */
static bool
close_tells_nothing(struct session *c)
{
	const struct store_config *config = &sftp_store_of(c)->config;

	return has(c, PROTO_HAS_FSYNC) || config->no_fsync || config->read_back;
}

/* The last requests of an item. */
struct naming {
	const char *key;
	const char *from, *to; /* in the session's buffers */
	size_t closed, renamed;
};

static int
naming_paths(struct session *c, const char *key, const char *temp,
    struct naming *n, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);

	n->key = key;
	n->from = sftp_beside(c, &me->path, key, temp, e);
	n->to = sftp_path(c, &me->path2, key, e);
	n->closed = NONE;
	return n->from != NULL && n->to != NULL ? 0 : -1;
}

static void
ask_rename(struct session *c, struct naming *n)
{
	n->renamed = call_rename(
	    call_of(c), has(c, PROTO_HAS_POSIX_RENAME), n->from, n->to);
}

static int
check_close(struct session *c, size_t closed, struct err *e)
{
	uint32_t status = call_status(call_of(c), closed);

	return status == PROTO_OK ? 0 : sftp_failed(c, status, "close", e);
}

static int
check_naming(struct session *c, const struct naming *n, struct err *e)
{
	uint32_t renamed = call_status(call_of(c), n->renamed);

	if (n->closed != NONE && check_close(c, n->closed, e) == -1)
		return -1;
	if (renamed == PROTO_OK)
		return 0;
	return rename_otherwise(c, renamed, n->from, n->to, n->key, e);
}

int
sftp_publish(struct session *c, const char *key, const char *temp,
    const struct conn_handle *h, struct err *e)
{
	struct call *call = call_of(c);
	struct naming n;

	if (naming_paths(c, key, temp, &n, e) == -1)
		return -1;
	if (h != NULL)
		n.closed = call_close(call, h);
	if (h != NULL && !close_tells_nothing(c)) {
		if (call_run(call, e) == -1 ||
		    check_close(c, n.closed, e) == -1)
			return -1;
		call_again(call);
		n.closed = NONE;
	}
	ask_rename(c, &n);
	return call_run(call, e) == -1 ? -1 : check_naming(c, &n, e);
}

/* The bits that make a file run as its owner, now that it is the right one;
 * a request of the next round. */
static void
ask_set_id(
    struct session *c, const struct conn_handle *h, const struct item_stat *st)
{
	struct proto_attrs mode = {
	    .have = PROTO_ATTR_MODE,
	    .mode = st->mode & 07777,
	};

	call_fsetstat(call_of(c), h, &mode);
}

/* How far a small file has come. */
enum putting_step { PUTTING_OPEN, PUTTING_BYTES, PUTTING_NAME };

struct putting {
	struct session *c;
	const char *key;
	const struct item_stat *st;
	const void *data;
	size_t len;
	const struct digest *digest;
	enum putting_step step;
	char temp[TEMP_NAME_SIZE]; /* "" while none was asked for */
	struct conn_handle handle;
	size_t writes, reads;
	struct sftp_meta meta;
	bool set_id;
	struct naming naming;
};

/* Whether it is proved there: we read what we wrote, but what its mode closes
 * to us only by the handle. */
static bool
proves_there(struct session *c, const struct item_stat *st)
{
	const struct store_config *config = &sftp_store_of(c)->config;

	return config->read_back && config->sftp_checksum != NULL &&
	    (st->mode == 0 || (st->mode & 0400) != 0);
}

/* All of it but its name. */
static void
ask_bytes(struct putting *p)
{
	p->step = PUTTING_BYTES;
	call_again(call_of(p->c));
	p->writes = sftp_write_ask(p->c, &p->handle, 0, p->data, p->len);
	p->reads = 0;
	if (sftp_store_of(p->c)->config.read_back && !proves_there(p->c, p->st))
		p->reads =
		    sftp_read_ask(p->c, &p->handle, 0, p->len, NULL, p->data);
	p->meta = sftp_meta_ask(p->c, &p->handle, p->st);
}

static int
check_bytes(struct putting *p, struct err *e)
{
	if (sftp_write_check(p->c, 0, p->writes, e) == -1 ||
	    sftp_meta_check(p->c, &p->meta, p->st, &p->set_id, e) == -1)
		return -1;
	return sftp_read_check(p->c, p->writes, p->reads, &p->handle, e);
}

/* Whether looking at the answers can't take another round. */
static bool
is_plain(const struct call *call)
{
	size_t i;

	for (i = 0; i < call->n; i++) {
		const struct request *r = &call->requests[i];

		if (r->status != PROTO_OK ||
		    (r->expect != NULL && (r->differs || r->got != r->len)))
			return false;
	}
	return true;
}

/* The next round, as long as all goes well: nobody needs to wake for that. */
static bool
go_on(struct call *call, void *arg)
{
	struct putting *p = arg;
	struct err e = ERR_INIT;

	if (p->step == PUTTING_NAME || !is_plain(call))
		return false;
	if (p->step == PUTTING_OPEN) {
		ask_bytes(p);
		return true;
	}
	/* The checksum is waited for. */
	if (!close_tells_nothing(p->c) || proves_there(p->c, p->st) ||
	    check_bytes(p, &e) == -1 ||
	    naming_paths(p->c, p->key, p->temp, &p->naming, &e) == -1)
		return false;
	p->step = PUTTING_NAME;
	call_again(call);
	if (p->set_id)
		ask_set_id(p->c, &p->handle, p->st);
	p->naming.closed = call_close(call, &p->handle);
	ask_rename(p->c, &p->naming);
	return true;
}

/* Opens the temporary file, and goes on as far as that is easy. */
static int
begin_put(struct putting *p, struct err *e)
{
	struct session *c = p->c;
	struct call *call = call_of(c);
	const char *path;

	if (sftp_parents(c, p->key, true, e) == -1)
		return -1;
	sftp_temp_name(c, p->temp);
	path = sftp_beside(c, &sftp_session_of(c)->path, p->key, p->temp, e);
	if (path == NULL)
		return -1;
	call_again(call);
	ask_temp(c, path, p->st, &p->handle);
	if (call_run_rounds(call, go_on, p, e) == -1)
		return -1;
	if (p->step != PUTTING_OPEN)
		return 0;
	/* Something stands in the way. */
	if (sftp_temp_file(c, p->key, p->st, p->temp, &p->handle, e) == -1)
		return -1;
	ask_bytes(p);
	return call_run_rounds(call, go_on, p, e);
}

static int
prove(struct putting *p, struct err *e)
{
	struct buf *b = &sftp_session_of(p->c)->path;
	const char *path = sftp_beside(p->c, b, p->key, p->temp, e);

	if (path == NULL)
		return -1;
	return sftp_prove(p->c, path, 0, p->data, p->len, true, p->digest, e);
}

/* What the connection's thread left to do: more than asking. */
static int
finish_put(struct putting *p, struct err *e)
{
	if (p->step == PUTTING_NAME)
		return check_naming(p->c, &p->naming, e);
	if (check_bytes(p, e) == -1 ||
	    (proves_there(p->c, p->st) && prove(p, e) == -1))
		return -1;
	p->step = PUTTING_NAME;
	call_again(call_of(p->c));
	if (p->set_id)
		ask_set_id(p->c, &p->handle, p->st);
	return sftp_publish(p->c, p->key, p->temp, &p->handle, e);
}

int
sftp_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	struct putting p = {
	    .c = c,
	    .key = key,
	    .st = st,
	    .data = data,
	    .len = len,
	    .digest = digest,
	};
	int rc;

	if (store_sweep_left(c, key, e) == -1 || sftp_begin(c, e) == -1)
		return -1;
	rc = begin_put(&p, e) == -1 ? -1 : finish_put(&p, e);
	if (rc == -1 && p.temp[0] != '\0')
		sftp_drop(c, key, p.temp,
		    p.step == PUTTING_BYTES ? &p.handle : NULL, e);
	sftp_end(c);
	if (rc == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = sftp_store_of(c)->config.read_back;
	return 0;
}
