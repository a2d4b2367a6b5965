/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "transfer/nfs/internal.h"

/* What servers say who don't let us give files away. */
static bool
is_refused(const struct err *e)
{
	return e->sys == EPERM || e->sys == EACCES || e->sys == EINVAL ||
	    e->sys == EOPNOTSUPP;
}

/*
 * Sets WHAT of the owners; what is refused is taken from it.  What isn't ours
 * to give is remembered; other refusals may be of this item alone.
 */
static int
try_owners(struct session *c, const struct nfs_fh *fh, unsigned *what,
    const struct item_stat *st, struct err *e)
{
	struct nfs_store *s = nfs_store_of(c);
	unsigned uid = NFS_SET_UID, gid = NFS_SET_GID;

	if (*what == 0 ||
	    nfs_wire_setattr(nfs_session_of(c)->wire, fh, *what, st, NULL, e) ==
		0)
		return 0;
	if (!is_refused(e))
		return -1;
	if (*what == (uid | gid)) {
		/* The group first: another's file isn't ours to change. */
		if (try_owners(c, fh, &gid, st, e) == -1 ||
		    try_owners(c, fh, &uid, st, e) == -1)
			return -1;
		*what = uid | gid;
		return 0;
	}
	if (e->sys == EPERM && *what == uid)
		atomic_store(&s->refused_uid, (long long)st->uid);
	else if (e->sys == EPERM)
		atomic_store(&s->refused_gid, (long long)st->gid);
	*what = 0;
	return 0;
}

/*
 * Root may be nobody at the server, and only root gives files away; others
 * may pass a group that they are in.  *ALL becomes whether owner and group
 * are as in ST.
 */
static int
set_owners(struct session *c, const struct nfs_fh *fh,
    const struct item_stat *now, const struct item_stat *st, bool *all,
    struct err *e)
{
	struct nfs_store *s = nfs_store_of(c);
	unsigned wanted = (now->uid != st->uid ? (unsigned)NFS_SET_UID : 0) |
	    (now->gid != st->gid ? (unsigned)NFS_SET_GID : 0);
	unsigned what = wanted;

	if (atomic_load(&s->refused_uid) == (long long)st->uid)
		what &= ~(unsigned)NFS_SET_UID;
	if (atomic_load(&s->refused_gid) == (long long)st->gid)
		what &= ~(unsigned)NFS_SET_GID;
	if (try_owners(c, fh, &what, st, e) == -1)
		return -1;
	*all = what == wanted;
	if (!*all)
		store_lacks(&s->base, STORE_LACK_OWNER,
		    "the server refuses: its export squashes root, or we "
		    "aren't root there");
	return 0;
}

/* Some servers say yes, and keep something else. */
static void
see_what_is_kept(struct nfs_store *s, const struct item_stat *after,
    unsigned what, const struct item_stat *st)
{
	if (after->type == 0)
		return;
	if ((what & NFS_SET_MTIME) && after->mtime_ns != st->mtime_ns)
		store_lacks(&s->base, STORE_LACK_TIME,
		    st->type == ITEM_SYMLINK
			? "the server sets none on symbolic links"
			: "out of the server's range, or finer than it keeps");
	if ((what & NFS_SET_MODE) && ((after->mode ^ st->mode) & 07777) != 0)
		store_lacks(&s->base, STORE_LACK_MODE,
		    "set-id bits aren't given to another owner, or the server "
		    "keeps others");
}

