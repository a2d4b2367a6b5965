/* SPDX-License-Identifier: ISC */
/* Sorted runs in temporary files.  For transfer/pack/sort.c and run.c only. */
#ifndef TRANSFER_PACK_INDEX_IN_H
#define TRANSFER_PACK_INDEX_IN_H

#include "transfer/pack/index.h"

/* A line, with its end, and the path that it is sorted by. */
struct pack_line {
	const char *path;
	size_t path_len;
	const char *text;
	size_t text_len;
};

struct pack_run {
	int fd; /* no name; or -1 */
	uint64_t bytes;
	unsigned level; /* times that its lines were merged */
	struct buf out; /* what isn't written yet */
};

int pack_run_begin(struct pack_run *r, unsigned level, struct err *e);
int pack_run_add(
    struct pack_run *r, const struct pack_line *line, struct err *e);
int pack_run_end(struct pack_run *r, struct err *e);
void pack_run_free(struct pack_run *r);

/* Reads a run from its beginning. */
struct pack_reader {
	int fd; /* the run's */
	uint64_t at, bytes;
	char *data;
	size_t begin, end, cap;
	struct pack_line line;
};

/* 1 and r->line, valid until the next call; 0 at the end; -1. */
int pack_reader_next(struct pack_reader *r, struct err *e);

#endif
