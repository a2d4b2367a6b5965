/* SPDX-License-Identifier: ISC */
/*
 * A volume of a bundle: a tar file that members are appended to, and its
 * index, a line for each of them (pack/record.c) in the order that they lie
 * in.  Behind the lines that belong to bytes which are on the disk there is a
 * mark, {"end":N}, that tells how far these reach; what lies behind the last
 * mark counts for nothing and is cut off when the volume is opened again.
 *
 * Members are appended under the volume's lock by whoever took it; anybody may
 * call volume_sync() meanwhile.
 */
#ifndef TRANSFER_BUNDLE_VOLUME_H
#define TRANSFER_BUNDLE_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "transfer/bundle/frames.h"
#include "transfer/pack/index.h"

#define VOLUME_NAME_MAX 40
#define VOLUME_ID_MAX 64
/* What a member's header can take at the most, as one sees it coming. */
#define VOLUME_OVERHEAD ((uint64_t)64 << 10)

/* What is under way at the end of a volume: part of a big file. */
struct volume_open {
	char id[VOLUME_ID_MAX]; /* of its upload; "" if there is nothing */
	uint64_t start;		/* of its header */
	uint64_t data;		/* of its first byte */
	uint64_t part;		/* the file's part that this is, from 1 */
};

enum volume_state { VOLUME_FREE, VOLUME_TAKEN, VOLUME_HELD, VOLUME_SEALED };

struct volume {
	uint64_t number;
	int level; /* of zstd; 0: it isn't compressed */
	/* The bundle's, under its lock; HELD: for long, by a big file. */
	enum volume_state state;
	/* Of whoever took it.  GNU tar makes symlinks that lead out of their
	 * directory at the very end, after the times of directories that come
	 * behind them: these must be in a volume without any. */
	bool has_symlinks;
	struct volume *next_free;
	int dir_fd; /* borrowed */
	int fd;	    /* -1: sealed */
	int index_fd;
	pthread_mutex_t syncing; /* one at a time; taken before the next */
	pthread_mutex_t lock;
	/* Under lock: */
	uint64_t at;	  /* where the next byte goes */
	uint64_t written; /* of it, in the file; the rest is in ... */
	unsigned char *buffer;
	unsigned char *packed; /* a frame on its way */
	struct frames frames;  /* where it is compressed: of what is written */
	struct frame_cache cache;
	struct buf lines; /* of members that the index hasn't yet */
	struct volume_open open;
	bool broken;	 /* what lies behind the last mark may not be there */
	uint64_t marked; /* what that says */
	uint64_t index_bytes;
};

/* "000001.tar", "000001.idx"; and what the first ends in. */
void volume_name(uint64_t number, const char *end, char out[VOLUME_NAME_MAX]);
static inline const char *
volume_end(bool compressed)
{
	return compressed ? ".tar.zst" : ".tar";
}

/* What the first header of a volume of bundle ID says. */
#define VOLUME_TITLE_MAX 160
void volume_title(uint64_t number, const char *id, char out[VOLUME_TITLE_MAX]);

/* A new one of bundle ID, in the directory DIR_FD, which stays the caller's. */
struct volume *volume_new(
    int dir_fd, uint64_t number, const char *id, int level, struct err *e);

/* What a volume's index told when it was opened again. */
struct volume_found {
	bool sealed;
	bool has_symlinks;
	uint64_t order; /* the greatest of its members */
};

/*
 * Volume NUMBER, as a run that was cut off left it; FN is told of each member.
 * ERR_MISMATCH if it isn't what its index says.
 */
struct volume *volume_again(int dir_fd, uint64_t number, const char *id,
    int level, pack_index_fn *fn, void *arg, struct volume_found *found,
    struct err *e);
void volume_free(struct volume *v);
AUTO_DEFINE(volume, struct volume, volume_free)

/*
 * Bytes of a member; with the volume's lock.  Where that fails, the caller goes
 * back to where the member began.
 */
int volume_add(struct volume *v, const void *p, size_t n, struct err *e);
int volume_add_zeros(struct volume *v, size_t n, struct err *e);
/* What comes next can be taken back without what is there already: where it is
 * compressed, a frame ends. */
int volume_set_off(struct volume *v, struct err *e);
/* What lies behind AT was never there. */
void volume_back(struct volume *v, uint64_t at);

/* All that was appended, and the lines that tell of it, are on the disk. */
int volume_sync(struct volume *v, struct err *e);
/* The same, and nothing is appended any more.  What could not be written before
 * is cut off. */
int volume_seal(struct volume *v, struct err *e);

/*
 * Reads the volume's index line by line, up to its last mark: members to FN (or
 * NULL).  *MARK, its end and what is open there, is 0 if there is no mark;
 * BYTES is how far it was read.  ERR_PROTOCOL names the line.
 */
struct volume_mark {
	uint64_t end;
	uint64_t file; /* how long the file is then */
	bool sealed;
	struct volume_open open;
};
int volume_index_read(int fd, const char *name, pack_index_fn *fn, void *arg,
    struct volume_mark *mark, uint64_t *bytes, struct err *e);
/* The frames that it tells of, into *OUT, which is empty, and to be freed in
 * any case. */
int volume_index_frames(
    int fd, const char *name, struct frames *out, struct err *e);

#endif