int
nfs_apply(struct session *c, const struct nfs_fh *fh,
    const struct item_stat *now, const struct item_stat *st, struct err *e)
{
	struct nfs_store *s = nfs_store_of(c);
	struct item_stat to = *st, after;
	unsigned what = 0;
	bool all;

	if (st->mode != 0) {
		/* Before the mode: it takes away set-id bits. */
		if (set_owners(c, fh, now, st, &all, e) == -1)
			return -1;
		if (st->type != ITEM_SYMLINK)
			what |= NFS_SET_MODE;
		/* They are not for another owner, nor for another group. */
		if (!all)
			to.mode &= ~(uint32_t)(S_ISUID | S_ISGID);
	}
	if (st->mtime_ns != ITEM_TIME_UNKNOWN)
		what |= NFS_SET_MTIME;
	if (st->has_atime)
		what |= NFS_SET_ATIME;
	if (what == 0)
		return 0;
	if (nfs_wire_setattr(
		nfs_session_of(c)->wire, fh, what, &to, &after, e) == 0) {
		see_what_is_kept(s, &after, what, st);
		return 0;
	}
	if (st->type != ITEM_SYMLINK || !is_refused(e))
		return -1;
	store_lacks(&s->base, STORE_LACK_TIME,
	    "the server sets none on symbolic links");
	return 0;
}

bool
nfs_open_up(struct session *c, const struct nfs_fh *dir)
{
	const uint32_t need = S_IWUSR | S_IXUSR;
	struct nfs_wire *w = nfs_session_of(c)->wire;
	struct err e = ERR_INIT;
	struct item_stat st;

	if (nfs_wire_getattr(w, dir, &st, &e) == -1 || (st.mode & need) == need)
		return false;
	st.mode |= need;
	return nfs_wire_setattr(w, dir, NFS_SET_MODE, &st, NULL, &e) == 0;
}

int
nfs_temp_file(struct session *c, const struct nfs_place *p, char *temp,
    struct nfs_fh *fh, struct item_stat *st, struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	bool opened = false;
	int tries;

	for (tries = 0; tries < 10; tries++) {
		temp_name(nfs_store_of(c)->owner, temp);
		/* Nobody else reads it before it has its owner and mode. */
		if (nfs_wire_create(w, &p->dir, temp, 0600, fh, st, e) == 0)
			return 0;
		if (e->sys == EACCES && !opened && nfs_open_up(c, &p->dir)) {
			opened = true;
			continue;
		}
		if (e->kind != ERR_EXISTS)
			break;
	}
	if (e->kind == ERR_NET || e->kind == ERR_STOPPED)
		store_leave(c->store, p->key, temp);
	if (e->sys == EROFS)
		return err_context(e, "the server lets nothing be written");
	return -1;
}

void
nfs_temp_drop(struct session *c, const struct nfs_place *p, const char *temp,
    const struct err *why)
{
	struct err e = ERR_INIT;

	if (why->kind == ERR_NET || why->kind == ERR_STOPPED ||
	    nfs_reach(c, false, &e) == -1 ||
	    (nfs_wire_remove(nfs_session_of(c)->wire, &p->dir, temp, &e) ==
		    -1 &&
		e.kind != ERR_NOTFOUND && e.kind != ERR_DENIED))
		store_leave(c->store, p->key, temp);
}

int
nfs_publish(struct session *c, const struct nfs_place *p, const char *temp,
    struct err *e)
{
	if (nfs_wire_rename(nfs_session_of(c)->wire, &p->dir, temp, &p->dir,
		p->name, e) == 0)
		return 0;
	if (e->sys == EISDIR || e->sys == ENOTEMPTY || e->sys == EEXIST)
		return err_set(e, ERR_EXISTS,
		    "a directory has this name at the target: move it away, "
		    "or exclude this item");
	return -1;
}

int
nfs_compare(struct session *c, const struct nfs_fh *fh, uint64_t offset,
    const void *data, size_t len, struct err *e)
{
	const uint8_t *want = data;
	size_t n;

	if (nfs_tools(c, e) == -1)
		return -1;
	for (; len > 0; want += n, offset += n, len -= n) {
		uint8_t *back = nfs_session_of(c)->io;

		n = len < NFS_IO_SIZE ? len : NFS_IO_SIZE;
		if (nfs_wire_read(nfs_session_of(c)->wire, fh, offset, back, n,
			NULL, e) == -1)
			return err_context(e, "reading it back");
		if (memcmp(back, want, n) != 0)
			return err_set(e, ERR_MISMATCH,
			    "read back from the target, bytes %llu to %llu "
			    "are not what was sent",
			    (unsigned long long)offset,
			    (unsigned long long)(offset + n));
	}
	return 0;
}

