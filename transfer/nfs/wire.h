/* SPDX-License-Identifier: ISC */
/*
 * NFS version 3 (RFC 1813) over one connection, by file handles: what the
 * server is asked is one directory's name at a time, so nothing that it holds
 * can lead elsewhere, and no symbolic link is ever followed.  libnfs carries
 * the calls; its own files, paths and caches aren't used: they follow symbolic
 * links, round times to microseconds and don't look at what the server says
 * about stable storage.
 *
 * A wire belongs to one thread at a time.  Every call waits for its answer, no
 * longer than the timeout without a byte moving, and no longer than the stop
 * flag is unset.  A call that ends in ERR_NET or ERR_STOPPED closes the
 * connection.  errors: e->sys is the errno that the server's status stands
 * for, ESTALE where a file handle isn't known any more.
 */
#ifndef TRANSFER_NFS_WIRE_H
#define TRANSFER_NFS_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "transfer/item.h"
#include "transfer/nfs/options.h"

#define NFS_FH_MAX 128

struct nfs_fh {
	uint32_t len; /* 0: none */
	char data[NFS_FH_MAX];
};

struct limit;

struct nfs_wire_config {
	const char *host; /* borrowed */
	struct nfs_options options;
	unsigned timeout_ms, connect_timeout_ms;
	const atomic_bool *stop; /* or NULL */
	struct limit *limit;	 /* of what is read and written, or NULL */
};

struct nfs_wire;

/* Takes no connection yet.  NULL and ERR_NOMEM. */
struct nfs_wire *nfs_wire_new(
    const struct nfs_wire_config *config, struct err *e);
void nfs_wire_free(struct nfs_wire *w);
AUTO_DEFINE(nfs_wire, struct nfs_wire, nfs_wire_free)

/*
 * The handle of the directory PATH, from the server's mount service (a
 * connection of its own).  ERR_NOTFOUND or ERR_DENIED if it isn't exported.
 */
int nfs_wire_mount(
    struct nfs_wire *w, const char *path, struct nfs_fh *root, struct err *e);
/* What the server exports, for people: "/a, /b"; "" if it doesn't say. */
void nfs_wire_exports(struct nfs_wire *w, char *out, size_t size);
/* Connects, unless it is connected, and asks for the limits of ROOT. */
int nfs_wire_connect(
    struct nfs_wire *w, const struct nfs_fh *root, struct err *e);

/* NAME in the directory DIR. */
int nfs_wire_lookup(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, struct nfs_fh *fh, struct item_stat *st, struct err *e);
int nfs_wire_getattr(struct nfs_wire *w, const struct nfs_fh *fh,
    struct item_stat *st, struct err *e);

enum nfs_set_what {
	NFS_SET_MODE = 1 << 0,
	NFS_SET_UID = 1 << 1,
	NFS_SET_GID = 1 << 2,
	NFS_SET_MTIME = 1 << 3,
	NFS_SET_ATIME = 1 << 4,
};

/*
 * WHAT (enum nfs_set_what bits) becomes as in ST.  AFTER, if not NULL, is how
 * the server says that it is then; its type is 0 if it doesn't say.
 */
int nfs_wire_setattr(struct nfs_wire *w, const struct nfs_fh *fh, unsigned what,
    const struct item_stat *st, struct item_stat *after, struct err *e);

/*
 * Makes a file, directory or symbolic link that isn't there yet (ERR_EXISTS),
 * with MODE.  ST is what it became.
 */
int nfs_wire_create(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, uint32_t mode, struct nfs_fh *fh, struct item_stat *st,
    struct err *e);
int nfs_wire_mkdir(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, uint32_t mode, struct nfs_fh *fh, struct item_stat *st,
    struct err *e);
int nfs_wire_symlink(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, const char *target, struct nfs_fh *fh,
    struct item_stat *st, struct err *e);
/* ERR_NAME if OUT (SIZE bytes) is too small; no NUL is added. */
int nfs_wire_readlink(struct nfs_wire *w, const struct nfs_fh *fh, char *out,
    size_t size, size_t *len, struct err *e);
/* NAME in DIR becomes another name of FH. */
int nfs_wire_link(struct nfs_wire *w, const struct nfs_fh *fh,
    const struct nfs_fh *dir, const char *name, struct err *e);
int nfs_wire_rename(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *from, const struct nfs_fh *to_dir, const char *to,
    struct err *e);
int nfs_wire_remove(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, struct err *e);
int nfs_wire_rmdir(struct nfs_wire *w, const struct nfs_fh *dir,
    const char *name, struct err *e);
/* Bytes that we may still write. */
int nfs_wire_free_bytes(
    struct nfs_wire *w, const struct nfs_fh *fh, uint64_t *out, struct err *e);

/* Where a listing stands; all zero at its beginning. */
struct nfs_cookie {
	uint64_t at;
	char verifier[8];
	bool end;
};

/*
 * An entry as the server sent it: NAME may be anything.  ST and FH are NULL
 * where the server left them out.  -1 (with *e set) ends the listing.
 */
typedef int nfs_wire_entry_fn(void *arg, const char *name,
    const struct item_stat *st, const struct nfs_fh *fh, struct err *e);

/* The next page of DIR.  e->sys is EAGAIN where it must begin anew. */
int nfs_wire_list(struct nfs_wire *w, const struct nfs_fh *dir,
    struct nfs_cookie *cookie, nfs_wire_entry_fn *fn, void *arg, struct err *e);

/*
 * Writes all of it, several calls at a time.  When it returns 0 the server has
 * said that it is on stable storage.
 */
int nfs_wire_write(struct nfs_wire *w, const struct nfs_fh *fh, uint64_t offset,
    const void *data, size_t len, struct err *e);
/*
 * Reads LEN bytes, several calls at a time; ERR_MISMATCH if there are fewer.
 * LIKE, if not NULL, is what the file must be at each answer that tells, or
 * ERR_CHANGED.
 */
int nfs_wire_read(struct nfs_wire *w, const struct nfs_fh *fh, uint64_t offset,
    void *data, size_t len, const struct item_stat *like, struct err *e);

#endif
