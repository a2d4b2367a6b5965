/* SPDX-License-Identifier: ISC */
/* Directories, symlinks, metadata; what is removed. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
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

static bool
is_refusal(uint32_t status)
{
	return status == PROTO_PERMISSION_DENIED || status == PROTO_FAILURE ||
	    status == PROTO_OP_UNSUPPORTED || status == PROTO_BAD_MESSAGE;
}

/* Owner and group in one: who has 32 bits of both doesn't have the highest. */
static long long
owner_number(const struct item_stat *st)
{
	return (long long)((uint64_t)st->uid << 32 | st->gid) & LLONG_MAX;
}

/* Only root gives files away; the same owner isn't tried again. */
static int
check_owner(struct session *c, size_t i, const struct item_stat *st, bool *kept,
    struct err *e)
{
	const char *why = "the server doesn't let this user set it";
	uint32_t status;

	*kept = false;
	if (i == NONE) {
		if (st->mode != 0)
			store_lacks(c->store, STORE_LACK_OWNER, why);
		return 0;
	}
	status = call_status(call_of(c), i);
	*kept = status == PROTO_OK;
	if (*kept) {
		atomic_store_explicit(
		    &sftp_store_of(c)->owner_kept, true, memory_order_relaxed);
		return 0;
	}
	if (!is_refusal(status))
		return sftp_failed(c, status, "set owner", e);
	atomic_store(&sftp_store_of(c)->refused_owner, owner_number(st));
	store_lacks(c->store, STORE_LACK_OWNER, why);
	return 0;
}

static int
check_attrs(struct session *c, uint32_t status, struct err *e)
{
	const char *why = "the server can't set any";

	if (status == PROTO_OP_UNSUPPORTED) {
		store_lacks(c->store, STORE_LACK_MODE, why);
		store_lacks(c->store, STORE_LACK_TIME, why);
	} else if (status != PROTO_OK) {
		return sftp_failed(c, status, "set mode and times", e);
	}
	return 0;
}

static bool
asks_for_owner(struct session *c, const struct item_stat *st)
{
	return st->mode != 0 &&
	    atomic_load_explicit(&sftp_store_of(c)->refused_owner,
		memory_order_relaxed) != owner_number(st);
}

struct sftp_meta
sftp_meta_ask(
    struct session *c, const struct conn_handle *h, const struct item_stat *st)
{
	struct call *call = call_of(c);
	struct sftp_meta m = {.owner = NONE, .attrs = NONE, .sync = NONE};
	struct proto_attrs owner = sftp_owner_attrs(st);
	struct proto_attrs attrs = sftp_attrs(c, st);

	/* In one request, where that tells all that two would. */
	if (asks_for_owner(c, st) &&
	    atomic_load_explicit(
		&sftp_store_of(c)->owner_kept, memory_order_relaxed)) {
		attrs.have |= PROTO_ATTR_OWNER;
		attrs.uid = owner.uid;
		attrs.gid = owner.gid;
		m.both = true;
	} else if (asks_for_owner(c, st)) {
		m.owner = call_fsetstat(call, h, &owner);
	}
	if (attrs.have != 0)
		m.attrs = call_fsetstat(call, h, &attrs);
	if (has(c, PROTO_HAS_FSYNC) && !sftp_store_of(c)->config.no_fsync)
		m.sync = call_fsync(call, h);
	return m;
}

