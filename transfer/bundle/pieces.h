/* SPDX-License-Identifier: ISC */
/* How a big file lies in volumes.  Pure, but for bundle_part_is. */
#ifndef TRANSFER_BUNDLE_PIECES_H
#define TRANSFER_BUNDLE_PIECES_H

#include "transfer/bundle/internal.h"

/* A part of a file's parts that lies in one volume, contiguous. */
struct piece {
	uint32_t number, of; /* from 1 */
	uint32_t first;	     /* part, from 1 */
	uint64_t bytes;
};

/* How many parts of PLAN make a piece. */
uint32_t pieces_parts(const struct plan *plan, uint64_t volume_bytes);
/* The same, as an upload's id has it behind its last '-'; 0 if it hasn't. */
uint32_t pieces_of_id(const char *id);
/* The piece that PART is in. */
struct piece piece_of(
    const struct plan *plan, uint32_t parts_in_piece, uint32_t part);

/* "VOLUME:OFFSET" */
void pieces_place(uint64_t volume, uint64_t offset, char *out, size_t size);
/* Of all parts, in order, with such places as ETags: malloc'd. */
struct pack_piece *pieces_join(
    const struct store_part *parts, size_t n, size_t *count, struct err *e);

/* Whether PART lies where its ETag says: read, if that is on this disk. */
bool bundle_part_is(
    struct bundle_target *s, struct digester *d, const struct store_part *part);

#endif
