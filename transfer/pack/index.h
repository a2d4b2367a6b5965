/* SPDX-License-Identifier: ISC */
/*
 * An index of members: what a tree that lies in other files (volumes of a
 * bundle, an archive) has, and where the bytes are.  Text, one JSON object a
 * line, sorted by (directory, name) as unsigned bytes, so that a directory's
 * children lie together and any of them is found without reading the rest.
 * dray-manifest(5) has the members that tell of an item; here there are
 * further "nlink", "sparse", "target", "same_as", "group", "named", "order",
 * "implied", "refused", "at" and "data" (see struct pack_record).  Unknown ones
 * are passed over.
 *
 * record.c: a line, written and read.  sort.c, run.c: records in any order
 * become an index, in memory that doesn't depend on their number.  index.c:
 * finds and lists.
 */
#ifndef TRANSFER_PACK_INDEX_H
#define TRANSFER_PACK_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "transfer/item.h"
#include "verify/digest.h"

#define PACK_LINE_MAX ((size_t)1 << 22) /* bytes of the longest line */

/* Some of a member's bytes: LENGTH of them, from OFFSET of volume VOLUME (of
 * its decoded stream, where it is compressed). */
struct pack_piece {
	uint64_t volume;
	uint64_t offset;
	uint64_t length;
	uint64_t frame; /* where, in the volume's file, the frame begins that
			   has OFFSET; 0 where there are no frames */
};

/* Where a sparse file has data; there are zeros between. */
struct pack_extent {
	uint64_t offset, length;
};

struct pack_record {
	/* Relative to the root: components that are names, one '/' between. */
	const char *path;
	size_t path_len;
	/* type, size, mode, uid, gid, mtime_ns, atime_ns, nlink, sparse, attrs;
	 * as in a manifest, what is not known isn't written */
	struct item_stat st;
	const char *target; /* of a symlink ("target"); else NULL */
	size_t target_len;
	/* Another name of the file that has this path ("same_as"), which has
	 * the bytes; else NULL. */
	const char *same_as;
	size_t same_as_len;
	/* Names of one file have the same, wherever each has its bytes; 0: not
	 * told. */
	uint64_t group;
	/* Nothing is told but that a member's same_as has this path: for what
	 * takes it together with the file itself (pack_same_fn). */
	bool named;
	uint64_t order; /* members lie in this order; 0: not told */
	bool implied;	/* a directory that is only part of others' paths */
	/* Why it must not be carried, for people; or NULL. */
	const char *refused;
	uint64_t part_bytes; /* XXH3 and SHA-256 are of the list of parts */
	struct digest digest;
	const struct pack_piece *pieces; /* "at", in the order of the bytes */
	size_t pieces_n;
	/* "data", where st.sparse; none: nothing but a hole */
	const struct pack_extent *extents;
	size_t extents_n;
};

struct jdoc;

/* A parsed line, and what its record's pointers lead to. */
struct pack_entry {
	struct pack_record record;
	struct jdoc *doc;
	char *path, *target, *same_as; /* decoded from base64, or NULL */
	struct attrs *attrs;
	struct pack_piece *pieces;
	struct pack_extent *extents;
};

/* Appends a line with its end. */
void pack_record_add(struct buf *out, const struct pack_record *r);
/*
 * The LEN bytes of a line, without its end.  ERR_PROTOCOL says what is wrong
 * with it: a path that would lead out of a target; pieces that aren't as long
 * as the file together, or overflow.  *OUT is to be cleared in any case.
 */
int pack_record_parse(
    struct pack_entry *out, const char *line, size_t len, struct err *e);
void pack_entry_clear(struct pack_entry *m);

/* As the index is sorted; 0 for the same path. */
int pack_path_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * NEXT, added later than KEPT, has the same path.  True: NEXT stays, KEPT is
 * forgotten; else the other way round.  What stays may be changed before, and
 * the two may exchange what they own.
 */
typedef bool pack_same_fn(
    void *arg, struct pack_entry *kept, struct pack_entry *next);

struct pack_sort_options {
	size_t memory_bytes; /* 0: 32 MiB */
	pack_same_fn *same;  /* NULL: what was added last stays */
	void *arg;
	const atomic_bool *stop; /* ERR_STOPPED once it is set; or NULL */
};

struct pack_sort;

struct pack_sort *pack_sort_new(
    const struct pack_sort_options *o, struct err *e);
void pack_sort_free(struct pack_sort *s);
AUTO_DEFINE(pack_sort, struct pack_sort, pack_sort_free)
/* One thread.  Temporary files, without a name, are in TMPDIR. */
int pack_sort_add(
    struct pack_sort *s, const struct pack_record *r, struct err *e);
/* The same for whoever has the line already that pack_record_add() makes. */
int pack_sort_add_line(struct pack_sort *s, const char *path, size_t path_len,
    const char *line, size_t line_len, struct err *e);

struct pack_written {
	uint64_t records;
	uint64_t bytes;
};

/* Appends the index to FD; nothing can be added after it. */
int pack_sort_finish(
    struct pack_sort *s, int fd, struct pack_written *out, struct err *e);

struct pack_index;

/*
 * FD is the index's from now on, also if this fails: a file that nobody
 * writes to any more.  Any thread may use what is open.
 */
struct pack_index *pack_index_open(int fd, struct err *e);
void pack_index_close(struct pack_index *x);
AUTO_DEFINE(pack_index, struct pack_index, pack_index_close)

/*
 * Return -1 (with *e set) to end with that error.  M is valid until it
 * returns.
 */
typedef int pack_index_fn(
    void *arg, const struct pack_record *m, struct err *e);

/*
 * Reads all of it, passing each record to FN (or NULL).  ERR_PROTOCOL names
 * the line that is no record, or not behind the one before it: two records of
 * one path, too.
 */
int pack_index_each(
    struct pack_index *x, pack_index_fn *fn, void *arg, struct err *e);
/* The children of directory DIR ("" is the root), by name.  No record of DIR
 * itself is needed, none is an error. */
int pack_index_list(struct pack_index *x, const char *dir, pack_index_fn *fn,
    void *arg, struct err *e);
/* 1 and the record of PATH, to be cleared; 0 if there is none; -1. */
int pack_index_find(struct pack_index *x, const char *path, size_t len,
    struct pack_entry *out, struct err *e);

#endif
