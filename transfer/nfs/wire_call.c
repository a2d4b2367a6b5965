/* SPDX-License-Identifier: ISC */
/* One call each: what is asked, and what of the answer is kept. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transfer/nfs/wire_in.h"

/* Bytes of names, and of names with all that is told of them, in a page. */
#define LIST_NAMES ((count3)32 << 10)
#define LIST_BYTES ((count3)256 << 10)
#define IO_MAX ((uint32_t)1 << 20)
#define IO_MIN ((uint32_t)512)

static void
take_st(struct nfs_call *call, const post_op_attr *a)
{
	call->has_st = a->attributes_follow != 0;
	if (call->has_st)
		nfs_stat_take(call->st, &a->post_op_attr_u.attributes);
}

static void
take_fh(struct nfs_call *call, const post_op_fh3 *fh)
{
	call->has_fh = fh->handle_follows != 0 &&
	    nfs_fh_take(call->fh, &fh->post_op_fh3_u.handle);
}

/* For answers of which only the status counts. */
static void
done(struct rpc_context *rpc, int status, void *data, void *arg)
{
	(void)rpc;
	nfs_answer(arg, status, data);
}

static void
got_limits(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const FSINFO3res *r = nfs_answer(call, status, data);
	struct nfs_wire *w = call->out;

	(void)rpc;
	if (r == NULL)
		return;
	w->read_max = r->FSINFO3res_u.resok.rtmax;
	w->write_max = r->FSINFO3res_u.resok.wtmax;
}

static uint32_t
io_size(uint32_t theirs)
{
	if (theirs > IO_MAX)
		return IO_MAX;
	return theirs < IO_MIN ? IO_MIN : theirs;
}

int
nfs_wire_connect(struct nfs_wire *w, const struct nfs_fh *root, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .out = w};
	FSINFO3args args = {.fsroot = nfs_fh3_of(root)};

	if (w->link.nfs != NULL && w->read_max != 0 && w->write_max != 0)
		return 0;
	w->read_max = w->write_max = 0;
	if (nfs_link_open(w, &w->link, NFS_PROGRAM, w->config.options.nfs_port,
		"NFS", e) == -1)
		return -1;
	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, fsinfo, got_limits, &args, &call),
		"ask for limits", e) == -1) {
		/* Without them nothing can be read or written. */
		nfs_link_close(&w->link);
		return -1;
	}
	w->read_max = io_size(w->read_max);
	w->write_max = io_size(w->write_max);
	return 0;
}

static void
got_attr(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const GETATTR3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r != NULL)
		nfs_stat_take(call->st, &r->GETATTR3res_u.resok.obj_attributes);
}

int
nfs_wire_getattr(struct nfs_wire *w, const struct nfs_fh *fh,
    struct item_stat *st, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .st = st};
	GETATTR3args args = {.object = nfs_fh3_of(fh)};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, getattr, got_attr, &args, &call), "stat", e);
}

static void
looked_up(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const LOOKUP3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r == NULL)
		return;
	call->has_fh = nfs_fh_take(call->fh, &r->LOOKUP3res_u.resok.object);
	take_st(call, &r->LOOKUP3res_u.resok.obj_attributes);
}

int
nfs_wire_lookup(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    struct nfs_fh *fh, struct item_stat *st, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .fh = fh, .st = st};
	LOOKUP3args args = {
	    .what = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)}};

	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, lookup, looked_up, &args, &call),
		"look up", e) == -1)
		return -1;
	if (!call.has_fh)
		return err_set(
		    e, ERR_PROTOCOL, "look up: no usable file handle");
	return call.has_st ? 0 : nfs_wire_getattr(w, fh, st, e);
}

/* Seconds since 1970 until 2106 are all that the protocol has. */
static nfstime3
time3_of(int64_t ns)
{
	if (ns < 0)
		return (nfstime3){.seconds = 0};
	if (ns / 1000000000 > UINT32_MAX)
		return (nfstime3){.seconds = UINT32_MAX};
	return (nfstime3){.seconds = (uint32_t)(ns / 1000000000),
	    .nseconds = (uint32_t)(ns % 1000000000)};
}

