/* SPDX-License-Identifier: ISC */
/* Names, directories, attributes, and what went wrong. */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "transfer/sftp/internal.h"

#define SHOWN 300
/* Less than this free is a full disk to a file that wanted more. */
#define FULL_BYTES ((uint64_t)1 << 20)

static const char *
joined(struct sftp_store *s, struct buf *b, const char *key, size_t len,
    const char *name, struct err *e)
{
	buf_reset(b);
	/* "." is where every relative path begins. */
	if (strcmp(s->root, ".") != 0 || (len == 0 && name[0] == '\0'))
		buf_adds(b, s->root);
	if (b->len > 0 && b->data[b->len - 1] != '/' &&
	    (len > 0 || name[0] != '\0'))
		buf_addc(b, '/');
	buf_add(b, key, len);
	buf_adds(b, name);
	if (buf_failed(b)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return b->data;
}

const char *
sftp_path(struct session *c, struct buf *b, const char *key, struct err *e)
{
	size_t len = strlen(key);

	if (len > 0 && key[len - 1] == '/')
		len--;
	return joined(sftp_store_of(c), b, key, len, "", e);
}

static size_t
parent_len(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash != NULL ? (size_t)(slash - key) : 0;
}

const char *
sftp_beside(struct session *c, struct buf *b, const char *key, const char *name,
    struct err *e)
{
	size_t len = parent_len(key);

	/* With the slash, if there is one. */
	return joined(sftp_store_of(c), b, key, len > 0 ? len + 1 : 0, name, e);
}

/* FAILURE says nothing: is there no room, or may nothing be written? */
static int
find_reason(struct session *base, const char *what, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sftp_store *s = sftp_store_of(base);
	struct proto_statvfs fs;
	char said[160];

	snprintf(said, sizeof(said), "%s", c->call.message);
	if ((c->call.caps.features & PROTO_HAS_STATVFS) != 0) {
		call_again(&c->call);
		call_statvfs(&c->call, s->root, &c->body[0]);
		if (call_run(&c->call, e) == -1)
			return -1;
		if (call_status(&c->call, 0) == PROTO_OK &&
		    proto_get_statvfs(call_body(&c->body[0]), &fs, e) == 0) {
			if (fs.read_only)
				return err_set(e, ERR_DENIED,
				    "%s: the server's file system is "
				    "read-only",
				    what);
			if (fs.blocks > 0 &&
			    fs.available < FULL_BYTES / (fs.block + 1) + 1)
				return err_set(e, ERR_NOSPACE,
				    "%s: no space left at the server", what);
			if (fs.files > 0 && fs.files_available == 0)
				return err_set(e, ERR_NOSPACE,
				    "%s: no inodes left at the server", what);
		}
	}
	return err_set(e, ERR_SERVER,
	    "%s: the server says \"%s\" and no reason: a full disk or quota, "
	    "too many open files, or its log may tell",
	    what, said[0] != '\0' ? said : "Failure");
}

int
sftp_failed(
    struct session *base, uint32_t status, const char *what, struct err *e)
{
	const char *said = sftp_session_of(base)->call.message;

	if (status == PROTO_FAILURE && sftp_session_of(base)->call.crowded)
		return err_set(e, ERR_THROTTLE,
		    "%s: as many files are open as the server takes", what);
	switch (status) {
	case PROTO_NO_SUCH_FILE:
	case 10: /* no such path, of later versions */
		return err_set(
		    e, ERR_NOTFOUND, "%s: no such file at the server", what);
	case PROTO_PERMISSION_DENIED:
	case 12: /* write protected */
		return err_set(
		    e, ERR_DENIED, "%s: permission denied by the server", what);
	case PROTO_BAD_MESSAGE:
	case 20: /* invalid filename */
		return err_set(e, ERR_NAME,
		    "%s: the server can't take this name: %s", what,
		    said[0] != '\0' ? said : "it is too long, or not allowed");
	case PROTO_NO_CONNECTION:
	case PROTO_CONNECTION_LOST:
		return err_set(
		    e, ERR_NET, "%s: the server lost its connection", what);
	case PROTO_OP_UNSUPPORTED:
		return err_set(
		    e, ERR_UNSUPPORTED, "%s: the server can't do that", what);
	case 11: /* file already exists */
		return err_set(e, ERR_EXISTS, "%s: it is there already", what);
	case 14: /* no space on file system */
		return err_set(
		    e, ERR_NOSPACE, "%s: no space left at the server", what);
	case 15: /* quota exceeded */
		return err_set(
		    e, ERR_NOSPACE, "%s: over quota at the server", what);
	case PROTO_EOF:
		return err_set(e, ERR_PROTOCOL,
		    "%s: the server says \"end of file\"", what);
	default:
		return find_reason(base, what, e);
	}
}

struct store_stat
sftp_stat_of(const struct proto_attrs *a)
{
	bool has_mode = (a->have & PROTO_ATTR_MODE) != 0;
	struct store_stat st = {
	    .type = has_mode ? item_type_of_mode(a->mode) : ITEM_FILE,
	    .has_source_mtime = (a->have & PROTO_ATTR_TIMES) != 0,
	    .mtime_ns = (int64_t)a->mtime * 1000000000,
	    .has_atime = (a->have & PROTO_ATTR_TIMES) != 0,
	    .atime_ns = (int64_t)a->atime * 1000000000,
	    .has_owner = has_mode && (a->have & PROTO_ATTR_OWNER) != 0,
	    .mode = a->mode,
	    .uid = a->uid,
	    .gid = a->gid,
	};

	/* Of directories and links it is nobody's business. */
	if (st.type == ITEM_FILE && (a->have & PROTO_ATTR_SIZE) != 0)
		st.size = a->size;
	return st;
}

int
sftp_check_name(const char *name, size_t len, struct err *e)
{
	char shown[SHOWN];

	if (len > 0 && len <= NAME_MAX && memchr(name, '/', len) == NULL &&
	    memchr(name, '\0', len) == NULL)
		return 0;
	return err_set(e, ERR_PROTOCOL,
	    "the server sent a name that no file can have: \"%s\"",
	    text_escaped(name, len, shown, sizeof(shown)));
}

struct proto_attrs
sftp_owner_attrs(const struct item_stat *st)
{
	return (struct proto_attrs){
	    .have = PROTO_ATTR_OWNER,
	    .uid = st->uid,
	    .gid = st->gid,
	};
}

/* As near as SFTP has it; *WHY it isn't nearer. */
static uint32_t
seconds_of(int64_t at_ns, const char **why)
{
	int64_t s = at_ns / 1000000000 - (at_ns % 1000000000 < 0);

	if (s < 0 || s > UINT32_MAX)
		*why = "SFTP holds those from 1970 to 2106 only";
	else if (at_ns % 1000000000 != 0)
		*why = "SFTP holds whole seconds";
	return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

struct proto_attrs
sftp_attrs(struct session *c, const struct item_stat *st)
{
	struct proto_attrs a = {.mode = st->mode & 01777};
	const char *why = NULL;

	if (st->mode != 0)
		a.have |= PROTO_ATTR_MODE;
	if (st->mtime_ns == ITEM_TIME_UNKNOWN)
		return a;
	a.have |= PROTO_ATTR_TIMES;
	a.atime = a.mtime = seconds_of(st->mtime_ns, &why);
	if (st->has_atime)
		a.atime = seconds_of(st->atime_ns, &why);
	if (why != NULL)
		store_lacks(c->store, STORE_LACK_TIME, why);
	return a;
}

/* The bytes of KEY's first LEN up to the end of the component at AT. */
static size_t
component_end(const char *key, size_t len, size_t at)
{
	size_t end = at + strcspn(key + at, "/");

	return end < len ? end : len;
}

/* How much of the directory KEY (LEN bytes) is known to be there. */
static size_t
known_part(struct sftp_store *s, const char *key, size_t len)
{
	for (; len > 0; len--)
		if ((key[len] == '/' || key[len] == '\0') &&
		    dirs_has(&s->dirs, key, len))
			return len;
	return 0;
}

static int
check_dir(struct session *base, const char *key, size_t len, uint32_t status,
    const struct proto_attrs *a, struct err *e)
{
	char shown[SHOWN];

	if (status != PROTO_OK)
		return sftp_failed(base, status, "look at directory", e);
	if ((a->have & PROTO_ATTR_MODE) != 0 && !S_ISDIR(a->mode))
		return err_set(e, ERR_EXISTS,
		    "%s is a %s where a directory is needed: move it away, or "
		    "exclude what goes there",
		    text_escaped(key, len, shown, sizeof(shown)),
		    S_ISLNK(a->mode) ? "symbolic link" : "file");
	return 0;
}

/* Requests: what are the directories of KEY?  MAKE is not 0: the last of its
 * first MAKE bytes is made, if it isn't there: what it is in is known to be no
 * symbolic link. */
static int
ask_dirs(struct session *base, const char *key, size_t len, size_t make,
    struct proto_attrs *attrs, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct sftp_store *s = sftp_store_of(base);
	const char *path;
	size_t at;

	call_again(&c->call);
	for (at = 0; at < len; at++) {
		at = component_end(key, len, at);
		path = joined(s, &c->path, key, at, "", e);
		if (path == NULL)
			return -1;
		call_stat(&c->call, PROTO_LSTAT, path, attrs++);
	}
	if (make > 0) {
		path = joined(s, &c->path, key, make, "", e);
		if (path == NULL)
			return -1;
		call_setstat(&c->call, PROTO_MKDIR, path,
		    &(struct proto_attrs){.have = 0});
	}
	return call_run(&c->call, e);
}

/* Looks at the directories of KEY (LEN bytes), all in one round, which makes
 * the first that isn't known, with CREATE: how many bytes of it are there as
 * they should be. */
static int
look(struct session *base, const char *key, size_t len, bool create,
    size_t *good, struct err *e)
{
	struct call *call = &sftp_session_of(base)->call;
	struct dirs *dirs = &sftp_store_of(base)->dirs;
	AUTO(free) struct proto_attrs *attrs = NULL;
	size_t at, n = 1, i, make = 0;

	for (at = 0; at < len; at++)
		n += key[at] == '/';
	attrs = calloc(n, sizeof(*attrs));
	if (attrs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*good = known_part(sftp_store_of(base), key, len);
	if (*good == len)
		return 0;
	if (create)
		make = component_end(key, len, *good + (*good > 0));
	if (ask_dirs(base, key, len, make, attrs, e) == -1)
		return -1;
	*good = 0;
	for (at = 0, i = 0; at < len; at++, i++) {
		uint32_t status = call_status(call, i);
		bool made;

		at = component_end(key, len, at);
		made = at == make && call_status(call, n) == PROTO_OK;
		if (status == PROTO_NO_SUCH_FILE && !made)
			return 0;
		if (status != PROTO_NO_SUCH_FILE &&
		    check_dir(base, key, at, status, &attrs[i], e) == -1)
			return -1;
		dirs_add(dirs, key, at);
		*good = at;
	}
	return 0;
}

/* Makes the directories of KEY beyond the first GOOD bytes.  MADE: they are
 * new, all of them. */
static int
make(struct session *base, const char *key, size_t len, size_t good, bool *made,
    struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	struct proto_attrs none = {0};
	size_t at, i;

	*made = true;
	call_again(&c->call);
	for (at = good + (good > 0); at < len; at++) {
		const char *path;

		at += strcspn(key + at, "/");
		if (at > len)
			at = len;
		path = joined(sftp_store_of(base), &c->path, key, at, "", e);
		if (path == NULL)
			return -1;
		call_setstat(&c->call, PROTO_MKDIR, path, &none);
	}
	if (call_run(&c->call, e) == -1)
		return -1;
	/* FAILURE: another thread was first; that is looked at. */
	for (i = 0; i < c->call.n; i++) {
		uint32_t status = call_status(&c->call, i);

		*made = *made && status == PROTO_OK;
		if (status != PROTO_OK && status != PROTO_FAILURE)
			return sftp_failed(base, status, "make directory", e);
	}
	return 0;
}

static int
parents(struct session *base, const char *key, size_t len, bool create,
    struct err *e)
{
	size_t good = 0;
	bool made;
	int tries;

	for (tries = 0;; tries++) {
		if (look(base, key, len, create, &good, e) == -1)
			return -1;
		if (good == len)
			return 0;
		if (!create || tries == 2)
			return err_set(e, ERR_NOTFOUND, "no such directory");
		if (make(base, key, len, good, &made, e) == -1)
			return -1;
		if (made) {
			dirs_add(&sftp_store_of(base)->dirs, key, len);
			return 0;
		}
	}
}

int
sftp_parents(struct session *base, const char *key, bool create, struct err *e)
{
	struct dirs *dirs = &sftp_store_of(base)->dirs;
	size_t len = parent_len(key);
	struct dirs_look mine;
	int rc;

	if (len > 0 && !dirs_has_soon(dirs, key, len, &mine)) {
		rc = parents(base, key, len, create, e);
		dirs_looked(dirs, &mine);
		if (rc == -1)
			return -1;
	}
	call_again(&sftp_session_of(base)->call);
	return 0;
}

int
sftp_open_up(struct session *base, const char *key, struct err *e)
{
	struct sftp_session *c = sftp_session_of(base);
	const char *path =
	    joined(sftp_store_of(base), &c->path, key, parent_len(key), "", e);
	struct proto_attrs a;

	if (path == NULL)
		return -1;
	call_again(&c->call);
	call_stat(&c->call, PROTO_LSTAT, path, &a);
	if (call_run(&c->call, e) == -1)
		return -1;
	if (call_status(&c->call, 0) != PROTO_OK ||
	    (a.have & PROTO_ATTR_MODE) == 0 || !S_ISDIR(a.mode) ||
	    (a.mode & 0300) == 0300)
		return 0;
	a.have = PROTO_ATTR_MODE;
	a.mode = (a.mode & 07777) | 0300;
	call_again(&c->call);
	call_setstat(&c->call, PROTO_SETSTAT, path, &a);
	return call_run(&c->call, e);
}

int
sftp_parents_again(struct session *base, const char *key, struct err *e)
{
	size_t len = parent_len(key);

	dirs_forget(&sftp_store_of(base)->dirs);
	if (len > 0 && parents(base, key, len, true, e) == -1)
		return -1;
	if (sftp_open_up(base, key, e) == -1)
		return -1;
	call_again(&sftp_session_of(base)->call);
	return 0;
}

void
sftp_temp_name(struct session *c, char *out)
{
	temp_name(sftp_store_of(c)->owner, out);
}
