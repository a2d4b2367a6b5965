/* SPDX-License-Identifier: ISC */
/*
 * What must not be lost, and what must not stay, where calls break off.
 *
 * Where RENAME replaces nothing, the old item moves into a directory with a
 * temporary name first, under its own name: so whoever finds that directory
 * knows where it belongs.  Each step is answered before the next is asked for:
 * a server that hung and goes on later does one of them at most, and that fails
 * once the directory and the new item's temporary file were swept.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/sftp/internal.h"

#define PATH_BYTES ((size_t)1 << 20)
#define NAMES_BYTES ((size_t)1 << 20)

static struct call *
call_of(struct session *c)
{
	return &sftp_session_of(c)->call;
}

/* One request, and how it ended. */
static int
ask(struct session *c, enum proto_type type, const char *path, uint32_t *status,
    struct err *e)
{
	struct proto_attrs closed = {.have = PROTO_ATTR_MODE, .mode = 0700};
	struct call *call = call_of(c);

	call_again(call);
	if (type == PROTO_MKDIR)
		call_setstat(call, type, path, &closed);
	else
		call_path(call, type, path);
	if (call_run(call, e) == -1)
		return -1;
	*status = call_status(call, 0);
	return 0;
}

static int
ask_rename(struct session *c, const char *from, const char *to,
    uint32_t *status, struct err *e)
{
	struct call *call = call_of(c);

	call_again(call);
	call_rename(call, false, from, to);
	if (call_run(call, e) == -1)
		return -1;
	*status = call_status(call, 0);
	return 0;
}

static bool
is_gone(uint32_t status)
{
	return status == PROTO_OK || status == PROTO_NO_SUCH_FILE;
}

/* Where nothing may be removed nothing was made. */
static bool
is_settled(uint32_t status)
{
	return is_gone(status) || status == PROTO_PERMISSION_DENIED;
}

static void
drop_kept(struct session *c, const char *key)
{
	struct sftp_session *me = sftp_session_of(c);

	if (me->kept[0] != '\0')
		store_leave(c->store, key, me->kept);
	me->kept[0] = '\0';
}

void
sftp_drop(struct session *c, const char *key, const char *temp,
    const struct conn_handle *h, const struct err *why)
{
	struct sftp_session *me = sftp_session_of(c);
	bool cut = why->kind == ERR_NET || why->kind == ERR_STOPPED;
	struct err ignored = ERR_INIT;
	const char *path;
	size_t removed;

	/* While the old item is away, the new one stays. */
	if (temp != NULL && !cut && me->kept[0] == '\0' &&
	    (path = sftp_beside(c, &me->path, key, temp, &ignored)) != NULL) {
		call_again(&me->call);
		if (h != NULL)
			call_close(&me->call, h);
		removed = call_path(&me->call, PROTO_REMOVE, path);
		if (call_run(&me->call, &ignored) == 0 &&
		    is_settled(call_status(&me->call, removed)))
			return;
	}
	if (temp != NULL)
		store_leave(c->store, key, temp);
	drop_kept(c, key);
}

/* The server's paths of a replacement. */
struct replacing {
	struct buf to, dir, inside;
};

static int
replacing_paths(
    struct session *c, const char *key, struct replacing *r, struct err *e)
{
	const char *slash = strrchr(key, '/');
	const char *name = slash != NULL ? slash + 1 : key;
	const char *dir =
	    sftp_beside(c, &r->dir, key, sftp_session_of(c)->kept, e);

	if (dir == NULL || sftp_path(c, &r->to, key, e) == NULL)
		return -1;
	buf_adds(&r->inside, dir);
	buf_addc(&r->inside, '/');
	buf_adds(&r->inside, name);
	return buf_failed(&r->inside) ? err_set(e, ERR_NOMEM, "out of memory")
				      : 0;
}

/* The item is where it was, or it wasn't moved: *WHY is all there is to say. */
static int
take_back(struct session *c, const struct replacing *r, bool moved,
    const struct err *why, struct err *e)
{
	struct err ignored = ERR_INIT;
	uint32_t status;

	*e = *why;
	if (moved &&
	    (ask_rename(c, r->inside.data, r->to.data, &status, &ignored) ==
		    -1 ||
		status != PROTO_OK))
		return -1;
	if (ask(c, PROTO_RMDIR, r->dir.data, &status, &ignored) == 0 &&
	    is_gone(status))
		sftp_session_of(c)->kept[0] = '\0';
	return -1;
}

static int
replace(struct session *c, const char *path, const struct replacing *r,
    struct err *e)
{
	struct err why = ERR_INIT;
	uint32_t status;
	bool moved;

	if (ask(c, PROTO_MKDIR, r->dir.data, &status, e) == -1)
		return -1;
	if (status != PROTO_OK) {
		sftp_session_of(c)->kept[0] = '\0';
		return sftp_failed(c, status, "make room for the old one", e);
	}
	if (ask_rename(c, r->to.data, r->inside.data, &status, e) == -1)
		return -1;
	moved = status == PROTO_OK;
	if (!is_gone(status)) {
		sftp_failed(c, status, "move the old one away", &why);
		return take_back(c, r, false, &why, e);
	}
	if (ask_rename(c, path, r->to.data, &status, e) == -1)
		return -1;
	if (status == PROTO_OK)
		return 0;
	sftp_failed(c, status, "rename", &why);
	return take_back(c, r, moved, &why, e);
}

