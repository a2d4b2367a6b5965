/* SPDX-License-Identifier: ISC */
/*
 * What the files of the directory store share.
 *
 * Holes are believed on ext4, xfs, btrfs and tmpfs only: elsewhere SEEK_HOLE
 * has lied (OpenZFS #15526), and zeros that were read are holes again when
 * written. Zeros are not written where the new file has none but zeros; a file
 * without holes has its space reserved, so it doesn't get any.
 *
 * A target directory stays open for 50 ms per session, and files are made with
 * the owner and mode that the first one in it was seen to get: six system
 * calls a small file instead of eleven. Longer, and a directory that was moved
 * away would be written into.
 *
 * Names are tried at the target, not looked up by file system: folding depends
 * on mounts and servers. It is done in the first directory that is written
 * into, so a run that finds nothing to do changes nothing. Where names fold, a
 * name that is taken already is looked for in its directory, and another
 * spelling is refused.
 *
 * A directory reads back before the rename: parts after their fdatasync, with
 * their pages dropped, compared with the buffer that was sent; small files
 * from the cache, as their sync comes later for a whole batch. The receipt
 * says proved, and the engine reads nothing again.
 *
 * Shared blocks and copies in the kernel (clone, copy_part) are tried where
 * both stores are of one driver. They leave no digest in the ledger: changed
 * metadata alone sends such a file again, which costs a clone nothing. Only
 * --verify none lets copy_file_range have bytes that nobody looked at.
 */
#ifndef TRANSFER_POSIX_INTERNAL_H
#define TRANSFER_POSIX_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "base/buf.h"
#include "transfer/posix/posix.h"
#include "transfer/temp.h"

#define POSIX_IO_SIZE ((size_t)256 << 10)
#define POSIX_BLOCK ((size_t)4 << 10) /* the smallest hole */

/* What a file that is made in a directory gets, as the last one did. */
struct posix_gets {
	bool seen;
	uint32_t uid, gid;
	mode_t asked, got;
};

struct posix_store {
	struct store base;
	char *path;
	bool no_fsync;
	bool defer_sync;
	bool follow_links;
	bool read_back;
	bool keep_atimes;
	bool sparse;		 /* all zeros become holes */
	unsigned attrs;		 /* kinds of them that are kept */
	atomic_bool no_clone;	 /* it can't be, from that source */
	uint32_t owner;		 /* temp_owner() */
	const atomic_bool *stop; /* or NULL */
	bool is_remote;		 /* on a file system of the network */
	struct limit *limit;	 /* NULL: what is moved doesn't count */
	/* Found by trying, in the first directory that is written into. */
	atomic_bool names_known;
	atomic_uint name_max;
	char
	    forbidden[16]; /* bytes that no name has; "." and " ": at its end */
	atomic_bool forbids;
	atomic_bool folds;     /* two spellings may be one name */
	pthread_mutex_t names; /* while one takes a name that folds */
	pthread_mutex_t lock;  /* while the root is opened */
	atomic_int root_fd;    /* -1 until then; never changes again */
	/* Set before root_fd is. */
	bool may_defer;	  /* syncfs can be relied on */
	bool knows_holes; /* so can SEEK_HOLE */
	dev_t root_dev;	  /* where these reach */
	ino_t root_ino;
	/* One session tells the others what files get. */
	pthread_mutex_t learning;
	struct buf learned_dir; /* its key */
	struct posix_gets learned;
};

/*
 * A file that is read past its holes, where those can be believed: no page of
 * zeros is asked for.
 */
struct posix_holes {
	struct session *session;
	int fd;
	bool known;	   /* the file has some, and they are asked for */
	bool hole;	   /* what [from, to) is */
	uint64_t from, to; /* empty at first */
	uint64_t size;
};

struct posix_file {
	struct store_file base;
	struct posix_holes in;
};

/*
 * The directory that was written into last.  It stays open for a moment, not
 * longer: it may be moved away.
 */
struct posix_dir {
	int fd; /* -1: none */
	char *key;
	size_t key_len, key_cap;
	uint64_t until_ms;
	bool defers; /* flush() will sync what is in it */
	struct posix_gets gets;
};

struct posix_session {
	struct session base;
	struct posix_dir dir;
	struct posix_file *spare; /* of the file closed last, or NULL */
	struct digester *digester;
	uint8_t *io;		       /* POSIX_IO_SIZE bytes */
	struct posix_scratch *scratch; /* attrs.c's, or NULL */
};

static inline struct posix_store *
posix_store_of(struct session *c)
{
	return (struct posix_store *)(void *)c->store;
}

static inline struct posix_session *
posix_session_of(struct session *c)
{
	return (struct posix_session *)(void *)c;
}

