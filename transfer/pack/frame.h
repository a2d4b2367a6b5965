/* SPDX-License-Identifier: ISC */
/*
 * Zstandard frames: independent of each other, so that any of them is read
 * without those before it, and any zstd(1) reads them in a row.  Each has a
 * checksum of its own.  Pure.  RFC 8878.
 */
#ifndef TRANSFER_PACK_FRAME_H
#define TRANSFER_PACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define FRAME_BYTES ((size_t)4 << 20) /* that one has at most, unpacked */
#define FRAME_LEVEL 3
#define FRAME_LEVEL_MAX 19

/* Whether dray was built with libzstd; else the rest is ERR_UNSUPPORTED. */
bool frame_is_built_in(void);

/* The most that N bytes become. */
size_t frame_bound(size_t n);
/* N bytes become *LEN at OUT, which has room for frame_bound(N). */
int frame_pack(
    void *out, const void *in, size_t n, int level, size_t *len, struct err *e);
/* ERR_MISMATCH unless the LEN bytes are a frame of exactly N. */
int frame_unpack(
    void *out, size_t n, const void *in, size_t len, struct err *e);

#endif
