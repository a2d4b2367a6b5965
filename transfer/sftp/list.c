/* SPDX-License-Identifier: ISC */
/* Listings: several directories at a time, and several requests in each. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/sftp/internal.h"

#define DIRS_AT_ONCE 16
#define DEPTH_MAX 8 /* requests for one directory */
#define NAMES_MAX (DIRS_AT_ONCE * 2)
/* Answers without a name in a row; none has one by right. */
#define EMPTY_MAX 100

/* A directory, or a link to be followed, that waits. */
struct pending {
	struct pending *next;
	size_t len;
	char path[];
};

struct listing {
	struct session *c;
	bool recursive;
	store_list_fn *fn;
	void *arg;
	struct pending *dirs, *links;
	size_t at_once; /* fewer where the server lets few be open */
	struct buf key;
	struct buf bodies[NAMES_MAX];
};

/* One that is being read. */
struct reading {
	struct pending *dir;
	struct conn_handle handle;
	struct proto_attrs attrs;
	bool open, ended;
	unsigned empty; /* answers in a row */
};

static struct call *
call_of(struct session *c)
{
	return &sftp_session_of(c)->call;
}

static int
push(struct pending **list, const char *path, size_t len, struct err *e)
{
	struct pending *p = malloc(sizeof(*p) + len + 1);

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(p->path, path, len);
	p->path[len] = '\0';
	p->len = len;
	p->next = *list;
	*list = p;
	return 0;
}

static struct pending *
pop(struct pending **list)
{
	struct pending *p = *list;

	if (p != NULL)
		*list = p->next;
	return p;
}

static bool
is_dot(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	    (len == 2 && memcmp(name, "..", 2) == 0);
}

static int
tell_leftover(struct listing *l, const struct store_stat *st, struct err *e)
{
	struct store_list_entry entry = {
	    .key = l->key.data,
	    .key_len = l->key.len,
	    .st = *st,
	    .leftover = true,
	};

	return l->fn(l->arg, &entry, e);
}

static int
pass_on(struct listing *l, const struct store_stat *st, struct err *e)
{
	struct store_list_entry entry = {
	    .key = l->key.data,
	    .key_len = l->key.len,
	    .st = *st,
	};

	if (st->type == ITEM_SPECIAL && l->recursive)
		return 0;
	if (l->fn(l->arg, &entry, e) == -1)
		return -1;
	if (st->type == ITEM_DIR && l->recursive)
		return push(&l->dirs, l->key.data, l->key.len, e);
	return 0;
}

static int
list_name(struct listing *l, const struct pending *dir,
    const struct proto_name *name, struct err *e)
{
	struct store_stat st = sftp_stat_of(&name->attrs);

	if (is_dot(name->name, name->len))
		return 0;
	if (sftp_check_name(name->name, name->len, e) == -1)
		return -1;
	if (temp_is_name(name->name, name->len) &&
	    !(l->c->tells_leftovers &&
		temp_is_of(sftp_store_of(l->c)->owner, name->name, name->len)))
		return 0;
	buf_reset(&l->key);
	buf_add(&l->key, dir->path, dir->len);
	if (dir->len > 0)
		buf_addc(&l->key, '/');
	buf_add(&l->key, name->name, name->len);
	if (buf_failed(&l->key))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (temp_is_name(name->name, name->len))
		return tell_leftover(l, &st, e);
	if (st.type == ITEM_SYMLINK && sftp_store_of(l->c)->config.follow_links)
		return push(&l->links, l->key.data, l->key.len, e);
	return pass_on(l, &st, e);
}

