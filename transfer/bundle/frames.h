/* SPDX-License-Identifier: ISC */
/*
 * Where the frames of a compressed volume lie.  Its index has a line for each,
 * {"frame":[AT,FILE]}: the tar bytes from AT on begin at byte FILE of the file.
 */
#ifndef TRANSFER_BUNDLE_FRAMES_H
#define TRANSFER_BUNDLE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct frame_place {
	uint64_t at, file;
};

struct frames {
	struct frame_place *each;
	size_t n, cap;
	uint64_t end, file_end; /* of all, as far as the file goes */
};

void frames_free(struct frames *f);
/* The next one, behind all there are.  ERR_PROTOCOL if it isn't. */
int frames_add(struct frames *f, uint64_t at, uint64_t file, struct err *e);
/* Those that begin at AT or behind it are none any more. */
void frames_cut(struct frames *f, uint64_t at);
/* The one that has the tar byte AT, which is before the end; NULL. */
const struct frame_place *frames_find(const struct frames *f, uint64_t at);

/* One frame, unpacked.  All 0 at first; one thread. */
struct frame_cache {
	const struct frames *of; /* NULL: none */
	uint64_t at;
	size_t n;
	unsigned char *data;
	unsigned char *packed;
};

void frame_cache_free(struct frame_cache *c);
/*
 * LEN tar bytes from OFFSET of the volume FD.  ERR_MISMATCH if it has fewer,
 * or is damaged.
 */
int frames_read(const struct frames *f, int fd, struct frame_cache *c,
    uint64_t offset, void *data, size_t len, struct err *e);

#endif
