/* SPDX-License-Identifier: ISC */
/*
 * Parallel walk of a local tree, or of a store.  Walker threads read
 * directories, stat and sort their entries and hand them over in batches;
 * nothing is kept of a directory once it was handed over.  What lies outside
 * the root is never read (see beneath.h), unless symlinks are followed on
 * request.
 */
#ifndef TRANSFER_SCAN_H
#define TRANSFER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transfer/filter.h"
#include "transfer/item.h"
#include "transfer/pathset.h"
#include "transfer/retry.h"
#include "transfer/store.h"

#define SCAN_BATCH_MAX 1024 /* entries in a batch */

enum scan_links { SCAN_LINKS_SKIP, SCAN_LINKS_KEEP, SCAN_LINKS_FOLLOW };

struct scan_options {
	const struct filter *filter; /* or NULL; borrowed for the scan */
	/* Sealed; what isn't in it is passed over in silence, and only its
	 * directories are read.  NULL for all; borrowed for the scan. */
	const struct pathset *only;
	bool
	    with_parents; /* the directories that lead to it are entries, too */
	enum scan_links links;
	unsigned threads; /* 0: 2 */
	/* A directory of another one is an entry, but isn't walked. */
	bool one_file_system;
	/*
	 * Temporary names of our own are left alone: this (".dray-") and 16 hex
	 * digits; NULL for none.  On NFS, files that have no name any more are.
	 */
	const char *skip_prefix;
	/* A store's listing is asked again by this. */
	struct retry_policy retry;
};

struct scan_entry {
	const char *name; /* NUL-terminated; owned by the batch */
	size_t name_len;
	struct item_stat st;
	bool not_walked; /* a directory of another file system */
};

/* An entry that could not be looked at. */
struct scan_trouble {
	struct scan_trouble *next;
	struct err err; /* why */
	size_t name_len;
	char name[];
};

/*
 * A run of entries of one directory, sorted by name as unsigned bytes.  The
 * batches of one directory come in order; those of different directories may
 * interleave.  The entries of ITEM_DIR are walked, and come as batches of
 * their own, after or before this one is seen.  Specials are not among them.
 */
struct scan_batch {
	struct scan_batch *next; /* for the receiver's queues */
	char *dir;		 /* relative to the root; "" is the root */
	size_t dir_len;
	bool first; /* first batch of this directory */
	bool last;  /* last one: nothing follows (also after an error) */
	/*
	 * The names that this batch is about: AFTER < name <= UPTO, whether
	 * they came as entries or not.  NULL: from the beginning, to the end.
	 */
	const char *after;
	const char *upto;
	size_t n;
	struct scan_entry *entries;
	/*
	 * What is left alone, the last name first: fifos, sockets and devices
	 * (ITEM_SPECIAL), symlinks not kept and not followed, and (any other
	 * type) what has a temporary name.  Of st only type and the type bits
	 * of mode are known.
	 */
	size_t left_n;
	struct scan_entry *left;
	uint64_t excluded; /* by the filter, in this batch's stretch */
	/*
	 * kind != ERR_NONE: the directory could not be read (any further);
	 * what was read is in the batch.
	 * ERR_VANISHED: it was gone when its turn came.  ERR_NOMEM ends the
	 * walk: the tree was not seen to its end.
	 */
	struct err error;
	struct scan_trouble *troubles; /* in the order of names */
	struct scan_trouble **troubles_end;
};

void scan_batch_free(struct scan_batch *b);
AUTO_DEFINE(scan_batch, struct scan_batch, scan_batch_free)

/*
 * Takes the batch.  Called by walker threads, one at a time per walker; may
 * block (that is the back-pressure).  Returns false to end the walk.
 */
typedef bool scan_deliver_fn(void *arg, struct scan_batch *batch);

struct scan;

/*
 * Starts walking the directory ROOT_FD (borrowed until scan_join) or, where
 * STORE isn't NULL, that one by its listings.  DONE is called once, by the last
 * walker, after the last batch.
 */
struct scan *scan_start(int root_fd, struct store *store,
    const struct scan_options *options, scan_deliver_fn *deliver,
    void (*done)(void *arg), void *arg, struct err *e);
/* The walk ends soon; deliver may still be called until scan_join returns. */
void scan_stop(struct scan *s);
/* Waits for the walkers and frees S. */
void scan_join(struct scan *s);

#endif