/* Opens N directories at once. */
static int
open_dirs(struct listing *l, struct reading *r, size_t n, struct err *e)
{
	struct sftp_session *me = sftp_session_of(l->c);
	bool follow = sftp_store_of(l->c)->config.follow_links;
	size_t i;

	call_again(&me->call);
	for (i = 0; i < n; i++) {
		const char *path =
		    sftp_path(l->c, &me->path, r[i].dir->path, e);

		if (path == NULL)
			return -1;
		call_stat(&me->call,
		    follow || r[i].dir->len == 0 ? PROTO_STAT : PROTO_LSTAT,
		    path, &r[i].attrs);
		call_opendir(&me->call, path, &r[i].handle);
	}
	if (call_run(&me->call, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		r[i].open = call_status(&me->call, 2 * i + 1) == PROTO_OK;
	return 0;
}

/* A directory that is gone, or is none: of a source's that must be known. */
static int
nothing_there(const struct listing *l, struct err *e)
{
	if (!l->recursive)
		return err_set(e, ERR_NOTFOUND, "no such directory");
	*e = (struct err)ERR_INIT;
	return 0;
}

/* What could not be opened: gone meanwhile, or too many at once, or else. */
static int
sort_out(struct listing *l, struct reading *r, size_t n, struct err *e)
{
	struct call *call = call_of(l->c);
	uint32_t status[DIRS_AT_ONCE];
	char shown[200];
	size_t i;

	for (i = 0; i < n; i++)
		status[i] = call_status(call, 2 * i + 1);
	for (i = 0; i < n; i++) {
		bool is_dir = (r[i].attrs.have & PROTO_ATTR_MODE) == 0 ||
		    S_ISDIR(r[i].attrs.mode);

		r[i].ended = !r[i].open || !is_dir;
		if (!is_dir ||
		    (!r[i].open && status[i] == PROTO_NO_SUCH_FILE)) {
			if (nothing_there(l, e) == -1)
				return -1;
			continue;
		}
		if (r[i].open)
			continue;
		if (status[i] == PROTO_FAILURE && n > 1) {
			l->at_once = 1;
			if (push(&l->dirs, r[i].dir->path, r[i].dir->len, e) ==
			    -1)
				return -1;
			continue;
		}
		sftp_failed(l->c, status[i], "open directory", e);
		return err_context(e, "%s",
		    text_escaped(
			r[i].dir->path, r[i].dir->len, shown, sizeof(shown)));
	}
	return 0;
}

/* *EMPTY answers in a row had no name: a server could go on so for ever. */
static int
check_empty(const struct proto_in *in, unsigned *empty, struct err *e)
{
	*empty = in->left > 0 ? 0 : *empty + 1;
	return *empty <= EMPTY_MAX
	    ? 0
	    : err_set(e, ERR_PROTOCOL,
		  "the server lists a directory without names and without end");
}

static int
take_names(
    struct listing *l, struct reading *r, const struct buf *body, struct err *e)
{
	struct proto_in in = call_body(body);
	struct proto_name name;

	if (check_empty(&in, &r->empty, e) == -1)
		return -1;
	while (in.left > 0)
		if (proto_next_name(&in, &name, e) == -1 ||
		    list_name(l, r->dir, &name, e) == -1)
			return -1;
	return 0;
}

/* One round of requests for all that aren't at their end. */
static int
read_round(
    struct listing *l, struct reading *r, size_t n, size_t depth, struct err *e)
{
	struct call *call = call_of(l->c);
	size_t i, k, at = 0;

	call_again(call);
	for (i = 0; i < n; i++)
		for (k = 0; k < depth && !r[i].ended; k++)
			call_readdir(call, &r[i].handle, &l->bodies[at++]);
	if (call_run(call, e) == -1)
		return -1;
	for (i = 0, at = 0; i < n; i++) {
		bool ended = r[i].ended;

		for (k = 0; k < depth && !ended; k++, at++) {
			uint32_t status = call_status(call, at);

			if (status == PROTO_EOF) {
				r[i].ended = true;
				continue;
			}
			if (status == PROTO_NO_SUCH_FILE) {
				r[i].ended = true;
				if (nothing_there(l, e) == -1)
					return -1;
				continue;
			}
			if (status != PROTO_OK)
				return sftp_failed(
				    l->c, status, "read directory", e);
			if (take_names(l, &r[i], &l->bodies[at], e) == -1)
				return -1;
		}
	}
	return 0;
}

static int
read_dirs(struct listing *l, struct reading *r, size_t n, struct err *e)
{
	size_t depth = NAMES_MAX / n < DEPTH_MAX ? NAMES_MAX / n : DEPTH_MAX;
	const atomic_bool *stop = sftp_store_of(l->c)->config.stop;
	size_t i, going;

	for (;;) {
		for (i = 0, going = 0; i < n; i++)
			going += !r[i].ended;
		if (going == 0)
			return 0;
		if (stop != NULL && atomic_load(stop))
			return err_set(e, ERR_STOPPED, "stopped");
		if (read_round(l, r, n, depth, e) == -1)
			return -1;
	}
}

static int
list_dirs(struct listing *l, struct err *e)
{
	struct reading r[DIRS_AT_ONCE] = {{0}};
	size_t i, n = 0;
	int rc;

	while (n < l->at_once && (r[n].dir = pop(&l->dirs)) != NULL)
		n++;
	rc = open_dirs(l, r, n, e);
	if (rc == 0)
		rc = sort_out(l, r, n, e);
	if (rc == 0)
		rc = read_dirs(l, r, n, e);
	for (i = 0; i < n; i++) {
		if (r[i].open)
			conn_close_later(call_of(l->c)->conn, &r[i].handle);
		free(r[i].dir);
	}
	return rc;
}

/* Whether the link leads to a directory that it is in. */
static bool
is_loop(const struct proto_name *to, const struct proto_name *in)
{
	return to->len <= in->len && memcmp(to->name, in->name, to->len) == 0 &&
	    (to->len == in->len || in->name[to->len] == '/' || to->len == 1);
}

static int
follow_one(struct listing *l, struct pending *link, struct err *e)
{
	struct sftp_session *me = sftp_session_of(l->c);
	struct proto_name to, in;
	struct proto_attrs attrs;
	struct store_stat st;
	const char *path = sftp_path(l->c, &me->path, link->path, e);
	const char *dir = sftp_beside(l->c, &me->path2, link->path, "", e);

	if (path == NULL || dir == NULL)
		return -1;
	if (dir[0] == '\0')
		dir = ".";
	call_again(&me->call);
	call_stat(&me->call, PROTO_STAT, path, &attrs);
	call_names(&me->call, PROTO_REALPATH, path, &me->body[0]);
	call_names(&me->call, PROTO_REALPATH, dir, &me->body[1]);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) != PROTO_OK)
		return 0; /* it leads nowhere */
	st = sftp_stat_of(&attrs);
	if (st.type == ITEM_DIR) {
		if (call_status(&me->call, 1) != PROTO_OK ||
		    call_status(&me->call, 2) != PROTO_OK)
			return 0;
		if (call_one_name(&me->body[0], &to, e) == -1 ||
		    call_one_name(&me->body[1], &in, e) == -1)
			return -1;
		if (is_loop(&to, &in))
			return 0;
	}
	buf_reset(&l->key);
	buf_add(&l->key, link->path, link->len);
	if (buf_failed(&l->key))
		return err_set(e, ERR_NOMEM, "out of memory");
	return pass_on(l, &st, e);
}

