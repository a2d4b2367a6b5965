/* SPDX-License-Identifier: ISC */
/*
 * The conformance suite: whether a driver does what transfer/store.h says, for
 * any store that can be named by URL.  The main thread runs one case after the
 * other; each begins with an empty store of its own.
 */
#ifndef TESTS_LIVE_CONFORM_CONFORM_H
#define TESTS_LIVE_CONFORM_CONFORM_H

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/store.h"

#define KIB ((size_t)1 << 10)

/* Where the suite works, and on what. */
struct conform {
	struct store_config config;
	struct store_url *url;	 /* of a directory or prefix of its own */
	struct store *store;	 /* opened with config */
	struct session *session; /* the main thread's */
	const char *local;	 /* the same directory, seen locally; or NULL */
	atomic_bool stop;	 /* config.stop */
	unsigned char *bytes;	 /* as many as the plan has, 512 KiB at least */
	struct plan plan;	 /* of three parts and a bit */
};
extern struct conform at;

#define OPS (at.store->ops)
#define HAS(feature) ((OPS->features & (feature)) != 0)

/* A case.  They say what holds; frame.c counts. */
struct conform_case {
	const char *name;
	void (*run)(void);
};
#define CASE(function)                             \
	{                                          \
		.name = #function, .run = function \
	}
extern const struct conform_case store_cases[], item_cases[], name_cases[],
    meta_cases[], attrs_cases[], link_cases[], hardlink_cases[], part_cases[],
    source_cases[], local_cases[];

/* CLAIM is true if the claim is. */
#define CLAIM(claim) claim_that((claim), __FILE__, __LINE__, #claim)
/* A call that must work, or fail by one of KINDS (KIND() | KIND()). */
#define KIND(kind) (1u << (kind))
#define WORKS(call, e) worked((call), (e), __FILE__, __LINE__, #call)
#define FAILS(call, e, kinds) \
	failed((call), (e), (kinds), __FILE__, __LINE__, #call)
bool claim_that(bool is, const char *file, int line, const char *text);
bool worked(
    int rc, struct err *e, const char *file, int line, const char *text);
bool failed(int rc, struct err *e, unsigned kinds, const char *file, int line,
    const char *text);
/* The case does not apply, and why. */
void not_applicable(const char *why);
/* What the store can't hold, which is no fault of the driver. */
void not_held(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void remark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* KEY as it can be printed, in one of a few buffers. */
const char *shown(const char *key);

/* Another handle of the same store. */
struct handle {
	struct store *store;
	struct session *session;
};
struct handle handle_open(const struct store_config *config);
void handle_close(struct handle *h);
/* Another session of the same store; never NULL. */
struct session *session_more(void);

/* The digests that the store needs, and those that the engine takes anyway. */
struct digest digest_of(const void *p, size_t n);

struct item_stat a_file(size_t size);
struct item_stat a_dir(void);
int put_by(struct session *c, const char *key, const struct item_stat *st,
    const void *p, size_t n, struct err *e);
/* These fail the case when they can't do it. */
bool put(const char *key, const void *p, size_t n);
bool put_text(const char *key, const char *text);
bool make_dir(const char *key);
bool stat_of(const char *key, struct store_stat *out);
/* Whether KEY is not there. */
bool is_absent(const char *key);
/* Whether KEY is a file of just these bytes. */
bool holds(const char *key, const void *p, size_t n);
bool holds_text(const char *key, const char *text);
bool remove_keys(const char *const *keys, size_t n);
bool remove_key(const char *key);

/* A listing, in memory. */
struct listed {
	struct listed_entry {
		char *key;
		struct store_stat st;
	} * entries;
	size_t n;
};
struct listed list_of(const char *dir, bool recursive);
void listed_free(struct listed *l);
/* NULL if it isn't listed.  It fails the case if it is listed twice. */
const struct listed_entry *listed_find(const struct listed *l, const char *key);
/* Removes all there is. */
void clear_store(void);

/* N threads of FN, each with a session and a number of its own. */
typedef bool thread_fn(struct session *c, unsigned number, void *arg);
bool in_threads(unsigned n, thread_fn *fn, void *arg);

#endif