static sattr3
sattr3_of(unsigned what, const struct item_stat *st)
{
	sattr3 a;

	memset(&a, 0, sizeof(a));
	if (what & NFS_SET_MODE) {
		a.mode.set_it = 1;
		a.mode.set_mode3_u.mode = st->mode & 07777;
	}
	if (what & NFS_SET_UID) {
		a.uid.set_it = 1;
		a.uid.set_uid3_u.uid = st->uid;
	}
	if (what & NFS_SET_GID) {
		a.gid.set_it = 1;
		a.gid.set_gid3_u.gid = st->gid;
	}
	if (what & NFS_SET_MTIME) {
		a.mtime.set_it = SET_TO_CLIENT_TIME;
		a.mtime.set_mtime_u.mtime = time3_of(st->mtime_ns);
	}
	if (what & NFS_SET_ATIME) {
		a.atime.set_it = SET_TO_CLIENT_TIME;
		a.atime.set_atime_u.atime = time3_of(st->atime_ns);
	}
	return a;
}

static void
was_set(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const SETATTR3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r != NULL)
		take_st(call, &r->SETATTR3res_u.resok.obj_wcc.after);
}

int
nfs_wire_setattr(struct nfs_wire *w, const struct nfs_fh *fh, unsigned what,
    const struct item_stat *st, struct item_stat *after, struct err *e)
{
	struct item_stat now = {.type = 0};
	struct nfs_call call = {.link = &w->link, .st = &now};
	SETATTR3args args = {
	    .object = nfs_fh3_of(fh), .new_attributes = sattr3_of(what, st)};

	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, setattr, was_set, &args, &call),
		"set attributes", e) == -1)
		return -1;
	if (after != NULL)
		*after = now;
	return 0;
}

/* The three that make something have answers of one form. */
static void
made(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const CREATE3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r == NULL)
		return;
	take_fh(call, &r->CREATE3res_u.resok.obj);
	take_st(call, &r->CREATE3res_u.resok.obj_attributes);
}

_Static_assert(sizeof(CREATE3res) == sizeof(MKDIR3res) &&
	sizeof(CREATE3res) == sizeof(SYMLINK3res),
    "made() reads them all");

/* What the answer may leave out is asked for. */
static int
complete(struct nfs_wire *w, const struct nfs_call *call,
    const struct nfs_fh *dir, const char *name, struct err *e)
{
	if (!call->has_fh)
		return nfs_wire_lookup(w, dir, name, call->fh, call->st, e);
	return call->has_st ? 0 : nfs_wire_getattr(w, call->fh, call->st, e);
}

int
nfs_wire_create(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    uint32_t mode, struct nfs_fh *fh, struct item_stat *st, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .fh = fh, .st = st};
	CREATE3args args = {
	    .where = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)},
	    /* EXCLUSIVE would only save a second try, and can't set a mode. */
	    .how = {.mode = GUARDED}};

	args.how.createhow3_u.g_obj_attributes =
	    sattr3_of(NFS_SET_MODE, &(struct item_stat){.mode = mode});
	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, create, made, &args, &call), "make file",
		e) == -1)
		return -1;
	return complete(w, &call, dir, name, e);
}

int
nfs_wire_mkdir(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    uint32_t mode, struct nfs_fh *fh, struct item_stat *st, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .fh = fh, .st = st};
	MKDIR3args args = {
	    .where = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)},
	    .attributes =
		sattr3_of(NFS_SET_MODE, &(struct item_stat){.mode = mode})};

	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, mkdir, made, &args, &call),
		"make directory", e) == -1)
		return -1;
	return complete(w, &call, dir, name, e);
}

int
nfs_wire_symlink(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    const char *target, struct nfs_fh *fh, struct item_stat *st, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .fh = fh, .st = st};
	SYMLINK3args args = {
	    .where = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)},
	    .symlink = {.symlink_data = nfs_plain(target)}};

	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, symlink, made, &args, &call),
		"make symbolic link", e) == -1)
		return -1;
	return complete(w, &call, dir, name, e);
}

static void
got_link(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const READLINK3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r == NULL)
		return;
	call->len = strlen(r->READLINK3res_u.resok.data);
	if (call->len <= call->size)
		memcpy(call->out, r->READLINK3res_u.resok.data, call->len);
}

int
nfs_wire_readlink(struct nfs_wire *w, const struct nfs_fh *fh, char *out,
    size_t size, size_t *len, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .out = out, .size = size};
	READLINK3args args = {.symlink = nfs_fh3_of(fh)};

	if (nfs_call_end(w, &call,
		NFS3_QUEUE(&w->link, readlink, got_link, &args, &call),
		"read link", e) == -1)
		return -1;
	if (call.len > size)
		return err_set(e, ERR_NAME, "symlink target too long");
	*len = call.len;
	return 0;
}

