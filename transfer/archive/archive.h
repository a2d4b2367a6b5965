/* SPDX-License-Identifier: ISC */
/*
 * Archives as sources: a local file that is a tar, cpio, zip, 7z or ISO 9660
 * archive, compressed or not, read by libarchive.  One pass over the headers
 * makes an index (transfer/pack/index.h); contents come from the archive, and
 * no copy of it is made.
 */
#ifndef TRANSFER_ARCHIVE_ARCHIVE_H
#define TRANSFER_ARCHIVE_ARCHIVE_H

#include "transfer/store.h"

/* Members are read wherever they lie. */
extern const struct store_driver archive_driver;
/* STORE_SEQUENTIAL: what lies before is to be read again. */
extern const struct store_driver archive_stream_driver;

#endif