/* The root's descriptor (borrowed), or -1. */
int posix_root(struct session *c, struct err *e);
/* ERR_STOPPED once the run is to stop. */
int posix_go_on(struct session *c, struct err *e);

/*
 * The directory that holds KEY, O_PATH, and the name in it.  ERR_NOTFOUND,
 * or ERR_EXISTS naming what stands where a directory is needed.
 */
int posix_parent(
    struct session *c, const char *key, const char **name, struct err *e);
/* The same to write into (it can be fsync'ed); missing ones are made. */
int posix_parent_made(
    struct session *c, const char *key, const char **name, struct err *e);
/* As posix_parent_made, but what names the target takes isn't tried there:
 * it may stay as it is. */
int posix_parent_there(
    struct session *c, const char *key, const char **name, struct err *e);
/* The same, kept open by the session: borrowed until the next call of it. */
struct posix_dir *posix_dir(
    struct session *c, const char *key, const char **name, struct err *e);
/* Forgets it. */
void posix_dir_drop(struct session *c);
/* Another session that comes to the same directory knows what files get. */
void posix_dir_learned(struct session *c);
/* Opens the root by its path again, after ESTALE. */
void posix_root_again(struct session *c);
/* Whether KEY ends in the slash of a directory's; without it into *OUT (to be
 * freed; NULL: no memory). */
bool posix_is_dir_key(const char *key, char **out);
/* Opens up FD (O_PATH), a directory of our own that its mode closes to us;
 * whoever writes sets it right later.  False: that isn't what is wrong. */
bool posix_open_up(int fd);
/* KEY itself, opened with FLAGS | O_NOFOLLOW. */
int posix_open(struct session *c, const char *key, int flags, struct err *e);
/* The directory KEY, for reading; one of our own is opened up if need be. */
int posix_open_dir(struct session *c, const char *key, struct err *e);

/*
 * Finds out what names the target takes, once.  DIR_FD is to be changed anyhow,
 * under a temporary name that is always the same: the next run removes what a
 * killed one left.
 */
void posix_names_try(struct session *c, int dir_fd);
/* Whether case is seen to be folded, as NAME in DIR_FD is there: no trying. */
void posix_names_look(struct session *c, int dir_fd, const char *name);
/* ERR_NAME if the N bytes at P can't be a name there. */
int posix_names_check(
    const struct posix_store *s, const char *p, size_t n, struct err *e);
/* ERR_NAME if what the name NAME in DIR_FD leads to is spelled otherwise. */
int posix_spelled(
    struct session *c, int dir_fd, const char *name, struct err *e);
/* The same of each component of DIR. */
int posix_spelled_path(struct session *c, int root, char *dir, struct err *e);

/* fsync of FD, unless that is left to the system. */
int posix_sync(struct session *c, int fd, struct err *e);
/* Whether flush() will sync what is on FD's file system. */
bool posix_defers(struct session *c, int fd);
/* posix_sync, unless flush() will do it. */
int posix_sync_later(struct session *c, int fd, struct err *e);
int posix_flush(struct session *c, struct err *e);
/* fdatasync, likewise. */
int posix_sync_data(struct session *c, int fd, struct err *e);
/* Gives FD all that ST knows. */
int posix_apply(
    struct session *c, int fd, const struct item_stat *st, struct err *e);
/* The same of a file that was made with its owner and mode. */
int posix_apply_rest(
    struct session *c, int fd, const struct item_stat *st, struct err *e);
/* The same for the symlink NAME in DIR_FD: it has no mode. */
int posix_apply_link(struct session *c, int dir_fd, const char *name,
    const struct item_stat *st, struct err *e);

/* A descriptor of KEY as a source: ERR_VANISHED, ERR_CHANGED.  No symlinks on
 * the way to it but with follow_links. */
int posix_open_key(
    struct session *c, const char *key, int flags, struct err *e);
/* ERR_CHANGED if it isn't a TYPE any more. */
int posix_state_of(
    int fd, enum item_type type, struct item_stat *out, struct err *e);
/* Those of FD that are kept: the caller's.  BY_PATH: FD is an O_PATH one. */
struct attrs *posix_attrs_read(
    struct session *c, int fd, bool by_path, struct err *e);
/* Makes those of FD what WANT says. */
int posix_attrs_set(struct session *c, int fd, bool by_path,
    const struct attrs *want, struct err *e);
/* Whether the file that ST is of is to have holes where it has zeros. */
static inline bool
posix_is_sparse(struct session *c, const struct item_stat *st)
{
	return st->sparse || posix_store_of(c)->sparse;
}

