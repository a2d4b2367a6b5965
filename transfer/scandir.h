/* SPDX-License-Identifier: ISC */
/*
 * The names of one directory, all read before any is used, sorted as unsigned
 * bytes: of a local one by scandir_read, of a store's with what its listing
 * says of each by scandir_add and scandir_end.  Belongs to one thread; its
 * memory is kept from one directory to the next.
 */
#ifndef TRANSFER_SCANDIR_H
#define TRANSFER_SCANDIR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transfer/item.h"
#include "transfer/pathset.h"

struct scandir_name {
	uint64_t key;	  /* bytes that decide most comparisons */
	const char *name; /* the byte before it is its d_type */
};

struct scandir {
	size_t n;
	struct scandir_name *names;
	size_t names_cap;
	char *arena;
	size_t arena_len, arena_cap;
	size_t longest; /* name */
	bool has_stats; /* each record begins with a struct item_stat */
	char *io;
};

void scandir_init(struct scandir *d);
void scandir_free(struct scandir *d);
/* No names; memory that only a giant directory needed is given back. */
void scandir_reset(struct scandir *d);

/* Whether NAME is PREFIX and 16 hex digits: a temporary name of ours. */
bool scandir_is_temporary(const char *name, const char *prefix);

/*
 * Reads the directory FD, but for "." and "..", temporary names of
 * SKIP_PREFIX (or NULL) and, on NFS, those of files without a name.  What was
 * read before an error is there, sorted, except with ERR_NOMEM.  Ends early,
 * without an error, once STOP is set.
 */
int scandir_read(struct scandir *d, int fd, const char *skip_prefix,
    const atomic_bool *stop, struct err *e);

/*
 * The names in directory FD, which is at PATH, that ONLY asks for, whether they
 * are there or not; but what scandir_read leaves out.
 */
int scandir_named(struct scandir *d, int fd, const struct pathset *only,
    const char *path, size_t len, const char *skip_prefix, struct err *e);

/* Adds a name with its stat; all of a directory or none have one. */
int scandir_add(struct scandir *d, const char *name, size_t len,
    const struct item_stat *st, struct err *e);
/*
 * Sorts what was added.  A name that came twice is kept once: of a file and a
 * directory, the directory, and TWICE is told of it.
 */
int scandir_end(struct scandir *d, void (*twice)(void *arg, const char *name),
    void *arg, struct err *e);
struct item_stat scandir_stat(const struct scandir *d, size_t i);

static inline const char *
scandir_name(const struct scandir *d, size_t i)
{
	return d->names[i].name;
}

/* DT_REG and so on; DT_UNKNOWN where the file system doesn't say. */
static inline unsigned char
scandir_type(const struct scandir *d, size_t i)
{
	return (unsigned char)d->names[i].name[-1];
}

#endif
