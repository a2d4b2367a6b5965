/* SPDX-License-Identifier: ISC */
/*
 * JSON in (RFC 8259): a document as a tree.  Strict: UTF-8 only, no lone
 * surrogates, nothing behind the value.  Keys that are there twice are both
 * kept.  Numbers keep the text that they were written as.  Pure.
 */
#ifndef BASE_JDOC_H
#define BASE_JDOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/err.h"

#define JDOC_DEPTH_MAX 64 /* of objects and arrays within each other */

enum jdoc_type {
	JDOC_NULL,
	JDOC_TRUE,
	JDOC_FALSE,
	JDOC_NUMBER,
	JDOC_STRING,
	JDOC_ARRAY,
	JDOC_OBJECT,
};

struct jdoc_node {
	enum jdoc_type type;
	const char *key; /* in an object; NUL-terminated, may hold NULs */
	size_t key_len;
	const char *text; /* STRING: the text, with a NUL behind; NUMBER: as it
			     was written, LEN bytes, no NUL */
	size_t len;
	struct jdoc_node *child; /* ARRAY, OBJECT: the first, or NULL */
	struct jdoc_node *next;	 /* of the same array or object */
};

struct jdoc;

/*
 * The LEN bytes of TEXT, which are copied.  ERR_PROTOCOL tells the byte (from
 * 1) at which it is no JSON.  Memory: some 32 times LEN at most.
 */
struct jdoc *jdoc_parse(const char *text, size_t len, struct err *e);
void jdoc_free(struct jdoc *d);
AUTO_DEFINE(jdoc, struct jdoc, jdoc_free)

const struct jdoc_node *jdoc_root(const struct jdoc *d);

/* The last member KEY of an object; NULL if there is none, or no object. */
const struct jdoc_node *jdoc_member(
    const struct jdoc_node *object, const char *key);

/*
 * What the JSON pointer (RFC 6901) names in NODE: "/data/path", "/a/0", "" is
 * all of it; NULL if there is no such thing.
 */
const struct jdoc_node *jdoc_at(
    const struct jdoc_node *node, const char *pointer);
/* Whether TEXT can be a pointer at all. */
bool jdoc_is_pointer(const char *text);

/* Whether NODE is the string TEXT. */
bool jdoc_is(const struct jdoc_node *node, const char *text);
/* Whether NODE's key is KEY. */
bool jdoc_key_is(const struct jdoc_node *node, const char *key);

#endif
