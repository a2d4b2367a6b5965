/* SPDX-License-Identifier: ISC */
/* What the files of the directory store share. */
#ifndef TRANSFER_POSIX_INTERNAL_H
#define TRANSFER_POSIX_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "transfer/posix/posix.h"

#define POSIX_TEMP_SIZE 32 /* bytes that a temporary name takes */
#define POSIX_IO_SIZE ((size_t)256 << 10)

struct posix_store {
	struct store base;
	char *path;
	bool no_fsync;
	bool defer_sync;
	bool follow_links;
	uint64_t owner;		 /* CRC of config.owner; 0: not known */
	const atomic_bool *stop; /* or NULL */
	pthread_mutex_t lock;	 /* while the root is opened */
	atomic_int root_fd;	 /* -1 until then; never changes again */
	/* Set before root_fd is. */
	bool may_defer; /* syncfs can be relied on */
	dev_t root_dev; /* where it reaches */
};

struct posix_file {
	struct store_file base;
	int fd;
};

struct posix_session {
	struct session base;
	struct posix_file *spare; /* of the file closed last, or NULL */
	struct digester *digester;
	uint8_t *io; /* POSIX_IO_SIZE bytes */
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
/* Whether KEY ends in the slash of a directory's; without it into *OUT (to be
 * freed; NULL: no memory). */
bool posix_is_dir_key(const char *key, char **out);
/* KEY itself, opened with FLAGS | O_NOFOLLOW. */
int posix_open(struct session *c, const char *key, int flags, struct err *e);

/* fsync of FD, unless that is left to the system. */
int posix_sync(struct session *c, int fd, struct err *e);
/* Whether flush() will sync what is on FD's file system. */
bool posix_defers(struct session *c, int fd);
/* posix_sync, unless flush() will do it. */
int posix_sync_later(struct session *c, int fd, struct err *e);
int posix_flush(struct session *c, struct err *e);
/* fdatasync, likewise. */
int posix_sync_data(struct session *c, int fd, struct err *e);
/* Gives FD owner, mode and times of ST.  A mode of 0 means none is known. */
int posix_apply(int fd, const struct item_stat *st, struct err *e);
/* The same for the symlink NAME in DIR_FD: it has no mode. */
int posix_apply_link(
    int dir_fd, const char *name, const struct item_stat *st, struct err *e);

/*
 * The temporary name for NAME into OUT (POSIX_TEMP_SIZE bytes): another one
 * each time where FRESH, or where the owner isn't known.
 */
void posix_temp_name(
    struct session *c, const char *name, bool fresh, char *out);
/* Bytes that all temporary names of NAME begin with; 0 if they don't. */
size_t posix_temp_common(struct session *c, const char *name, char *out);
/* Makes a temporary file for NAME in DIR_FD; its descriptor. */
int posix_temp_file(struct session *c, int dir_fd, const char *name, bool fresh,
    const struct item_stat *st, char *temp, struct err *e);
/* Writes all of it. */
int posix_write(
    int fd, const void *data, size_t len, uint64_t offset, struct err *e);
/* Reads LEN bytes; ERR_MISMATCH if there are fewer. */
int posix_read(int fd, void *data, size_t len, uint64_t offset, struct err *e);
/* TEMP becomes NAME, durably.  ERR_EXISTS if NAME is a directory. */
int posix_publish(struct session *c, int dir_fd, const char *temp,
    const char *name, struct err *e);

/* The driver's functions that are in file.c, read.c, write.c and upload.c. */
struct store_file *posix_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int posix_read_file(struct store_file *f, uint64_t offset, void *data,
    size_t len, struct err *e);
int posix_check_file(struct store_file *f, struct err *e);
void posix_close_file(struct store_file *f);
int posix_readlink(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e);
int posix_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e);
int posix_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e);
int posix_read_key(struct session *c, const char *key, uint64_t offset,
    void *data, size_t len, struct err *e);
int posix_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int posix_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int posix_symlink(struct session *c, const char *key,
    const struct item_stat *st, const char *target, size_t len, struct err *e);
int posix_set_metadata(struct session *c, const char *key,
    const struct item_stat *st, struct store_receipt *out, struct err *e);
int posix_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);
int posix_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int posix_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int posix_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int posix_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int posix_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);
int posix_uploads(struct session *c, const char *key, store_upload_fn *fn,
    void *arg, struct err *e);

#endif