/* All of a file but its name. */
static int
fill(struct session *c, const struct nfs_fh *fh, const struct item_stat *now,
    const struct item_stat *st, const void *data, size_t len, struct err *e)
{
	if (nfs_wire_write(nfs_session_of(c)->wire, fh, 0, data, len, e) == -1)
		return -1;
	if (nfs_store_of(c)->read_back &&
	    nfs_compare(c, fh, 0, data, len, e) == -1)
		return -1;
	return nfs_apply(c, fh, now, st, e);
}

static int
put_once(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, struct err *e)
{
	char temp[TEMP_NAME_SIZE];
	struct item_stat now;
	struct nfs_place p;
	struct nfs_fh fh;

	if (store_sweep_left(c, key, e) == -1 ||
	    nfs_parent(c, key, true, &p, e) == -1 ||
	    nfs_temp_file(c, &p, temp, &fh, &now, e) == -1)
		return -1;
	if (fill(c, &fh, &now, st, data, len, e) == -1 ||
	    nfs_publish(c, &p, temp, e) == -1) {
		nfs_temp_drop(c, &p, temp, e);
		return -1;
	}
	return 0;
}

int
nfs_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	(void)digest;
	nfs_file_forget(c);
	if (NFS_TWICE_MAKING(c, e, put_once(c, key, st, data, len, e)) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = nfs_store_of(c)->read_back;
	return 0;
}

static int
mkdir_once(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	struct item_stat now;
	struct nfs_place p;
	struct nfs_fh fh;
	int rc;

	if (key[0] == '\0') {
		if (nfs_find(c, key, &fh, &now, e) == -1)
			return -1;
		return nfs_apply(c, &fh, &now, st, e);
	}
	if (nfs_parent(c, key, true, &p, e) == -1)
		return -1;
	rc = nfs_wire_lookup(w, &p.dir, p.name, &fh, &now, e);
	if (rc == -1 && e->kind == ERR_NOTFOUND) {
		uint32_t mode = st->mode != 0 ? 0700 : 0755;

		rc = nfs_wire_mkdir(w, &p.dir, p.name, mode, &fh, &now, e);
		if (rc == -1 && e->sys == EACCES && nfs_open_up(c, &p.dir))
			rc = nfs_wire_mkdir(
			    w, &p.dir, p.name, mode, &fh, &now, e);
		if (rc == -1 && e->kind == ERR_EXISTS)
			rc = nfs_wire_lookup(w, &p.dir, p.name, &fh, &now, e);
	}
	if (rc == -1)
		return -1;
	if (now.type != ITEM_DIR)
		return err_set(e, ERR_EXISTS,
		    "something else has this directory's name at the target: "
		    "move it away, or exclude this item");
	return nfs_apply(c, &fh, &now, st, e);
}

int
nfs_make_dir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e)
{
	return NFS_TWICE_MAKING(c, e, mkdir_once(c, key, st, e));
}

static int
symlink_once(struct session *c, const char *key, const struct item_stat *st,
    const char *target, struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	char temp[TEMP_NAME_SIZE];
	struct item_stat now;
	struct nfs_place p;
	struct nfs_fh fh;
	int rc;

	if (store_sweep_left(c, key, e) == -1 ||
	    nfs_parent(c, key, true, &p, e) == -1)
		return -1;
	temp_name(nfs_store_of(c)->owner, temp);
	rc = nfs_wire_symlink(w, &p.dir, temp, target, &fh, &now, e);
	if (rc == -1 && e->sys == EACCES && nfs_open_up(c, &p.dir))
		rc = nfs_wire_symlink(w, &p.dir, temp, target, &fh, &now, e);
	if (rc == -1) {
		nfs_temp_drop(c, &p, temp, e);
		return -1;
	}
	if (nfs_apply(c, &fh, &now, st, e) == -1 ||
	    nfs_publish(c, &p, temp, e) == -1) {
		nfs_temp_drop(c, &p, temp, e);
		return -1;
	}
	return 0;
}

