/* SPDX-License-Identifier: ISC */
/*
 * One file at any store, as dray's own manifests: written whole or not at all,
 * read once, with the retries that a run would make.
 */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include <stdatomic.h>

#include "agent/options.h"
#include "base/err.h"
#include "transfer/store.h"

/*
 * Stores the SIZE bytes of FD as WHERE, a path or URL, whose directory is made
 * where there are any; proved by the store's checksum or read back.  OWNER as
 * in struct store_config.
 */
int place_write(const char *where, int fd, uint64_t size,
    const struct options *o, const char *owner, const atomic_bool *stop,
    struct err *e);

/* What is stored under a directory, or a bucket's prefix. */
struct place_file {
	const char *key; /* below it; directories are made */
	int fd;
	uint64_t size;
	int64_t mtime_ns;
	const char *content_type; /* where the store keeps that */
};
/* As place_write(); what is under way gives up once *STOP is set. */
int place_put(const char *directory, const struct place_file *file,
    const struct options *o, const char *owner, const atomic_bool *stop,
    struct err *e);

/* Appends all bytes of WHERE to FD. */
int place_read(const char *where, int fd, const struct options *o,
    const atomic_bool *stop, struct err *e);

/* The same of KEY below DIRECTORY. */
int place_get(const char *directory, const char *key, int fd,
    const struct options *o, const atomic_bool *stop, struct err *e);
/* Tells FN of all that is below DIRECTORY; once, or more than once of what
 * comes before a failure. */
int place_list(const char *directory, const struct options *o,
    const atomic_bool *stop, store_list_fn *fn, void *arg, struct err *e);

/* WHERE's directory and the name in it; both malloc'd, or NULL, also after a
 * failure.  ERR_USAGE if it names no file. */
int place_split(
    const char *where, char **directory, char **name, struct err *e);

/* ERR_USAGE if WHERE can't be a file at any store. */
int place_check(const char *where, struct err *e);

#endif
