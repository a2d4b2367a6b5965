/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing a range with several calls under way, each up to what
 * the server takes at once.  What an answer leaves over is asked for again.
 */
#include "config.h"

#include <string.h>

#include "transfer/limit.h"
#include "transfer/nfs/wire_in.h"

#define WINDOW 8
/*
 * Bytes of writing under way.  libnfs before 6.0 copies each call's: memory
 * that comes and goes by more than this costs more than the longer queue wins.
 */
#ifdef LIBNFS_API_V2
#define WRITE_BYTES ((uint32_t)8 << 20)
#else
#define WRITE_BYTES ((uint32_t)2 << 20)
#endif

struct io;

/* A piece of the range, and the call for what is left of it. */
struct slot {
	struct nfs_call call;
	struct io *io;
	size_t at, len; /* of the range */
	bool under_way;
};

struct io {
	struct nfs_wire *w;
	const struct nfs_fh *fh;
	uint64_t offset;
	size_t len;
	size_t next; /* where the range wasn't asked for yet */
	struct slot slots[WINDOW];
	/* The first thing that went wrong, from an answer. */
	bool bad;
	struct err *e;

	/* Reading */
	char *in;
	const struct item_stat *like;

	/* Writing */
	const char *from;
	stable_how how;
	bool unstable;	   /* some of it may be in the server's memory only */
	bool has_verifier; /* of what may be */
	writeverf3 verifier;
};

static void
fail(struct io *io, int rc)
{
	(void)rc; /* *io->e is set */
	io->bad = true;
}

static int
restarted(struct io *io)
{
	return err_set(io->e, ERR_NET,
	    "the NFS server was restarted before it had written all to stable "
	    "storage");
}

/* The server's memory holds what was written as long as this stays. */
static void
see_verifier(struct io *io, const char *now)
{
	if (!io->has_verifier) {
		memcpy(io->verifier, now, sizeof(io->verifier));
		io->has_verifier = true;
	} else if (memcmp(io->verifier, now, sizeof(io->verifier)) != 0) {
		fail(io, restarted(io));
	}
}

static void
advance(struct slot *s, size_t n)
{
	if (n == 0 || n > s->len) {
		fail(s->io,
		    err_set(s->io->e, ERR_PROTOCOL,
			"the NFS server took or gave %zu bytes of %zu", n,
			s->len));
		return;
	}
	s->at += n;
	s->len -= n;
}

/* What an answer without data says; false if there is one with data. */
static bool
went_wrong(struct slot *s, const void *answer, const char *what)
{
	if (answer != NULL)
		return false;
	/* Failed calls are seen to when the link breaks. */
	if (!s->call.failed && !s->io->bad)
		fail(s->io, nfs_status_error(s->call.status, what, s->io->e));
	return true;
}

static void
written(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct slot *s = arg;
	const WRITE3res *r = nfs_answer(&s->call, status, data);
	const WRITE3resok *ok;

	(void)rpc;
	s->under_way = false;
	if (went_wrong(s, r, "write"))
		return;
	ok = &r->WRITE3res_u.resok;
	if (ok->committed == UNSTABLE) {
		s->io->unstable = true;
		see_verifier(s->io, ok->verf);
	}
	advance(s, ok->count);
}

static void
arrived(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct slot *s = arg;
	struct io *io = s->io;
	const READ3res *r = nfs_answer(&s->call, status, data);
	const READ3resok *ok;
	struct item_stat now;

	(void)rpc;
	s->under_way = false;
	if (went_wrong(s, r, "read"))
		return;
	ok = &r->READ3res_u.resok;
	if (io->like != NULL && ok->file_attributes.attributes_follow != 0) {
		nfs_stat_take(
		    &now, &ok->file_attributes.post_op_attr_u.attributes);
		now.dev = io->like->dev;
		if (!item_same(&now, io->like)) {
			fail(io,
			    err_set(io->e, ERR_CHANGED,
				"changed while it was read"));
			return;
		}
	}
	if (ok->count < s->len && ok->eof != 0) {
		fail(io,
		    err_set(io->e, ERR_MISMATCH, "ends %zu bytes too early",
			s->len - ok->count));
		return;
	}
#ifndef LIBNFS_API_V2
	if (ok->count > ok->data.data_len || ok->count > s->len) {
		advance(s, 0);
		return;
	}
	memcpy(io->in + s->at, ok->data.data_val, ok->count);
#endif
	advance(s, ok->count);
}

