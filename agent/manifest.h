/* SPDX-License-Identifier: ISC */
/*
 * Manifests: what a task has at its target, one JSON object a line.  The first
 * line is a header, the last one counts the items and has the SHA-256 of all
 * bytes before it.  dray-manifest(5) describes the members; unknown ones are
 * passed over.  Pure.
 */
#ifndef AGENT_MANIFEST_H
#define AGENT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/check.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jdoc.h"
#include "transfer/item.h"
#include "transfer/store.h"
#include "verify/digest.h"

#define MANIFEST_FORMAT 1
#define MANIFEST_LINK_MAX 40
#define MANIFEST_LINE_MAX (1 << 21) /* bytes of the longest line */

struct manifest_head {
	const char *task, *source, *target;
	uint64_t run_id;
	int64_t time_ns;
	struct check_lacks not_held;
	/* Of the directory itself, as of an item; type 0: not known. */
	struct item_stat root;
};

struct manifest_item {
	const char *path; /* from a reader: valid until the next line */
	size_t path_len;
	const char *key; /* what the target's store calls it; or NULL */
	size_t key_len;
	/* type, size; mode 0, ITEM_TIME_UNKNOWN, no has_atime and attrs of
	 * NULL: not known */
	struct item_stat st;
	uint64_t part_bytes; /* XXH3 and SHA-256 are of the list of parts */
	struct digest digest;
	char etag[STORE_ETAG_MAX];
	char version[STORE_ETAG_MAX];
	/* The same for all names of one file; "": it has no other. */
	char link[MANIFEST_LINK_MAX];
};

struct manifest_tail {
	uint64_t items;
	uint64_t bytes; /* of the files */
	uint8_t sha256[32];
};

/* Its other names, as nothing but which names are of one file; nlink is 0 where
 * it has none, or nobody asked. */
struct item_link manifest_link(const struct manifest_item *m);

/* Each appends a line. */
void manifest_add_head(struct buf *out, const struct manifest_head *h);
void manifest_add_item(struct buf *out, const struct manifest_item *m);
void manifest_add_tail(struct buf *out, const struct manifest_tail *t);

enum manifest_line { MANIFEST_HEAD, MANIFEST_ITEM, MANIFEST_TAIL };

/* A parsed line. */
struct manifest_entry {
	enum manifest_line kind;
	struct jdoc *doc;    /* what the strings point into */
	char *path;	     /* decoded from base64, or NULL */
	struct attrs *attrs; /* the item's, or the root's */
	struct manifest_head head;
	struct manifest_item item;
	struct manifest_tail tail;
};

/*
 * The LEN bytes of a line, without its end.  ERR_PROTOCOL says what is wrong
 * with it; a path that would lead out of a target is wrong.
 */
int manifest_parse(
    struct manifest_entry *out, const char *line, size_t len, struct err *e);
void manifest_entry_clear(struct manifest_entry *m);

#endif
