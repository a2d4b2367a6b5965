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
#include <stdint.h>

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

/* jdoc_get.c: what member KEY of an object says. */
/* The text of a string; NULL if there is none, or one with a NUL. */
const char *jdoc_text(const struct jdoc_node *object, const char *key);
/* Each: 1; 0 if there is no such member; -1 if it isn't such a value. */
int jdoc_uint(const struct jdoc_node *object, const char *key, uint64_t *out);
int jdoc_int(const struct jdoc_node *object, const char *key, int64_t *out);
/* N bytes as 2 N digits. */
int jdoc_hex(
    const struct jdoc_node *object, const char *key, void *out, size_t n);
/* NODE itself as a number: false if it is none. */
bool jdoc_to_uint(const struct jdoc_node *node, uint64_t *out);

/*
 * What json_name() wrote as KEY: *OUT, of *LEN bytes, is the document's text,
 * or *EXACT, malloc'd, where that could not hold it.  1, 0, -1 as above; -2
 * without memory.
 */
int jdoc_name(const struct jdoc_node *object, const char *key, const char **out,
    size_t *len, char **exact);

#endif