int
nfs_wire_link(struct nfs_wire *w, const struct nfs_fh *fh,
    const struct nfs_fh *dir, const char *name, struct err *e)
{
	struct nfs_call call = {.link = &w->link};
	LINK3args args = {.file = nfs_fh3_of(fh),
	    .link = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)}};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, link, done, &args, &call), "link", e);
}

int
nfs_wire_rename(struct nfs_wire *w, const struct nfs_fh *dir, const char *from,
    const struct nfs_fh *to_dir, const char *to, struct err *e)
{
	struct nfs_call call = {.link = &w->link};
	RENAME3args args = {
	    .from = {.dir = nfs_fh3_of(dir), .name = nfs_plain(from)},
	    .to = {.dir = nfs_fh3_of(to_dir), .name = nfs_plain(to)}};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, rename, done, &args, &call), "rename", e);
}

int
nfs_wire_remove(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    struct err *e)
{
	struct nfs_call call = {.link = &w->link};
	REMOVE3args args = {
	    .object = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)}};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, remove, done, &args, &call), "remove", e);
}

int
nfs_wire_rmdir(struct nfs_wire *w, const struct nfs_fh *dir, const char *name,
    struct err *e)
{
	struct nfs_call call = {.link = &w->link};
	RMDIR3args args = {
	    .object = {.dir = nfs_fh3_of(dir), .name = nfs_plain(name)}};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, rmdir, done, &args, &call), "remove directory",
	    e);
}

static void
got_space(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const FSSTAT3res *r = nfs_answer(call, status, data);

	(void)rpc;
	if (r != NULL)
		*(uint64_t *)call->out = r->FSSTAT3res_u.resok.abytes;
}

int
nfs_wire_free_bytes(
    struct nfs_wire *w, const struct nfs_fh *fh, uint64_t *out, struct err *e)
{
	struct nfs_call call = {.link = &w->link, .out = out};
	FSSTAT3args args = {.fsroot = nfs_fh3_of(fh)};

	return nfs_call_end(w, &call,
	    NFS3_QUEUE(&w->link, fsstat, got_space, &args, &call),
	    "ask for free space", e);
}

struct page {
	struct nfs_call call;
	struct nfs_cookie *cookie;
	nfs_wire_entry_fn *fn;
	void *arg;
	bool ended; /* by fn */
};

static void
listed(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct page *p = arg;
	const READDIRPLUS3res *r = nfs_answer(&p->call, status, data);
	const READDIRPLUS3resok *ok;
	const void *next;

	(void)rpc;
	if (r == NULL)
		return;
	ok = &r->READDIRPLUS3res_u.resok;
	for (next = ok->reply.entries; next != NULL && !p->ended;) {
		struct item_stat st;
		struct nfs_fh fh;
		bool has_st, has_fh;
		entryplus3 x;

		/* libnfs doesn't align them. */
		memcpy(&x, next, sizeof(x));
		has_st = x.name_attributes.attributes_follow != 0;
		has_fh = x.name_handle.handle_follows != 0 &&
		    nfs_fh_take(&fh, &x.name_handle.post_op_fh3_u.handle);
		if (has_st)
			nfs_stat_take(
			    &st, &x.name_attributes.post_op_attr_u.attributes);
		p->ended = p->fn(p->arg, x.name, has_st ? &st : NULL,
			       has_fh ? &fh : NULL, p->call.e) == -1;
		p->cookie->at = x.cookie;
		p->call.len++;
		next = x.nextentry;
	}
	memcpy(
	    p->cookie->verifier, ok->cookieverf, sizeof(p->cookie->verifier));
	p->cookie->end = ok->reply.eof != 0;
}

int
nfs_wire_list(struct nfs_wire *w, const struct nfs_fh *dir,
    struct nfs_cookie *cookie, nfs_wire_entry_fn *fn, void *arg, struct err *e)
{
	struct page p = {
	    .call = {.link = &w->link, .e = e},
	    .cookie = cookie,
	    .fn = fn,
	    .arg = arg,
	};
	READDIRPLUS3args args = {.dir = nfs_fh3_of(dir),
	    .cookie = cookie->at,
	    .dircount = LIST_NAMES,
	    .maxcount = LIST_BYTES};

	memcpy(args.cookieverf, cookie->verifier, sizeof(args.cookieverf));
	if (nfs_call_end(w, &p.call,
		NFS3_QUEUE(&w->link, readdirplus, listed, &args, &p),
		"list directory", e) == -1)
		return -1;
	if (p.ended)
		return -1;
	if (p.call.len == 0 && !cookie->end)
		return err_set(e, ERR_PROTOCOL,
		    "list directory: the server's answer has no entries");
	return 0;
}
