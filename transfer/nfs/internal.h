/* SPDX-License-Identifier: ISC */
/*
 * What the files of the NFS store share.
 *
 * NFS by libnfs's raw calls, not by its files. Its path functions follow
 * symbolic links on the client, have times in microseconds and walk the whole
 * path in every call; here names are looked up in the handle of their
 * directory, handles are kept for a second, and SETATTR has nanoseconds. Every
 * WRITE is FILE_SYNC: no write verifier is needed then, and measured against
 * UNSTABLE and COMMIT it costs nothing (1 GiB over loopback to ext4: 4.0 to
 * 4.3 s both, nfs-cp 3.7 to 4.7 s). A server that answers UNSTABLE anyway gets
 * a COMMIT, and its verifier must stay the same. libnfs never reconnects or
 * sends anything a second time: a broken connection is ERR_NET, and the engine
 * knows what may be repeated. Version 4 is refused: libnfs 4.0 can't write
 * more than 4 KB by it, and RHEL, Debian 12 and most filers speak version 3.
 *
 * An export isn't told from a path in an nfs:// URL: MOUNT is tried with all
 * of it, then with the directories above; what is left is looked up, and made
 * for a target.
 */
#ifndef TRANSFER_NFS_INTERNAL_H
#define TRANSFER_NFS_INTERNAL_H

#include <errno.h>

#include "transfer/nfs/nfs.h"
#include "transfer/nfs/wire.h"
#include "transfer/temp.h"

#define NFS_IO_SIZE ((size_t)4 << 20) /* what is read back at once */
#define NFS_DIRS 256		      /* handles of directories that are kept */
#define NFS_PATH_MAX ((size_t)1 << 20)

struct nfs_store {
	struct store base;
	char *host;
	char *path; /* of the root, as the URL has it */
	struct nfs_wire_config config;
	uint32_t owner; /* temp_owner() */
	bool read_back;
	bool keep_atimes;
	/* How much of path the server lets us mount; 0: not known yet. */
	atomic_size_t mount_len;
	/* The last owner and group that only root may give, and we are not:
	 * they aren't tried again.  -1: none. */
	atomic_llong refused_uid, refused_gid;
};

/* A directory's handle, for as long as others would believe in it. */
struct nfs_dir {
	char *path; /* NULL: none */
	struct nfs_fh fh;
	uint64_t since_ms; /* and those above it */
};

struct nfs_session {
	struct session base;
	struct nfs_wire *wire;
	struct nfs_fh mount, root; /* len is 0 while they are not known */
	struct nfs_dir dirs[NFS_DIRS];
	/* The file that was used last: an upload's, or one read in pieces. */
	char *file_path;
	struct nfs_fh file;
	uint64_t file_next; /* where the next piece would begin */
	struct digester *digester;
	uint8_t *io; /* NFS_IO_SIZE bytes, or NULL */
};

/* A name in a directory. */
struct nfs_place {
	const char *key; /* borrowed: whose place it is */
	struct nfs_fh dir;
	char name[256];
};

static inline struct nfs_store *
nfs_store_of(struct session *c)
{
	return (struct nfs_store *)(void *)c->store;
}

static inline struct nfs_session *
nfs_session_of(struct session *c)
{
	return (struct nfs_session *)(void *)c;
}

/*
 * Runs CALL; a second time if a handle that was kept isn't known any more at
 * the server.
 */
#define NFS_TWICE(c, e, call) \
	((call) == 0 ? 0 : nfs_forget_stale(c, e) ? (call) : -1)
/* The same of a CALL that makes the directories it writes into: one whose
 * handle was kept may have been removed. */
#define NFS_TWICE_MAKING(c, e, call) \
	((call) == 0 ? 0 : nfs_forget_gone(c, e) ? (call) : -1)
/* Whether *E is of a stale handle: then all that are kept are forgotten. */
bool nfs_forget_stale(struct session *c, struct err *e);
/* Likewise of one of a directory that is gone, which not all servers call
 * stale. */
bool nfs_forget_gone(struct session *c, struct err *e);

/* Connects and finds the root; with MAKE it is made where it is missing. */
int nfs_reach(struct session *c, bool make, struct err *e);
/*
 * The directory PATH (LEN bytes), "" for the root; with MAKE missing ones are
 * made.  ERR_NOTFOUND, or ERR_EXISTS naming what is in the way.
 */