static int
list_all(struct listing *l, const char *dir, struct err *e)
{
	int rc = push(&l->dirs, dir, strlen(dir), e);

	while (rc == 0 && (l->dirs != NULL || l->links != NULL)) {
		struct pending *link = pop(&l->links);

		rc = link != NULL ? follow_one(l, link, e) : list_dirs(l, e);
		free(link);
	}
	return rc;
}

int
sftp_list(struct session *c, const char *dir, bool recursive, store_list_fn *fn,
    void *arg, struct err *e)
{
	struct listing l = {
	    .c = c,
	    .recursive = recursive,
	    .fn = fn,
	    .arg = arg,
	    .at_once = DIRS_AT_ONCE,
	};
	struct pending *p;
	size_t i;
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	buf_init(&l.key, 1 << 24);
	for (i = 0; i < NAMES_MAX; i++)
		buf_init(&l.bodies[i], PROTO_PACKET_MAX);
	rc = dir[0] == '\0' ? 0 : sftp_parents(c, dir, false, e);
	if (rc == 0) {
		rc = list_all(&l, dir, e);
	} else if (e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS) {
		/* Nothing is behind a file or a link. */
		rc = nothing_there(&l, e);
	}
	sftp_end(c);
	while ((p = pop(&l.dirs)) != NULL || (p = pop(&l.links)) != NULL)
		free(p);
	for (i = 0; i < NAMES_MAX; i++)
		buf_free(&l.bodies[i]);
	buf_free(&l.key);
	return rc;
}

/* The directory DIR with all its names. */
static int
each_name(struct session *c, const char *dir, sftp_name_fn *fn, void *arg,
    struct err *e)
{
	struct sftp_session *me = sftp_session_of(c);
	const char *path = sftp_path(c, &me->path, dir, e);
	struct conn_handle h;
	struct proto_name name;
	unsigned empty = 0;
	int rc = 0;

	if (path == NULL)
		return -1;
	call_again(&me->call);
	call_opendir(&me->call, path, &h);
	if (call_run(&me->call, e) == -1)
		return -1;
	if (call_status(&me->call, 0) != PROTO_OK)
		return sftp_failed(
		    c, call_status(&me->call, 0), "open directory", e);
	for (;;) {
		struct proto_in in;

		call_again(&me->call);
		call_readdir(&me->call, &h, &me->body[0]);
		rc = call_run(&me->call, e);
		if (rc == -1 || call_status(&me->call, 0) != PROTO_OK)
			break;
		in = call_body(&me->body[0]);
		rc = check_empty(&in, &empty, e);
		while (rc == 0 && in.left > 0) {
			rc = proto_next_name(&in, &name, e);
			if (rc == 0 && !is_dot(name.name, name.len))
				rc = fn(arg, &name, e);
		}
		if (rc == -1)
			break;
	}
	conn_close_later(me->call.conn, &h);
	return rc;
}

int
sftp_each_name(struct session *c, const char *dir, sftp_name_fn *fn, void *arg,
    struct err *e)
{
	int rc;

	if (sftp_begin(c, e) == -1)
		return -1;
	rc = each_name(c, dir, fn, arg, e);
	sftp_end(c);
	return rc;
}
