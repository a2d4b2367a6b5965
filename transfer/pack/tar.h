/* SPDX-License-Identifier: ISC */
/*
 * Headers of tar members, as POSIX.1-2001 (pax) has them: whoever writes an
 * archive with them knows where each member's bytes lie.  What doesn't fit an
 * ustar header goes into an extended one before it; extended attributes and
 * ACLs are there under the names that GNU tar and libarchive know.  Names are
 * bytes.  Pure.
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
 */
#ifndef TRANSFER_PACK_TAR_H
#define TRANSFER_PACK_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "transfer/item.h"

#define TAR_BLOCK 512
/* Zeros that end an archive. */
#define TAR_END_BYTES ((size_t)(2 * TAR_BLOCK))

struct tar_member {
	const char *name; /* a directory has no slash; "" is the root */
	size_t name_len;
	const struct item_stat *st;
	uint64_t size;	  /* bytes that follow, and tar_padding() */
	const char *link; /* of a symlink, its target; of another name of a
			     file, the one that it has already; else NULL */
	size_t link_len;
};

/* Appends the member's header, extended one and all. */
void tar_add_header(struct buf *out, const struct tar_member *m);
/* Appends a header that says TEXT of the archive, to whoever reads comments. */
void tar_add_comment(struct buf *out, const char *text);
/* Zeros from the last of SIZE bytes to the next header. */
static inline size_t
tar_padding(uint64_t size)
{
	return (size_t)(-size % TAR_BLOCK);
}

#endif
