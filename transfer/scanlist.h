/* SPDX-License-Identifier: ISC */
/* One directory of a store, listed for the scan. */
#ifndef TRANSFER_SCANLIST_H
#define TRANSFER_SCANLIST_H

#include "transfer/retry.h"
#include "transfer/scandir.h"
#include "transfer/store.h"

struct scanlist_options {
	struct retry_policy retry;
	const atomic_bool *stop;
	/* Told of each entry that is not taken, and why; with a NULL name:
	 * none so far, the directory is listed anew. */
	void (*refuse)(
	    void *arg, const char *name, size_t len, const struct err *why);
	void *arg;
};

/*
 * Lists directory DIR into D, temporary names too, sorted, again as long as
 * errors may go away by themselves; on an error that stays, D holds nothing.  A
 * name that can't be one of a file ("", ".", "..", with a slash, over
 * SCANLIST_NAME_MAX bytes), or that both a file and a directory have, is
 * refused.
 */
int scanlist_read(struct scandir *d, struct session *c, const char *dir,
    const struct scanlist_options *o, struct err *e);

/* S3 allows keys of 1,024 bytes, most file systems names of 255. */
#define SCANLIST_NAME_MAX 1024

#endif