static bool
ask(struct io *io, struct slot *s)
{
	struct nfs_link *l = &io->w->link;

	s->call = (struct nfs_call){.link = l};
	s->under_way = true;
	if (io->in != NULL) {
		READ3args args = {.file = nfs_fh3_of(io->fh),
		    .offset = io->offset + s->at,
		    .count = (count3)s->len};

#ifdef LIBNFS_API_V2
		return NFS3_QUEUE(
		    l, read, arrived, io->in + s->at, s->len, &args, s);
#else
		return NFS3_QUEUE(l, read, arrived, &args, s);
#endif
	} else {
		WRITE3args args = {.file = nfs_fh3_of(io->fh),
		    .offset = io->offset + s->at,
		    .count = (count3)s->len,
		    .stable = io->how,
		    .data = {.data_len = (u_int)s->len,
			.data_val = nfs_plain(io->from + s->at)}};

		return NFS3_QUEUE(l, write, written, &args, s);
	}
}

/* Gives S its next piece; false if there is none. */
static bool
refill(struct io *io, struct slot *s, uint32_t most)
{
	if (s->len == 0 && io->next < io->len) {
		s->at = io->next;
		s->len = io->len - io->next < most ? io->len - io->next : most;
		s->len = limit_take(io->w->config.limit, s->len);
		io->next += s->len;
	}
	return s->len > 0;
}

static int
run(struct io *io, uint32_t most, unsigned window, struct err *e)
{
	struct nfs_link *l = &io->w->link;
	unsigned i, under_way;

	/* What was queued leaves while the next answer is awaited. */
	if (limit_is_on(io->w->config.limit))
		window = 1;
	for (i = 0; i < window; i++)
		io->slots[i].io = io;
	do {
		for (i = 0, under_way = 0; i < window; i++) {
			struct slot *s = &io->slots[i];

			if (!s->under_way && s->call.failed)
				return nfs_link_broke(io->w, l, e);
			if (!s->under_way && !io->bad && refill(io, s, most) &&
			    !ask(io, s))
				return nfs_link_broke(io->w, l, e);
			under_way += s->under_way;
		}
		/* What went wrong counts when all have answered. */
		if (under_way > 0 &&
		    nfs_link_wait(io->w, l, under_way - 1, e) == -1)
			return -1;
	} while (under_way > 0);
	if (io->bad)
		return -1;
	if (io->next < io->len)
		return err_set(e, ERR_PROTOCOL,
		    "only %zu bytes of %zu were asked for", io->next, io->len);
	return 0;
}

static void
committed(struct rpc_context *rpc, int status, void *data, void *arg)
{
	struct slot *s = arg;
	const COMMIT3res *r = nfs_answer(&s->call, status, data);

	(void)rpc;
	if (r != NULL)
		see_verifier(s->io, r->COMMIT3res_u.resok.verf);
}

static int
commit(struct io *io, struct err *e)
{
	struct slot *s = &io->slots[0];
	COMMIT3args args = {.file = nfs_fh3_of(io->fh),
	    .offset = io->offset,
	    .count = io->len <= UINT32_MAX ? (count3)io->len : 0};

	s->call = (struct nfs_call){.link = &io->w->link};
	if (nfs_call_end(io->w, &s->call,
		NFS3_QUEUE(&io->w->link, commit, committed, &args, s),
		"write to stable storage", e) == -1)
		return -1;
	return io->bad ? -1 : 0;
}

int
nfs_wire_write(struct nfs_wire *w, const struct nfs_fh *fh, uint64_t offset,
    const void *data, size_t len, struct err *e)
{
	struct io io = {
	    .w = w,
	    .fh = fh,
	    .offset = offset,
	    .len = len,
	    .from = data,
	    .how = FILE_SYNC,
	    .e = e,
	};
	uint32_t window = WRITE_BYTES / w->write_max;

	if (run(&io, w->write_max, window < WINDOW ? window : WINDOW, e) == -1)
		return -1;
	return io.unstable ? commit(&io, e) : 0;
}

int
nfs_wire_read(struct nfs_wire *w, const struct nfs_fh *fh, uint64_t offset,
    void *data, size_t len, const struct item_stat *like, struct err *e)
{
	struct io io = {
	    .w = w,
	    .fh = fh,
	    .offset = offset,
	    .len = len,
	    .in = data,
	    .like = like,
	    .e = e,
	};

	return run(&io, w->read_max, WINDOW, e);
}