int nfs_dir(struct session *c, const char *path, size_t len, bool make,
    struct nfs_fh *out, struct err *e);
/* The directory that holds KEY, and the name in it. */
int nfs_parent(struct session *c, const char *key, bool make,
    struct nfs_place *out, struct err *e);
/* KEY itself ("" is the root); ERR_NOTFOUND where something is in the way. */
int nfs_find(struct session *c, const char *key, struct nfs_fh *fh,
    struct item_stat *st, struct err *e);
/* A name that a directory can have: not "", ".", "..", no slash. */
bool nfs_is_name(const char *name);

/* The session's buffer and digester. */
int nfs_tools(struct session *c, struct err *e);
/* The handle of PATH, if it was the last. */
bool nfs_file_known(struct session *c, const char *path, struct nfs_fh *out);
void nfs_file_remember(
    struct session *c, const char *path, const struct nfs_fh *fh);
void nfs_file_forget(struct session *c);

/*
 * Gives FH owner, mode and times of ST as far as the server lets us; NOW is
 * what it has.  A mode of 0 means none is known.
 */
int nfs_apply(struct session *c, const struct nfs_fh *fh,
    const struct item_stat *now, const struct item_stat *st, struct err *e);
/* Makes a temporary file for the place; its name goes into TEMP. */
int nfs_temp_file(struct session *c, const struct nfs_place *p, char *temp,
    struct nfs_fh *fh, struct item_stat *st, struct err *e);
/* Opens up a directory of our own that its mode keeps us from writing into;
 * whoever writes sets it right later.  False: that isn't what is wrong. */
bool nfs_open_up(struct session *c, const struct nfs_fh *dir);
/* ERR_MISMATCH unless NOW still is what the caller knows as WAS. */
int nfs_check_was(
    const struct item_stat *now, const struct store_stat *was, struct err *e);
/* Removes what a failed call made, or leaves that to later. */
void nfs_temp_drop(struct session *c, const struct nfs_place *p,
    const char *temp, const struct err *why);
/* TEMP gets its name.  ERR_EXISTS if that is a directory's. */
int nfs_publish(struct session *c, const struct nfs_place *p, const char *temp,
    struct err *e);
/* Reads back what was written there; ERR_MISMATCH. */
int nfs_compare(struct session *c, const struct nfs_fh *fh, uint64_t offset,
    const void *data, size_t len, struct err *e);

/* One directory, all of it, sorted. */
struct nfs_entry {
	size_t name; /* its offset in names */
	bool has_st;
	struct nfs_fh fh; /* len 0 if it wasn't told */
	struct item_stat st;
};

struct nfs_names {
	struct buf names;
	struct nfs_entry *entries;
	size_t n, cap;
};

/* Without temporary names, but those that the session asks for. */
int nfs_read_dir(struct session *c, const struct nfs_fh *dir,
    struct nfs_names *out, struct err *e);
void nfs_names_free(struct nfs_names *n);

static inline void
auto_nfs_names(struct nfs_names *n)
{
	nfs_names_free(n);
}

/* The driver's functions that are in read.c, write.c and upload.c. */
int nfs_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e);
int nfs_stat_key(
    struct session *c, const char *key, struct store_stat *out, struct err *e);
int nfs_read_key(struct session *c, const char *key, uint64_t offset,
    void *data, size_t len, struct err *e);
struct store_file *nfs_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int nfs_read_file(struct store_file *f, uint64_t offset, void *data, size_t len,
    struct err *e);
int nfs_check_file(struct store_file *f, struct err *e);
void nfs_close_file(struct store_file *f);
int nfs_readlink_key(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e);
int nfs_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int nfs_make_dir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int nfs_make_link(struct session *c, const char *key,
    const struct item_stat *st, const char *target, size_t len, struct err *e);
int nfs_link_key(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
int nfs_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
int nfs_set_aside(struct session *c, const char *key, const char *to,
    bool *keep, struct err *e);
int nfs_remove_keys(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);
int nfs_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int nfs_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int nfs_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int nfs_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int nfs_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);
int nfs_sweep(struct session *c, const char *key, struct err *e);

#endif
