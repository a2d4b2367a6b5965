/* SPDX-License-Identifier: ISC */
/*
 * Extended attributes of an item: names and binary values, sorted by name.
 * POSIX ACLs are the two attributes that Linux keeps them in, as they are
 * (numeric ids).  Pure.
 * https://man7.org/linux/man-pages/man7/xattr.7.html
 */
#ifndef TRANSFER_ATTRS_H
#define TRANSFER_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

/* Limits of Linux; of all together, ours: ext4 and tmpfs have far less. */
#define ATTRS_NAME_MAX 255
#define ATTRS_VALUE_MAX 65536
#define ATTRS_BYTES_MAX ((size_t)1 << 20)

enum attrs_kind {
	ATTRS_XATTRS = 1, /* user.*, trusted.*, security.* */
	ATTRS_ACLS = 2,	  /* system.posix_acl_access and _default */
};

struct attr {
	char *name;
	void *value;
	size_t len;
};

struct attrs {
	unsigned kinds;	   /* of these, all that the item has are here */
	size_t n;	   /* 0: it is known to have none */
	struct attr *each; /* by name, as strcmp() has it */
	size_t cap, bytes;
};

/* The kind of an attribute of that name, 0 if it is none that is carried. */
unsigned attrs_kind(const char *name);

struct attrs *attrs_new(unsigned kinds, struct err *e);
void attrs_free(struct attrs *a);
AUTO_DEFINE(attrs, struct attrs, attrs_free)
/* A may be NULL, and is NULL then; else NULL is ERR_NOMEM. */
struct attrs *attrs_copy(const struct attrs *a, struct err *e);

/*
 * Adds a copy.  ERR_PROTOCOL if it can't be an attribute that is carried, is
 * there already, or is too much.
 */
int attrs_add(struct attrs *a, const char *name, const void *value, size_t len,
    struct err *e);
/* Forgets what isn't of KINDS, and that anything is known of it. */
void attrs_keep(struct attrs *a, unsigned kinds);
/* Takes what A doesn't know from FROM (NULL: nothing). */
int attrs_merge(struct attrs *a, const struct attrs *from, struct err *e);
/* NULL if there is none. */
const struct attr *attrs_find(const struct attrs *a, const char *name);
/* Whether any is of KIND.  A may be NULL. */
bool attrs_any(const struct attrs *a, unsigned kind);

/*
 * For the ledger: the same for the same attributes, and its lowest bits are
 * KINDS, which were asked for: never 0 then, even where nothing is known (A is
 * NULL).
 */
uint64_t attrs_mark(const struct attrs *a, unsigned kinds);
static inline unsigned
attrs_mark_kinds(uint64_t mark)
{
	return (unsigned)(mark & (ATTRS_XATTRS | ATTRS_ACLS));
}

/* Whether two marks are of the same attributes, whatever was asked for. */
static inline bool
attrs_same_mark(uint64_t a, uint64_t b)
{
	return attrs_mark_kinds(a ^ b) == (a ^ b);
}

/* As bytes: each name, a NUL, the value's length (4 bytes, big endian), the
 * value; by name. */
void attrs_format(const struct attrs *a, struct buf *out);
/* The reverse; NULL and ERR_PROTOCOL if anything else is there. */
struct attrs *attrs_parse(
    const void *p, size_t n, unsigned kinds, struct err *e);

#endif