int
sftp_meta_check(struct session *c, const struct sftp_meta *m,
    const struct item_stat *st, bool *set_id, struct err *e)
{
	uint32_t attrs =
	    m->attrs != NONE ? call_status(call_of(c), m->attrs) : PROTO_OK;
	uint32_t sync =
	    m->sync != NONE ? call_status(call_of(c), m->sync) : PROTO_OK;
	bool kept;

	if (m->both && attrs != PROTO_OK) {
		/* Which of them?  The next try asks for each. */
		atomic_store(&sftp_store_of(c)->owner_kept, false);
		return err_set(e, ERR_SERVER,
		    "set owner, mode and times: the server refused");
	}
	kept = m->both;
	if (!kept && check_owner(c, m->owner, st, &kept, e) == -1)
		return -1;
	*set_id = kept && (st->mode & 06000) != 0;
	if (check_attrs(c, attrs, e) == -1)
		return -1;
	/* Some file systems have nothing to sync. */
	if (sync != PROTO_OK && sync != PROTO_OP_UNSUPPORTED &&
	    sync != PROTO_BAD_MESSAGE)
		return sftp_failed(c, sync, "sync", e);
	return 0;
}

/* Owner, mode and times of PATH, which is no symbolic link. */
static int
apply(struct session *c, const char *path, const struct item_stat *st,
    struct err *e)
{
	struct call *call = call_of(c);
	struct proto_attrs owner = sftp_owner_attrs(st);
	struct proto_attrs attrs = sftp_attrs(c, st);
	size_t owned = NONE, set = NONE;
	uint32_t status;
	bool kept;

	call_again(call);
	if (asks_for_owner(c, st))
		owned = call_setstat(call, PROTO_SETSTAT, path, &owner);
	if (attrs.have != 0)
		set = call_setstat(call, PROTO_SETSTAT, path, &attrs);
	if (call_run(call, e) == -1)
		return -1;
	status = set != NONE ? call_status(call, set) : PROTO_OK;
	if (check_owner(c, owned, st, &kept, e) == -1)
		return -1;
	if (check_attrs(c, status, e) == -1)
		return -1;
	if (!kept || (st->mode & 06000) == 0)
		return 0;
	attrs.have = PROTO_ATTR_MODE;
	attrs.mode = st->mode & 07777;
	call_again(call);
	call_setstat(call, PROTO_SETSTAT, path, &attrs);
	return call_run(call, e);
}

int
sftp_look(struct session *c, const char *path, struct proto_attrs *out,
    uint32_t *status, struct err *e)
{
	struct call *call = call_of(c);

	call_again(call);
	call_stat(call, PROTO_LSTAT, path, out);
	if (call_run(call, e) == -1)
		return -1;
	*status = call_status(call, 0);
	return 0;
}

static int
make_dir(struct session *c, const char *key, const char *path,
    const struct item_stat *st, struct err *e)
{
	struct call *call = call_of(c);
	struct proto_attrs mode = {
	    .have = st->mode != 0 ? PROTO_ATTR_MODE : 0,
	    .mode = 0700,
	};
	struct proto_attrs there;
	uint32_t status;

	if (dirs_has(&sftp_store_of(c)->dirs, key, strlen(key)))
		return 0;
	if (sftp_look(c, path, &there, &status, e) == -1)
		return -1;
	if (status == PROTO_NO_SUCH_FILE) {
		call_again(call);
		call_setstat(call, PROTO_MKDIR, path, &mode);
		if (call_run(call, e) == -1)
			return -1;
		status = call_status(call, 0);
		if (status == PROTO_OK)
			return 0;
		/* Another thread may have been first. */
		if (status != PROTO_FAILURE ||
		    sftp_look(c, path, &there, &status, e) == -1)
			return sftp_failed(c, status, "make directory", e);
	}
	if (status != PROTO_OK)
		return sftp_failed(c, status, "make directory", e);
	if ((there.have & PROTO_ATTR_MODE) != 0 && !S_ISDIR(there.mode))
		return err_set(e, ERR_EXISTS,
		    "something else has this directory's name at the target: "
		    "move it away, or exclude this item");
	dirs_add(&sftp_store_of(c)->dirs, key, strlen(key));
	return 0;
}

static int
mkdir_with(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *path;

	if (key[0] != '\0' && sftp_parents(c, key, true, e) == -1)
		return -1;
	path = sftp_path(c, &me->path2, key, e);
	if (path == NULL)
		return -1;
	if (key[0] != '\0' && make_dir(c, key, path, st, e) == -1)
		return -1;
	if (apply(c, path, st, e) == 0)
		return 0;
	/* It was known, and is gone: somebody else removed it. */
	if (e->kind == ERR_NOTFOUND)
		dirs_forget(&sftp_store_of(c)->dirs);
	return -1;
}

