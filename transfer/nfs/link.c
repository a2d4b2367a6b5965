/* SPDX-License-Identifier: ISC */
/* Another name of a file that is there, and another place for it. */
#include "config.h"

#include "transfer/nfs/internal.h"

static int
cannot(struct session *c, struct err *e)
{
	if (e->sys == EMLINK) {
		e->kind = ERR_UNSUPPORTED;
	} else if (e->sys == EPERM || e->sys == EXDEV || e->sys == EOPNOTSUPP) {
		store_lacks(c->store, STORE_LACK_LINKS,
		    e->sys == EXDEV
			? "they are on several file systems there"
			: "the server's file system has none, or lets us make "
			  "none");
		e->kind = ERR_UNSUPPORTED;
	}
	return -1;
}

/* P becomes another name of FH. */
static int
link_as(struct session *c, const struct nfs_fh *fh, const struct nfs_place *p,
    struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	char temp[TEMP_NAME_SIZE];
	int rc;

	temp_name(nfs_store_of(c)->owner, temp);
	rc = nfs_wire_link(w, fh, &p->dir, temp, e);
	if (rc == -1 && e->sys == EACCES && nfs_open_up(c, &p->dir))
		rc = nfs_wire_link(w, fh, &p->dir, temp, e);
	if (rc == -1) {
		nfs_temp_drop(c, p, temp, e);
		return cannot(c, e);
	}
	if (nfs_publish(c, p, temp, e) == 0)
		return 0;
	nfs_temp_drop(c, p, temp, e);
	return -1;
}

static int
link_once(struct session *c, const char *key, const char *existing,
    const struct store_stat *was, bool *is_there, struct err *e)
{
	struct item_stat that, now;
	struct nfs_fh fh, there;
	struct nfs_place p;

	if (store_sweep_left(c, key, e) == -1 ||
	    nfs_find(c, existing, &fh, &that, e) == -1)
		return -1;
	if (that.type != ITEM_FILE)
		return err_set(
		    e, ERR_MISMATCH, "is another kind of file at the target");
	if (nfs_check_was(&that, was, e) == -1 ||
	    nfs_parent(c, key, true, &p, e) == -1)
		return -1;
	*is_there = false;
	/* A rename onto another name of the same file would do nothing. */
	if (nfs_wire_lookup(nfs_session_of(c)->wire, &p.dir, p.name, &there,
		&now, e) == 0) {
		*is_there = now.ino == that.ino && now.dev == that.dev;
		if (*is_there)
			return 0;
	} else if (e->kind != ERR_NOTFOUND) {
		return -1;
	}
	return link_as(c, &fh, &p, e);
}

int
nfs_link_key(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	bool is_there;

	(void)st;
	nfs_file_forget(c);
	if (NFS_TWICE_MAKING(
		c, e, link_once(c, key, existing, was, &is_there, e)) == -1)
		return -1;
	*out = (struct store_receipt){.proved = true, .was_there = is_there};
	return 0;
}

static int
aside_once(struct session *c, const char *key, const char *to, bool *keep,
    struct err *e)
{
	struct nfs_wire *w = nfs_session_of(c)->wire;
	struct nfs_place from, p;
	bool is_there;

	/* Symlinks and some file systems have no other names. */
	*keep = *keep && link_once(c, to, key, NULL, &is_there, e) == 0;
	if (*keep)
		return 0;
	if (nfs_parent(c, key, false, &from, e) == -1 ||
	    nfs_parent(c, to, true, &p, e) == -1)
		return -1;
	if (nfs_wire_rename(w, &from.dir, from.name, &p.dir, p.name, e) == 0)
		return 0;
	return e->sys == EACCES && nfs_open_up(c, &from.dir)
	    ? nfs_wire_rename(w, &from.dir, from.name, &p.dir, p.name, e)
	    : -1;
}

int
nfs_set_aside(struct session *c, const char *key, const char *to, bool *keep,
    struct err *e)
{
	bool wanted = *keep;

	nfs_file_forget(c);
	return NFS_TWICE_MAKING(
	    c, e, (*keep = wanted, aside_once(c, key, to, keep, e)));
}
