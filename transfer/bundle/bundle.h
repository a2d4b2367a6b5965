/* SPDX-License-Identifier: ISC */
/*
 * Bundles: a tree in tar volumes in a directory, which tar(1) reads without
 * dray, with an index and a manifest.  As a store they are written once, from
 * the beginning to the end, and only read after that.
 *
 *   bundle.json, bundle.json.sha256	the manifest (manifest.h)
 *   bundle.idx				all that is there (pack/index.h)
 *   000001.tar 000001.idx ...		volumes (volume.h)
 *
 * Volumes are numbered through over all disks of a bundle; unpacked in the
 * order of their numbers they make the tree: directories, which have their
 * times last, and further names of files are in the newest volume there is.
 */
#ifndef TRANSFER_BUNDLE_BUNDLE_H
#define TRANSFER_BUNDLE_BUNDLE_H

#include "transfer/bundle/manifest.h"
#include "transfer/store.h"

/* What the index calls the root: no source has such a name. */
#define BUNDLE_ROOT ".dray-root"
/* What the reason is that a member isn't in the index. */
#define BUNDLE_GONE "gone"

/* What is to be written where; borrowed for the life of the store. */
struct bundle_order {
	const char *id;	       /* BUNDLE_ID_LEN hex digits */
	const char *base;      /* of the bundle that it adds to; or "" */
	uint64_t volume_bytes; /* 0: any number */
	int level;	       /* of zstd; 0: volumes aren't compressed */
	unsigned disk;	       /* from 1 */
	/* What the disks before have; NULL: there are none. */
	const struct bundle_manifest *before;
};

/* Where config.bundle is set. */
extern const struct store_driver bundle_target_driver;
extern const struct store_driver bundle_source_driver;

/*
 * Makes a bundle of what was written: seals all volumes, writes index and
 * manifest, which is the caller's.  STATE is BUNDLE_CLOSED or _COMPLETE.  No
 * session may write any more.
 */
int bundle_finish(struct store *s, enum bundle_state state,
    struct bundle_manifest *out, struct err *e);

/* What is damaged in a bundle that is read, and was gone around: a line each;
 * borrowed; "" if there is nothing. */
const char *bundle_complaints(const struct store *s);
/* Its manifest, once it was reached; borrowed. */
const struct bundle_manifest *bundle_manifest_of(const struct store *s);

/* What is wrong with PATH, or a volume; of any thread. */
typedef void bundle_bad_fn(
    void *arg, const char *path, size_t len, const struct err *why);

struct bundle_checked {
	uint64_t items, bytes; /* that were read */
	uint64_t elsewhere;    /* that lie on other disks, too, and weren't */
};

/*
 * Reads what the members of S's Nth volume hold, one of SLICES (0, 1: all),
 * and compares it with their digests; *OUT grows.  Volumes of other disks are
 * passed over.  Any thread.  -1 where nothing can go on.
 */
int bundle_check_volume(struct store *s, size_t n, uint32_t slices,
    bundle_bad_fn *bad, void *arg, struct bundle_checked *out, struct err *e);

#endif
