/* SPDX-License-Identifier: ISC */
/*
 * bundle.json: what a disk of a bundle holds.  Its SHA-256 lies beside it, as
 * sha256sum(1) writes it, and is what dray prints: it proves the indexes,
 * whose digests are in the manifest, and these prove every member.
 */
#ifndef TRANSFER_BUNDLE_MANIFEST_H
#define TRANSFER_BUNDLE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define BUNDLE_ID_LEN 32
#define BUNDLE_DIGEST_LEN 64
#define BUNDLE_INDEX_NAME "bundle.idx"
#define BUNDLE_GONE_NAME "gone.idx"

enum bundle_state {
	BUNDLE_WRITING,	 /* the run that writes it isn't over, or was cut off */
	BUNDLE_CLOSED,	 /* the disk is full: the bundle goes on on another */
	BUNDLE_COMPLETE, /* nothing comes after this disk */
};

struct bundle_volume {
	uint64_t number;
	unsigned disk;	    /* that it is on, from 1 */
	uint64_t bytes;	    /* of the file */
	uint64_t tar_bytes; /* unpacked */
	uint64_t index_bytes;
	char index_sha256[BUNDLE_DIGEST_LEN + 1];
};

struct bundle_manifest {
	enum bundle_state state;
	char id[BUNDLE_ID_LEN + 1];
	char base[BUNDLE_ID_LEN + 1]; /* what it adds to; "": it is whole */
	unsigned disk;		      /* this one, from 1 */
	bool compressed;	      /* its volumes, by zstd */
	int64_t created_ns;
	uint64_t items, bytes; /* of this disk's index */
	uint64_t index_bytes;
	char index_sha256[BUNDLE_DIGEST_LEN + 1];
	/* What the base has, and its source hasn't any more. */
	uint64_t gone_items;
	char gone_sha256[BUNDLE_DIGEST_LEN + 1];
	struct bundle_volume *volumes; /* of this disk and those before, by
					  number */
	size_t n;
	char digest[BUNDLE_DIGEST_LEN + 1]; /* of all this, as it was read */
};

void bundle_manifest_clear(struct bundle_manifest *m);
/* NULL if there is none of that number. */
const struct bundle_volume *bundle_manifest_volume(
    const struct bundle_manifest *m, uint64_t number);
/* Room for one more, behind the others, all 0; NULL: no memory. */
struct bundle_volume *bundle_manifest_add(
    struct bundle_manifest *m, struct err *e);

/*
 * Reads DIR_FD's: 1, 0 if there is none, -1.  ERR_MISMATCH if it isn't what
 * its digest says.
 */
int bundle_manifest_read(
    int dir_fd, struct bundle_manifest *out, struct err *e);
/* Writes it, durable and at once, and fills in its digest. */
int bundle_manifest_write(int dir_fd, struct bundle_manifest *m, struct err *e);

/* Text, both ways.  ERR_PROTOCOL says what is wrong with it. */
void bundle_manifest_format(const struct bundle_manifest *m, struct buf *out);
int bundle_manifest_parse(
    struct bundle_manifest *out, const char *text, size_t len, struct err *e);

/* SHA-256 of the N bytes of P, and of a file from its beginning, in hex. */
int bundle_digest(
    const void *p, size_t n, char out[BUNDLE_DIGEST_LEN + 1], struct err *e);
int bundle_digest_file(
    int fd, uint64_t *bytes, char out[BUNDLE_DIGEST_LEN + 1], struct err *e);

#endif
