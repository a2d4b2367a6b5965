/* SPDX-License-Identifier: ISC */
/*
 * Room on the disk.  A bundle that fills its disk is to end there as a whole
 * one: what its index and manifest will take is never given to members.
 */
#include "config.h"

#include <sys/statvfs.h>

#include "base/text.h"
#include "transfer/bundle/internal.h"

#define RESERVE_BYTES ((uint64_t)2 << 20)
/* The volumes' indexes grow by what waits; all of them are sorted into one
 * more. */
#define INDEX_TIMES 3
/* What volumes have in their buffers, each. */
#define BUFFERED_BYTES ((uint64_t)1 << 20)

static uint64_t
reserve(struct bundle_target *s)
{
	return RESERVE_BYTES + atomic_load(&s->promised) +
	    INDEX_TIMES * atomic_load(&s->index_bytes);
}

static int
look(struct bundle_target *s, uint64_t *room, struct err *e)
{
	struct statvfs fs;
	uint64_t free_bytes, buffered;

	if (fstatvfs(atomic_load(&s->dir_fd), &fs) == -1)
		return err_sys(e, "%s", s->path);
	pthread_mutex_lock(&s->lock);
	buffered = s->n * BUFFERED_BYTES;
	pthread_mutex_unlock(&s->lock);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	*room = free_bytes > buffered ? free_bytes - buffered : 0;
	return 0;
}

int
bundle_has_room(struct bundle_target *s, uint64_t bytes, struct err *e)
{
	int64_t left = atomic_fetch_sub(&s->room, (int64_t)bytes);
	char need[16], have[16];
	uint64_t room = 0;

	if (left > 0 && (uint64_t)left >= bytes &&
	    (uint64_t)left - bytes > reserve(s))
		return 0;
	if (look(s, &room, e) == -1)
		return -1;
	if (room > INT64_MAX)
		room = INT64_MAX;
	if (room < bytes || room - bytes < reserve(s))
		return err_set(e, ERR_NOSPACE,
		    "%s is full: %s are to be written, and %s are free, of "
		    "which the index needs some",
		    s->path, text_size(bytes, need, sizeof(need)),
		    text_size(room, have, sizeof(have)));
	/* Half of it, so that others who write there are noticed. */
	atomic_store(&s->room, (int64_t)((room - bytes) / 2));
	return 0;
}

int
bundle_promise(struct bundle_target *s, uint64_t bytes, struct err *e)
{
	if (bundle_has_room(s, bytes, e) == -1)
		return -1;
	atomic_fetch_add(&s->room, (int64_t)bytes);
	atomic_fetch_add(&s->promised, bytes);
	return 0;
}

void
bundle_promise_kept(struct bundle_target *s, uint64_t bytes)
{
	atomic_fetch_sub(&s->promised, bytes);
	atomic_fetch_sub(&s->room, (int64_t)bytes);
}
