/* SPDX-License-Identifier: ISC */
/*
 * What the files of the bundle that is written share.
 *
 * Whoever has bytes takes a volume, which is nobody else's until it is given
 * back, so that what is appended lies in one piece; there are as many volumes
 * as were ever taken at a time.  A big file keeps its volume from its first
 * part to its last.  The one that was given back last is taken first.
 *
 * Names are never looked up in what was written: the ledger knows them.  A
 * member that is written again supersedes the one before, in the index as for
 * tar.
 */
#ifndef TRANSFER_BUNDLE_INTERNAL_H
#define TRANSFER_BUNDLE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "transfer/bundle/bundle.h"
#include "transfer/bundle/rows.h"
#include "transfer/bundle/volume.h"

/* A big file on its way. */
struct bundle_upload {
	struct bundle_upload *next;
	char id[VOLUME_ID_MAX];
	struct volume *volume; /* NULL: between two pieces */
	uint64_t left;	       /* bytes of the piece yet to come */
	uint32_t part;	       /* the next one */
};

struct bundle_target {
	struct store base;
	char *path;
	const struct bundle_order *order;
	const atomic_bool *stop;
	struct limit *limit; /* NULL: what is written doesn't count */
	uint64_t volume_bytes;
	pthread_mutex_t opening;
	atomic_int dir_fd;	       /* -1 until then */
	atomic_uint_fast64_t members;  /* the order of the last one */
	atomic_int_fast64_t room;      /* bytes that may be free; see space.c */
	atomic_uint_fast64_t promised; /* bytes that begun pieces will take */
	atomic_uint_fast64_t index_bytes; /* of all indexes, about */
	pthread_mutex_t sorting;
	struct rows *rows; /* all that was written; under sorting */
	/* Something of it was lost, or isn't known: rows are to be read again,
	 * from the volumes' indexes. */
	atomic_bool unsure;
	pthread_mutex_t lock;
	pthread_cond_t given;
	/* Under lock: */
	struct volume **volumes; /* of this disk, sealed ones, too */
	size_t n;
	struct volume *free;
	struct volume *newest;
	uint64_t number; /* of the last volume of all disks */
	struct bundle_upload *uploads;
	uint64_t *leaders; /* leaders.c's */
	size_t leaders_n, leaders_cap;
};

struct bundle_session {
	struct session base;
	struct buf header, line;
	struct digester *digester;
};

static inline struct bundle_target *
bundle_of(struct session *c)
{
	return (struct bundle_target *)(void *)c->store;
}

static inline struct bundle_session *
bundle_session_of(struct session *c)
{
	return (struct bundle_session *)(void *)c;
}

/* target.c */
/* The directory is there, and what an earlier run left of this bundle is
 * known. */
int bundle_open(struct bundle_target *s, struct err *e);

/* volumes.c */
/* A volume with room for BYTES (or a new one), to be given back. */
struct volume *bundle_take(
    struct bundle_target *s, uint64_t bytes, struct err *e);
/* The newest: nothing that is written later lies in one before it.  A directory
 * must come behind no symlink. */
struct volume *bundle_take_newest(
    struct bundle_target *s, bool for_directory, struct err *e);
void bundle_give(struct bundle_target *s, struct volume *v);
/* No volume is given any more by who has it: it is sealed. */
int bundle_full(struct bundle_target *s, struct volume *v, struct err *e);
/* Volumes that an earlier run left in DIR_FD. */
int bundle_recover(struct bundle_target *s, int dir_fd, struct err *e);

/* space.c */
/* ERR_NOSPACE unless BYTES more fit, and what is promised, and what makes a
 * bundle of all. */
int bundle_has_room(struct bundle_target *s, uint64_t bytes, struct err *e);
/* The same, and nobody else gets them, until they are written, or not. */
int bundle_promise(struct bundle_target *s, uint64_t bytes, struct err *e);
void bundle_promise_kept(struct bundle_target *s, uint64_t bytes);

/* leaders.c: files that others may be further names of.  CUT: it is in pieces,
 * and no member of that name is in any volume. */
enum bundle_leader { LEADER_NONE, LEADER_WHOLE, LEADER_CUT };
int bundle_leader_add(struct bundle_target *s, const char *path, size_t len,
    bool cut, struct err *e);
enum bundle_leader bundle_leader_of(
    struct bundle_target *s, const char *path, size_t len);

/* member.c */
/* Appends R to the lines of V, whose lock is held, with the next order. */
int bundle_row(
    struct session *c, struct volume *v, struct pack_record *r, struct err *e);
int bundle_put(struct session *c, const char *key, const struct item_stat *st,
    const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int bundle_mkdir(struct session *c, const char *key, const struct item_stat *st,
    struct err *e);
int bundle_symlink(struct session *c, const char *key,
    const struct item_stat *st, const char *target, size_t len, struct err *e);
int bundle_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e);
/* What is gone is a line in an index, refused as BUNDLE_GONE. */
int bundle_remove(struct session *c, const char *const *keys, size_t n,
    struct err *results, struct err *e);

/* upload.c */
int bundle_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e);
int bundle_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e);
int bundle_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e);
int bundle_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e);
int bundle_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e);
/* Those that nothing became of, at the end. */
void bundle_uploads_drop(struct bundle_target *s);

#endif