/* Makes FD, which is empty, share the blocks of F; nothing moved in F then. */
int posix_share(struct session *c, int fd, struct store_file *f, struct err *e);
/* Copies LEN bytes at OFFSET of F into OUT, at the same place.
 * ERR_UNSUPPORTED if the kernel won't. */
int posix_copy_range(struct session *c, struct store_file *f, int out,
    uint64_t offset, size_t len, struct err *e);
/* Makes a temporary file in DIR_FD; its descriptor. */
int posix_temp_file(
    struct session *c, int dir_fd, mode_t mode, char *temp, struct err *e);
/* Removes what a failed call for KEY made in DIR_FD; a server of the kernel's
 * that doesn't answer leaves it to later. */
void posix_drop(
    struct session *c, const char *key, int dir_fd, const char *temp);
/* Writes all of it. */
int posix_write(struct session *c, int fd, const void *data, size_t len,
    uint64_t offset, struct err *e);
/*
 * Writes all of it but zeros where the file has none but zeros (a hole, or
 * space that is only reserved): runs of at least RUN bytes, a multiple of
 * POSIX_BLOCK.
 */
int posix_write_sparse(struct session *c, int fd, const void *data, size_t len,
    uint64_t offset, size_t run, struct err *e);
/* Begins to read FD of SIZE bytes; SPARSE: it may have holes. */
void posix_holes_init(struct session *c, struct posix_holes *h, int fd,
    uint64_t size, bool sparse);
/*
 * Whether there is a hole at OFFSET, which is below the size; *LEN becomes
 * less if what is there ends before.
 */
bool posix_hole_at(struct posix_holes *h, uint64_t offset, size_t *len);
bool posix_is_zero(const uint8_t *p, size_t n); /* N is not 0 */
/* Whether LEN bytes at OFFSET of FD are zeros that take no writing.  Where
 * holes aren't to be believed, they are beyond its end then. */
bool posix_has_nothing(struct session *c, int fd, uint64_t offset, size_t len);
/* As posix_read. */
int posix_holes_read(struct posix_holes *h, void *data, size_t len,
    uint64_t offset, struct err *e);
/*
 * Reads back what was written and compares: ERR_MISMATCH.  From the medium
 * where it can be had: SYNCED says that it is there.
 */
int posix_prove(struct session *c, int fd, const void *data, size_t len,
    uint64_t offset, bool synced, struct err *e);
/* Reads LEN bytes; ERR_MISMATCH if there are fewer. */
int posix_read(struct session *c, int fd, void *data, size_t len,
    uint64_t offset, struct err *e);
/* TEMP becomes NAME, durably.  ERR_EXISTS if NAME is a directory. */
int posix_publish(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e);
/* The same while TEMP's bytes may not be on the medium: durable by flush(). */
int posix_publish_later(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e);
/* ERR_MISMATCH unless ST still is what the caller knows as WAS. */
int posix_check_was(
    const struct stat *st, const struct store_stat *was, struct err *e);

/*
 * TEMP becomes NAME if what the session's caller expects is there: atomic
 * where nothing is to be there, and the file system can link or has
 * RENAME_NOREPLACE; else with a look right before.
 */
int posix_rename_expected(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e);

/* The session's digester and io, made when they are needed. */
int posix_tools(struct session *c, struct err *e);

/* The driver's functions that are in file.c, read.c, write.c and upload.c. */
struct store_file *posix_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int posix_read_file(struct store_file *f, uint64_t offset, void *data,
    size_t len, struct err *e);
int posix_check_file(struct store_file *f, struct err *e);
/* Its descriptor, and where it has holes. */
struct posix_holes *posix_source_of(struct store_file *f);
void posix_close_file(struct store_file *f);
int posix_readlink(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e);
int posix_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e);
int posix_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e);
int posix_read_key(struct session *c, const char *key, uint64_t offset,
    void *data, size_t len, struct err *e);
int posix_attrs(struct session *c, const char *key, enum item_type type,
    struct attrs **out, struct err *e);
int posix_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int posix_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int posix_symlink(struct session *c, const char *key,
    const struct item_stat *st, const char *target, size_t len, struct err *e);
int posix_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
int posix_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
int posix_set_aside(struct session *c, const char *key, const char *to,
    bool *keep, struct err *e);
int posix_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);
int posix_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int posix_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int posix_clone(struct session *c, const char *key, struct store_file *f,
    struct store_receipt *out, struct err *e);
int posix_copy_part(struct session *c, const struct store_upload *u,
    uint32_t number, struct store_file *f, struct store_receipt *out,
    struct err *e);
int posix_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int posix_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int posix_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);
int posix_sweep(struct session *c, const char *key, struct err *e);

#endif
