/* SPDX-License-Identifier: ISC */
/*
 * Directories that wait to be read, or are being read: each knows the one that
 * it is in, and keeps it.  A reference belongs to one thread at a time.
 */
#ifndef TRANSFER_SCANNODE_H
#define TRANSFER_SCANNODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transfer/scan.h"

/*
 * A directory that is known.  It is kept while it or one below it waits to be
 * read; the path is spelled by going up, so that a million waiting siblings
 * share one copy of it.
 */
struct scannode {
	struct scannode *parent; /* NULL for the root */
	struct scannode *next;	 /* in the stack of those that wait */
	uint64_t dev;
	uint64_t ino;
	atomic_uint refs; /* itself waiting or read, and its children */
	size_t path_len;
	size_t len;
	char name[];
};

/* The directory ENTRY in PARENT, which it keeps; the root if both are NULL.
 * NULL: out of memory. */
struct scannode *scannode_new(
    struct scannode *parent, const struct scan_entry *entry);
/* N is read, or won't be; it goes once nothing below it is left. */
void scannode_release(struct scannode *n);
/* The whole path of N, which has path_len bytes, and a NUL. */
void scannode_path(const struct scannode *n, char *out);
/* Whether ST is of N or a directory that N is in. */
bool scannode_is_loop(const struct scannode *n, const struct item_stat *st);

#endif