int
nfs_make_link(struct session *c, const char *key, const struct item_stat *st,
    const char *target, size_t len, struct err *e)
{
	char text[PATH_MAX];

	if (len == 0 || len >= sizeof(text) || memchr(target, '\0', len))
		return err_set(e, ERR_NAME, "not a symbolic link's target");
	memcpy(text, target, len);
	text[len] = '\0';
	nfs_file_forget(c);
	return NFS_TWICE_MAKING(c, e, symlink_once(c, key, st, text, e));
}

int
nfs_check_was(
    const struct item_stat *now, const struct store_stat *was, struct err *e)
{
	struct store_stat is = {
	    .type = now->type, .size = now->size, .mtime_ns = now->mtime_ns};

	return store_check_still(&nfs_driver, &is, was, e);
}

static int
set_metadata_once(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was, struct err *e)
{
	struct item_stat now;
	struct nfs_fh fh;

	if (nfs_find(c, key, &fh, &now, e) == -1)
		return -1;
	if (now.type != st->type)
		return err_set(
		    e, ERR_MISMATCH, "is another kind of file at the target");
	if (nfs_check_was(&now, was, e) == -1)
		return -1;
	return nfs_apply(c, &fh, &now, st, e);
}

int
nfs_set_metadata(struct session *c, const char *key, const struct item_stat *st,
    const struct store_stat *was, struct store_receipt *out, struct err *e)
{
	if (NFS_TWICE(c, e, set_metadata_once(c, key, st, was, e)) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	return 0;
}

/* Servers may call it EPERM that a directory is in the place of a file, which
 * is none of ours then. */
static int
check_dir_there(struct session *c, const struct nfs_place *p, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct item_stat now;
	struct nfs_fh fh;

	if (nfs_wire_lookup(nfs_session_of(c)->wire, &p->dir, p->name, &fh,
		&now, &ignored) == -1 ||
	    now.type != ITEM_DIR)
		return -1;
	*e = (struct err)ERR_INIT;
	return 0;
}

static int
remove_once(struct session *c, const char *key, struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	size_t len = strlen(key);
	struct nfs_place p;

	/* Behind a file or a link in the way there is nothing of ours. */
	if (nfs_parent(c, key, false, &p, e) == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	if (len > 0 && key[len - 1] != '/') {
		int rc = nfs_wire_remove(w, &p.dir, p.name, e);

		if (rc == -1 && e->sys == EACCES && nfs_open_up(c, &p.dir))
			rc = nfs_wire_remove(w, &p.dir, p.name, e);
		if (rc == 0 || e->kind == ERR_NOTFOUND || e->sys == EISDIR)
			return 0;
		return e->sys == EPERM ? check_dir_there(c, &p, e) : -1;
	}
	if (nfs_wire_rmdir(w, &p.dir, p.name, e) == 0 ||
	    e->kind == ERR_NOTFOUND)
		return 0;
	return e->sys == EACCES && nfs_open_up(c, &p.dir)
	    ? nfs_wire_rmdir(w, &p.dir, p.name, e)
	    : -1;
}

int
nfs_remove_keys(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e)
{
	size_t i, failed = 0;

	nfs_file_forget(c);
	for (i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		results[i] = (struct err)ERR_INIT;
		if (NFS_TWICE(c, &why, remove_once(c, keys[i], &why)) == 0)
			continue;
		results[i] = why;
		if (failed++ == 0)
			*e = why;
	}
	return failed == 0 ? 0 : -1;
}
