/* SPDX-License-Identifier: ISC */
/* What the files of the wire share: libnfs's raw calls, in all its versions. */
#ifndef TRANSFER_NFS_WIRE_IN_H
#define TRANSFER_NFS_WIRE_IN_H

#include <sys/time.h>
#include <sys/uio.h>

/* It says which interface it is, and the others need it before them. */
#include <nfsc/libnfs.h>

#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw.h>

#include "transfer/nfs/wire.h"

/* Whether the call was queued: since 6.0 calls return what can be cancelled. */
#ifdef LIBNFS_API_V2
#define NFS3_QUEUE(link, name, ...) \
	((link)->pending++,         \
	    rpc_nfs3_##name##_task((link)->rpc, __VA_ARGS__) != NULL)
#define MOUNT3_QUEUE(link, name, ...) \
	((link)->pending++,           \
	    rpc_mount3_##name##_task((link)->rpc, __VA_ARGS__) != NULL)
#else
#define NFS3_QUEUE(link, name, ...) \
	((link)->pending++,         \
	    rpc_nfs3_##name##_async((link)->rpc, __VA_ARGS__) == 0)
#define MOUNT3_QUEUE(link, name, ...) \
	((link)->pending++,           \
	    rpc_mount3_##name##_async((link)->rpc, __VA_ARGS__) == 0)
#endif

/* One connection; nfs is NULL while there is none. */
struct nfs_link {
	struct nfs_context *nfs;
	struct rpc_context *rpc;
	unsigned pending; /* calls under way */
	char why[160];	  /* what broke it */
};

struct nfs_wire {
	struct nfs_wire_config config;
	struct nfs_link link;
	uint32_t read_max, write_max; /* bytes in one call */
};

/* A call under way.  It outlives its answer, or the connection. */
struct nfs_call {
	struct nfs_link *link;
	bool failed; /* there was no answer */
	uint32_t
	    status; /* the answer: an nfsstat3, or the same as mountstat3 */
	/* Where parts of the answer go, and whether they came. */
	struct nfs_fh *fh;
	struct item_stat *st;
	bool has_fh, has_st;
	void *out;
	size_t size, len;
	struct err *e; /* of a function that the answer was passed to */
};

/* Opens a connection to PROGRAM version 3, at PORT or where the portmapper
 * says; WHAT is its name. */
int nfs_link_open(struct nfs_wire *w, struct nfs_link *l, int program,
    unsigned port, const char *what, struct err *e);
/* Calls under way end as failed. */
void nfs_link_close(struct nfs_link *l);
/* Waits until no more than MOST calls are under way. */
int nfs_link_wait(
    struct nfs_wire *w, struct nfs_link *l, unsigned most, struct err *e);

/* Counts the answer; it, or NULL if there was none or it is an error. */
void *nfs_answer(struct nfs_call *call, int rpc_status, void *data);
/*
 * Waits for the answer of CALL, QUEUED or not; WHAT is what was asked, for
 * people.
 */
int nfs_call_end(struct nfs_wire *w, struct nfs_call *call, bool queued,
    const char *what, struct err *e);
/* Sets *E from an nfsstat3; -1. */
int nfs_status_error(uint32_t status, const char *what, struct err *e);
/* The connection has to go: ERR_NET, -1. */
int nfs_link_broke(struct nfs_wire *w, struct nfs_link *l, struct err *e);

/* libnfs only reads what it is to send. */
static inline char *
nfs_plain(const char *p)
{
	union {
		const char *in;
		char *out;
	} u = {.in = p};

	return u.out;
}

static inline nfs_fh3
nfs_fh3_of(const struct nfs_fh *fh)
{
	return (nfs_fh3){
	    .data = {.data_len = fh->len, .data_val = nfs_plain(fh->data)}};
}

/* false if it is no handle that we can hold. */
bool nfs_fh_take(struct nfs_fh *out, const nfs_fh3 *in);
void nfs_stat_take(struct item_stat *out, const fattr3 *in);

#endif
