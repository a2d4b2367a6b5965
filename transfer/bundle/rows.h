/* SPDX-License-Identifier: ISC */
/*
 * The rows of all volumes' indexes on their way to one index: of each path the
 * one that was written last.  Directories that only lead to others are there,
 * too (pack_record.implied).  Temporary files take what is more than some MiB.
 * One thread at a time.
 */
#ifndef TRANSFER_BUNDLE_ROWS_H
#define TRANSFER_BUNDLE_ROWS_H

#include <stdatomic.h>

#include "transfer/bundle/volume.h"
#include "transfer/pack/index.h"

struct rows;

struct rows *rows_new(const atomic_bool *stop, struct err *e);
void rows_free(struct rows *r);
AUTO_DEFINE(rows, struct rows, rows_free)

/* LINE is what pack_record_add() makes of M; NULL: not made yet. */
int rows_add(struct rows *r, const struct pack_record *m,
    const struct buf *line, struct err *e);
/* Those of a volume's index, NAME, which FD is; borrowed. */
int rows_read(struct rows *r, int fd, const char *name, struct err *e);

/* Whether what is gone is there, too, which is to be left out. */
bool rows_have_gone(const struct rows *r);

struct rows_written {
	uint64_t items, bytes; /* of files, without further names */
};

/* Appends the index to FD; nothing can be added after it. */
int rows_finish(
    struct rows *r, int fd, struct rows_written *out, struct err *e);

#endif
