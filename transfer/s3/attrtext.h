/* SPDX-License-Identifier: ISC */
/*
 * Extended attributes and ACLs as user metadata of an object,
 * x-amz-meta-dray-xattrs.  Pure.  The kinds that are told ("x" attributes, "a"
 * ACLs), a colon, and base64 of attrs_format(); where that is too long for
 * S3's 2 KB, "sha256:" and the digest of an object that has those bytes:
 * ".dray/attrs/" and the digest, below the store's root.
 */
#ifndef TRANSFER_S3_ATTRTEXT_H
#define TRANSFER_S3_ATTRTEXT_H

#include "transfer/attrs.h"

/* What is left of 2 KB by all other metadata that is written. */
#define ATTRTEXT_MAX 1536
#define ATTRTEXT_DIGEST "sha256:"
#define ATTRTEXT_DIGEST_LEN 64 /* hex digits */

/* Appends it to OUT.  DIGEST: of BYTES (attrs_format()); used if need be. */
void attrtext_format(unsigned kinds, const struct buf *bytes,
    const char *digest, struct buf *out);
/* Whether they are too long to be told without an object of their own. */
bool attrtext_is_long(const struct buf *bytes);

/*
 * The reverse.  *DIGEST is where TEXT names that of another object, and NULL
 * is returned without an error; else the attributes.  ERR_PROTOCOL for
 * anything else.
 */
struct attrs *attrtext_parse(
    const char *text, unsigned *kinds, const char **digest, struct err *e);
/* What s3fs writes as "xattr": JSON, percent-encoded, of names and base64. */
struct attrs *attrtext_parse_s3fs(const char *text, struct err *e);

#endif