int
sftp_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = mkdir_with(c, key, st, e);
	if (rc == -1 && e->kind == ERR_NOTFOUND && key[0] != '\0')
		rc = mkdir_with(c, key, st, e);
	sftp_end(c);
	return rc;
}

/* Requests that give the link PATH its owner and times, where that can be. */
static size_t
ask_link_attrs(struct session *c, const char *path, const struct item_stat *st)
{
	struct proto_attrs owner = sftp_owner_attrs(st);
	struct proto_attrs times = sftp_attrs(c, st);
	size_t owned = NONE;

	if (!has(c, PROTO_HAS_LSETSTAT))
		return NONE;
	times.have &= PROTO_ATTR_TIMES;
	if (asks_for_owner(c, st))
		owned = call_lsetstat(call_of(c), path, &owner);
	if (times.have != 0)
		call_lsetstat(call_of(c), path, &times);
	return owned;
}

/*
 * OpenSSH has SYMLINK's arguments the other way round than the draft, and
 * nearly all others do as it does; some look at who asks.  A wrong guess would
 * make a link of some other name somewhere, so it is tried with two names of
 * our own in the directory of KEY.
 */
static int
find_link_order(struct session *c, const char *key, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct sftp_store *s = sftp_store_of(c);
	char names[2][TEMP_NAME_SIZE];
	struct proto_attrs attrs[2];
	const char *a, *b;

	if (atomic_load(&s->link_order) != SFTP_ORDER_UNKNOWN)
		return 0;
	sftp_temp_name(c, names[0]);
	a = sftp_beside(c, &me->path, key, names[0], e);
	sftp_temp_name(c, names[1]);
	b = sftp_beside(c, &me->path2, key, names[1], e);
	if (a == NULL || b == NULL)
		return -1;
	call_again(&me->call);
	call_symlink(&me->call, a, strlen(a), b, false);
	call_stat(&me->call, PROTO_LSTAT, a, &attrs[0]);
	call_stat(&me->call, PROTO_LSTAT, b, &attrs[1]);
	call_path(&me->call, PROTO_REMOVE, a);
	call_path(&me->call, PROTO_REMOVE, b);
	if (call_run(&me->call, e) == -1) {
		store_leave(c->store, key, names[0]);
		store_leave(c->store, key, names[1]);
		return -1;
	}
	if (call_status(&me->call, 2) == PROTO_OK)
		atomic_store(&s->link_order, SFTP_ORDER_OPENSSH);
	else if (call_status(&me->call, 1) == PROTO_OK)
		atomic_store(&s->link_order, SFTP_ORDER_DRAFT);
	return 0;
}

/* NAME, beside KEY. */
static int
make_link(struct session *c, const char *key, const char *name,
    const struct item_stat *st, const char *target, size_t len, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	bool parents = false, kept;

	for (;;) {
		const char *path = sftp_beside(c, &me->path, key, name, e);
		size_t made, owned;
		uint32_t status;

		if (path == NULL)
			return -1;
		call_again(&me->call);
		made = call_symlink(&me->call, target, len, path,
		    atomic_load(&sftp_store_of(c)->link_order) ==
			SFTP_ORDER_DRAFT);
		owned = ask_link_attrs(c, path, st);
		if (call_run(&me->call, e) == -1)
			return -1;
		status = call_status(&me->call, made);
		if (status == PROTO_OK)
			return check_owner(c, owned, st, &kept, e);
		if ((status != PROTO_NO_SUCH_FILE &&
			status != PROTO_PERMISSION_DENIED) ||
		    parents)
			return sftp_failed(c, status, "make symbolic link", e);
		parents = true;
		if (sftp_parents_again(c, key, e) == -1)
			return -1;
	}
}

