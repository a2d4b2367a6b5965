/* SPDX-License-Identifier: ISC */
/*
 * POSIX metadata as S3 user metadata.  Pure.
 * Written in the form of FSx for Lustre:
 * https://docs.aws.amazon.com/fsx/latest/LustreGuide/posix-metadata-support.html
 * Read leniently: DataSync (no leading 0; ms or s), rclone ("mtime" in
 * seconds with a fraction, octal "mode", "atime" by RFC 3339), s3fs (decimal
 * "mode").
 * dray-hardlink is our own: "DEV-INO" in hex, the same in all names of a file.
 */
#ifndef TRANSFER_S3_META_H
#define TRANSFER_S3_META_H

#include "transfer/http.h"
#include "transfer/item.h"
#include "transfer/store.h"

struct meta_text {
	char owner[12];
	char group[12];
	char permissions[12];
	char mtime[28];
	char atime[28];	   /* "" unless has_atime */
	char hardlink[36]; /* "" unless the file has several names */
};

void meta_format(const struct item_stat *st, struct meta_text *out);

/*
 * Sets mode, uid, gid, has_owner, mtime_ns, has_source_mtime, atime_ns,
 * has_atime, sparse and type (by the type bits) of *OUT as far as HEADERS say;
 * leaves the rest.  Where they name a group of hard links: nlink (2: several),
 * dev and ino.
 */
void meta_parse(const struct http_headers *headers, struct store_stat *out);

#endif
