/* SPDX-License-Identifier: ISC */
/*
 * Is an item at the target what it should be?  What is found, how it is
 * called, and the comparisons that need nothing but what is known already.
 * Pure.
 */
#ifndef AGENT_CHECK_H
#define AGENT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "transfer/store.h"

enum check_status {
	CHECK_MATCH,
	CHECK_DIFFER,
	CHECK_MISSING_ON_SRC,
	CHECK_MISSING_ON_DST,
	CHECK_ERROR,   /* it could not be told */
	CHECK_SKIPPED, /* not to be compared after all */
	CHECK_STATUS_COUNT
};

/* What was compared, or differs: bits. */
enum check_aspect {
	CHECK_TYPE = 1 << 0,
	CHECK_SIZE = 1 << 1,
	CHECK_MTIME = 1 << 2,
	CHECK_MODE = 1 << 3,
	CHECK_OWNER = 1 << 4, /* and group */
	CHECK_CONTENT = 1 << 5,
	CHECK_XATTRS = 1 << 6,
	CHECK_ACLS = 1 << 7,
	CHECK_LINKS = 1 << 8, /* which names are of one file */
	CHECK_LAST = CHECK_LINKS,
};

/* By what the content was compared. */
enum check_by {
	BY_NOTHING, /* it wasn't */
	BY_STORE,   /* what the store itself says now: checksum or ETag */
	BY_READING, /* the target's bytes were read */
};

/* What the target could not hold, by what runs have found. */
struct check_lacks {
	bool owner, mode, mtime, xattrs, acls, links;
};

struct check_rules {
	const struct store_driver *target;
	struct check_lacks not_held; /* is no difference */
	unsigned attrs;		     /* kinds of them that are compared */
	bool links;		     /* so is which names are of one file */
};

/* An extended attribute, or ACL, that differs. */
struct check_attr {
	char *name; /* malloc'd */
	enum { ATTR_DIFFERS, ATTR_MISSING, ATTR_EXTRA } how;
};

/* Digests of the parts of a file that is read in parts. */
struct check_part {
	uint8_t xxh3[16];
};

/* A verification on its way; belongs to its job. */
struct check {
	/* The ledger or the manifest has it: job's was, known_part_bytes. */
	bool recorded;
	bool known;   /* and that stands for the source as it is now */
	bool has_row; /* there is a row at all, maybe of another state */
	bool moved;   /* type, size or mtime of the source aren't as recorded */
	bool extra;   /* nothing of that name is at the source */
	bool listed;  /* there is what the listing says */
	bool deep;    /* read the target's bytes */
	bool fresh;   /* ask the target anew, whatever the listing says */
	struct store_stat there;

	/* The answer */
	enum check_status status;
	unsigned compared; /* enum check_aspect bits */
	unsigned differs;
	enum check_by proof;
	struct store_stat now;	      /* the target, as it was compared */
	struct item_stat want;	      /* the source, as it was compared */
	struct check_attr xattr, acl; /* the first that differs */
	/* CHECK_LINKS differs: the name of a file that it is, against the
	 * source, also a name of (joined), or isn't; malloc'd. */
	char *other;
	size_t other_len;
	bool joined;

	/* Of a file that is read in parts: the coordinator's, but for the one
	 * that a part's job fills. */
	bool in_parts; /* JOB_VERIFY's answer: that is still to be done */
	uint64_t part_bytes;
	uint32_t parts, next, done;
	unsigned jobs; /* alive */
	struct check_part *part;
	uint32_t bad_part; /* the first found to differ; 0: none */
};

struct check *check_new(struct err *e);
void check_free(struct check *c);

/*
 * Compares all but the content of what is NOW at the target with WANT, whose
 * mode (if not 0) and mtime (if known) count; fills *COMPARED, returns what
 * differs.
 */
unsigned check_metadata(const struct check_rules *rules,
    const struct item_stat *want, const struct store_stat *now,
    unsigned *compared);

/* The aspects that attributes of KINDS are. */
unsigned check_attrs_aspects(unsigned kinds);
/*
 * Compares what the target has NOW with WANT, as far as the rules ask for it
 * and that is known.  NULL: WANT isn't, and NOW has none.  Adds to C what was
 * compared and what differs.  Of a kind that the target could not hold, what is
 * missing is no difference.
 */
int check_attrs(struct check *c, const struct check_rules *rules,
    const struct attrs *want, const struct attrs *now, struct err *e);

/* 1 if A and B say the same of the content, 0 if they differ, -1 if they have
 * no algorithm in common. */
int check_digests(const struct digest *a, const struct digest *b);

/* The character of rclone check's --combined: '=' '*' '-' '+' '!'. */
char check_symbol(enum check_status status);
/* Stable words for reports and JSON. */
const char *check_status_name(enum check_status status);
const char *check_by_name(enum check_by proof);
const char *check_aspect_name(unsigned aspect);

/* For people: what differs, and how: "size 3, not 4; owner 0:0, not 5:5". */
void check_explain(struct buf *out, const struct check *c);

#endif
