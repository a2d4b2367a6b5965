/* SPDX-License-Identifier: ISC */
/*
 * Inside of a bundle that is read.  Nothing of it is believed before its digest
 * is right: the manifest's own, then the indexes'.  An index of the whole that
 * isn't is made anew from those of the volumes.  Volumes are looked at when
 * something of them is asked for; what they hold is proved by each member's
 * digest.
 */
#ifndef TRANSFER_BUNDLE_SOURCE_H
#define TRANSFER_BUNDLE_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "transfer/bundle/bundle.h"
#include "transfer/bundle/volume.h"
#include "transfer/pack/index.h"

#define SOURCE_COMPLAINTS_MAX ((size_t)1 << 20)

struct source_volume {
	bool looked;
	struct frames frames; /* where volumes are compressed */
	int fd;		      /* -1: it can't be used, for WHY */
	struct err why;
};

struct bundle_source {
	struct store base;
	char *path;
	unsigned attrs; /* kinds of them that are told */
	bool keep_atimes;
	const atomic_bool *stop;
	struct limit *limit;
	pthread_mutex_t lock;
	atomic_bool opened;
	/* Set before opened is: */
	int dir_fd;
	struct bundle_manifest manifest;
	struct pack_index *index;
	struct buf complaints; /* lines: what is damaged and was gone around */
	/* Under lock: */
	struct source_volume *volumes; /* as the manifest has them */
};

static inline struct bundle_source *
source_of(struct store *s)
{
	return (struct bundle_source *)(void *)s;
}

struct source_session {
	struct session base;
	struct frame_cache cache;
};

static inline struct source_session *
source_session_of(struct session *c)
{
	return (struct source_session *)(void *)c;
}

/* source.c */
struct store_stat source_stat(const struct pack_record *r);
/* KEY, with or without the slash of a directory, to be cleared: 1, 0, -1. */
int source_find(struct bundle_source *s, const char *key,
    struct pack_entry *out, struct err *e);
/* The attributes of M, which loses them: of the kinds that are kept. */
struct attrs *source_take_attrs(
    const struct bundle_source *s, struct pack_entry *m);

/* source_file.c */
struct store_file *source_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e);
int source_read_file(struct store_file *f, uint64_t offset, void *data,
    size_t len, struct err *e);
int source_check_file(struct store_file *f, struct err *e);
void source_close_file(struct store_file *f);
int source_read_key(struct session *c, const char *key, uint64_t offset,
    void *data, size_t len, struct err *e);

/* source_open.c */
/* NAME, whose digest is right: a descriptor; -1. */
int source_open_checked(struct bundle_source *s, const char *name,
    uint64_t bytes, const char *sha256, struct err *e);
int source_open(struct bundle_source *s, struct err *e);
void source_close(struct bundle_source *s);

/* source_volume.c */
/* LEN bytes of volume NUMBER from OFFSET; C is the caller's.  ERR_NOTFOUND,
 * ERR_MISMATCH name the volume. */
int source_read(struct bundle_source *s, struct frame_cache *c, uint64_t number,
    uint64_t offset, void *data, size_t len, struct err *e);
/* Whether it is there, and the one that it should be. */
int source_volume_check(
    struct bundle_source *s, uint64_t number, struct err *e);

#endif