/*
 * Without a temporary name, as RENAME follows links on some servers (ProFTPD):
 * it is what the new link leads to that would get the new name.
 */
static int
link_at_once(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	const char *slash = strrchr(key, '/');
	const char *name = slash != NULL ? slash + 1 : key;
	const char *path = sftp_path(c, &sftp_session_of(c)->path2, key, e);
	struct proto_attrs there = {0};
	uint32_t status;

	if (path == NULL || sftp_look(c, path, &there, &status, e) == -1)
		return -1;
	if (status == PROTO_OK && (there.have & PROTO_ATTR_MODE) != 0 &&
	    S_ISDIR(there.mode))
		return err_set(e, ERR_EXISTS,
		    "a directory has this name at the target: move it away, "
		    "or exclude this item");
	/* There may be a moment without either; none of both is carried out
	 * late without the other. */
	if (status == PROTO_OK) {
		call_again(call_of(c));
		call_path(call_of(c), PROTO_REMOVE, path);
		if (call_run(call_of(c), e) == -1)
			return -1;
	}
	return make_link(c, key, name, st, target, len, e);
}

static int
symlink_to(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	char temp[TEMP_NAME_SIZE];

	if (len == 0 || len >= PATH_MAX || memchr(target, '\0', len) != NULL)
		return err_set(e, ERR_NAME, "not a symbolic link's target");
	if (sftp_parents(c, key, true, e) == -1 ||
	    find_link_order(c, key, e) == -1)
		return -1;
	if (!has(c, PROTO_HAS_LSETSTAT))
		return link_at_once(c, key, st, target, len, e);
	sftp_temp_name(c, temp);
	if (make_link(c, key, temp, st, target, len, e) == 0) {
		call_again(call_of(c));
		if (sftp_publish(c, key, temp, NULL, e) == 0)
			return 0;
	}
	sftp_drop(c, key, temp, NULL, e);
	return -1;
}

int
sftp_symlink(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	int rc;

	if (store_sweep_left(c, key, e) == -1 || sftp_begin(c, e) == -1)
		return -1;
	rc = symlink_to(c, key, st, target, len, e);
	sftp_end(c);
	return rc;
}

static int
set_metadata(struct session *c, const char *key, const struct item_stat *st,
    const struct store_stat *was, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	struct proto_attrs there = {0};
	struct store_stat now;
	const char *path;
	uint32_t status;
	size_t owned;
	bool kept;

	if (sftp_parents(c, key, false, e) == -1)
		return -1;
	path = sftp_path(c, &me->path2, key, e);
	if (path == NULL || sftp_look(c, path, &there, &status, e) == -1)
		return -1;
	if (status != PROTO_OK)
		return sftp_failed(c, status, "look", e);
	now = sftp_stat_of(&there);
	if (store_check_still(&sftp_driver, &now, was, e) == -1)
		return -1;
	if ((there.have & PROTO_ATTR_MODE) == 0 || !S_ISLNK(there.mode))
		return st->type == ITEM_SYMLINK
		    ? err_set(e, ERR_NOTFOUND, "no symbolic link")
		    : apply(c, path, st, e);
	if (st->type != ITEM_SYMLINK)
		return err_set(e, ERR_NOTFOUND, "a symbolic link now");
	call_again(&me->call);
	owned = ask_link_attrs(c, path, st);
	if (call_run(&me->call, e) == -1)
		return -1;
	return check_owner(c, owned, st, &kept, e);
}

int
sftp_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = set_metadata(c, key, st, was, e);
	sftp_end(c);
	if (rc == 0)
		memset(out, 0, sizeof(*out));
	return rc;
}