int
sftp_replace(
    struct session *c, const char *path, const char *key, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct replacing r = {
	    .to = BUF_INIT(PATH_BYTES),
	    .dir = BUF_INIT(PATH_BYTES),
	    .inside = BUF_INIT(PATH_BYTES),
	};
	struct err ignored = ERR_INIT;
	int rc;

	sftp_temp_name(c, me->kept);
	rc = replacing_paths(c, key, &r, e);
	if (rc == -1)
		me->kept[0] = '\0';
	else
		rc = replace(c, path, &r, e);
	if (rc == 0) {
		call_again(&me->call);
		call_path(&me->call, PROTO_REMOVE, r.inside.data);
		call_path(&me->call, PROTO_RMDIR, r.dir.data);
		if (call_run(&me->call, &ignored) == 0 &&
		    is_gone(call_status(&me->call, 1)))
			me->kept[0] = '\0';
		/* It is in its place: what stays of the old one can wait. */
		drop_kept(c, key);
	}
	buf_free(&r.to);
	buf_free(&r.dir);
	buf_free(&r.inside);
	return rc;
}

/* Removes KEY unless it is a directory, which is told in *IS_DIR. */
static int
remove_file(struct session *c, const char *key, bool *is_dir, struct err *e)
{
	struct proto_attrs there = {0};
	const char *path;
	uint32_t status;

	*is_dir = false;
	if (sftp_parents(c, key, false, e) == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	path = sftp_path(c, &sftp_session_of(c)->path2, key, e);
	if (path == NULL || sftp_look(c, path, &there, &status, e) == -1)
		return -1;
	if (status == PROTO_OK && (there.have & PROTO_ATTR_MODE) != 0 &&
	    S_ISDIR(there.mode)) {
		*is_dir = true;
		return 0;
	}
	if (status == PROTO_OK && ask(c, PROTO_REMOVE, path, &status, e) == -1)
		return -1;
	return is_gone(status) ? 0 : sftp_failed(c, status, "remove", e);
}

/* NAME, kept in the directory KEY, goes back, unless a new one took its place.
 */
static int
restore(struct session *c, const char *key, const char *name, struct err *e)
{
	AUTO(buf) struct buf inside = BUF_INIT(PATH_BYTES);
	struct sftp_session *me = sftp_session_of(c);
	struct proto_attrs there = {0};
	const char *path = sftp_path(c, &me->path, key, e);
	uint32_t status;

	if (path == NULL)
		return -1;
	buf_adds(&inside, path);
	buf_addc(&inside, '/');
	buf_adds(&inside, name);
	path = sftp_beside(c, &me->path, key, name, e);
	if (path == NULL || sftp_look(c, path, &there, &status, e) == -1)
		return -1;
	if (buf_failed(&inside))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (status == PROTO_NO_SUCH_FILE) {
		if (ask_rename(c, inside.data, path, &status, e) == -1)
			return -1;
		return status == PROTO_OK
		    ? 0
		    : sftp_failed(c, status, "move the old one back", e);
	}
	if (status != PROTO_OK)
		return sftp_failed(c, status, "look", e);
	if (ask(c, PROTO_REMOVE, inside.data, &status, e) == -1)
		return -1;
	return is_gone(status) ? 0 : sftp_failed(c, status, "remove", e);
}

static int
note(void *arg, const struct proto_name *name, struct err *e)
{
	struct buf *names = arg;

	if (sftp_check_name(name->name, name->len, e) == -1)
		return -1;
	buf_add(names, name->name, name->len);
	buf_addc(names, '\0');
	return buf_failed(names) ? err_set(e, ERR_NOMEM, "too many names") : 0;
}

/* Empties and removes the directory KEY, in which an item was kept. */
static int
sweep_dir(
    struct session *c, const char *key, const struct buf *names, struct err *e)
{
	const char *path;
	uint32_t status;
	size_t at;

	for (at = 0; at < names->len; at += strlen(names->data + at) + 1)
		if (restore(c, key, names->data + at, e) == -1)
			return -1;
	path = sftp_path(c, &sftp_session_of(c)->path, key, e);
	if (path == NULL || ask(c, PROTO_RMDIR, path, &status, e) == -1)
		return -1;
	return is_gone(status) ? 0
			       : sftp_failed(c, status, "remove directory", e);
}

int
sftp_sweep(struct session *c, const char *key, struct err *e)
{
	AUTO(buf) struct buf names = BUF_INIT(NAMES_BYTES);
	bool is_dir;
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = remove_file(c, key, &is_dir, e);
	sftp_end(c);
	if (rc == -1 || !is_dir)
		return rc;
	if (sftp_each_name(c, key, note, &names, e) == -1)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	if (sftp_begin(c, e) == -1)
		return -1;
	rc = sweep_dir(c, key, &names, e);
	sftp_end(c);
	return rc;
}