/* What became of the removal of KEY. */
static int
removed(struct session *c, const char *key, uint32_t status, struct err *e)
{
	bool dir = key[0] != '\0' && key[strlen(key) - 1] == '/';

	if (status == PROTO_OK || status == PROTO_NO_SUCH_FILE)
		return 0;
	if (dir && (status == PROTO_FAILURE || status == 18)) {
		err_set(e, ERR_SYS, "remove directory: it isn't empty");
		e->sys = ENOTEMPTY;
		return -1;
	}
	return sftp_failed(c, status, dir ? "remove directory" : "remove", e);
}

/* Asks for all but those that can't be there: ASKED[i] tells which. */
static int
ask_to_remove(struct session *c, const char *const *keys, size_t n, bool *asked,
    struct err *results, struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	size_t i;

	for (i = 0; i < n; i++) {
		AUTO(free) char *key = strdup(keys[i]);
		size_t len = strlen(keys[i]);

		if (key == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (len > 0 && key[len - 1] == '/')
			key[len - 1] = '\0';
		asked[i] = sftp_parents(c, key, false, &results[i]) == 0;
		/* Behind a file or a link there is nothing of ours. */
		if (!asked[i] && results[i].kind != ERR_NOTFOUND &&
		    results[i].kind != ERR_EXISTS) {
			*e = results[i];
			return -1;
		}
		results[i] = (struct err)ERR_INIT;
	}
	call_again(&me->call);
	for (i = 0; i < n; i++) {
		size_t len = strlen(keys[i]);
		const char *path;

		if (!asked[i])
			continue;
		path = sftp_path(c, &me->path, keys[i], e);
		if (path == NULL)
			return -1;
		call_path(&me->call,
		    len > 0 && keys[i][len - 1] == '/' ? PROTO_RMDIR
						       : PROTO_REMOVE,
		    path);
	}
	return call_run(&me->call, e);
}

/* KEY once more, now that its directory is opened up: *STATUS tells. */
static int
remove_again(
    struct session *c, const char *key, uint32_t *status, struct err *e)
{
	AUTO(free) char *plain = strdup(key);
	size_t len = strlen(key);
	bool dir = len > 0 && key[len - 1] == '/';
	const char *path;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (dir)
		plain[len - 1] = '\0';
	if (sftp_open_up(c, plain, e) == -1)
		return -1;
	path = sftp_path(c, &sftp_session_of(c)->path, plain, e);
	if (path == NULL)
		return -1;
	call_again(call_of(c));
	call_path(call_of(c), dir ? PROTO_RMDIR : PROTO_REMOVE, path);
	if (call_run(call_of(c), e) == -1)
		return -1;
	*status = call_status(call_of(c), 0);
	return 0;
}

static int
remove_all(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	AUTO(free) bool *asked = calloc(n + 1, sizeof(*asked));
	AUTO(free) uint32_t *status = calloc(n + 1, sizeof(*status));
	size_t i, at, failed = 0;

	if (asked == NULL || status == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (ask_to_remove(c, keys, n, asked, results, e) == -1)
		return -1;
	dirs_forget(&sftp_store_of(c)->dirs);
	/* Looking into a failure takes the call. */
	for (i = 0, at = 0; i < n; i++)
		status[i] = asked[i] ? call_status(call_of(c), at++) : PROTO_OK;
	for (i = 0; i < n; i++)
		if (status[i] == PROTO_PERMISSION_DENIED &&
		    remove_again(c, keys[i], &status[i], e) == -1)
			return -1;
	for (i = 0; i < n; i++)
		if (removed(c, keys[i], status[i], &results[i]) == -1 &&
		    failed++ == 0)
			*e = results[i];
	return failed == 0 ? 0 : -1;
}

int
sftp_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		results[i] = (struct err)ERR_INIT;
	rc = sftp_begin(c, e);
	if (rc == 0) {
		rc = remove_all(c, keys, n, results, e);
		sftp_end(c);
	}
	/* What befell all of them is each one's. */
	for (i = 0; rc == -1 && i < n; i++)
		if (results[i].kind != ERR_NONE)
			return -1;
	for (i = 0; rc == -1 && i < n; i++)
		results[i] = *e;
	return rc;
}
