/* SPDX-License-Identifier: ISC */
/*
 * Patterns of paths (filter.h has the syntax), compiled to a small automaton
 * that is run over the path once, whatever the pattern: no backtracking, no
 * memory while matching.  Pure; a compiled pattern has many readers.
 */
#ifndef TRANSFER_GLOB_H
#define TRANSFER_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/err.h"

struct glob;

/* NULL and ERR_USAGE (says what is wrong with PATTERN) or ERR_NOMEM. */
struct glob *glob_new(const char *pattern, struct err *e);
void glob_free(struct glob *g);
AUTO_DEFINE(glob, struct glob, glob_free)

/* The pattern ends in '/': it is for directories only. */
bool glob_is_for_dirs(const struct glob *g);

/* Whether G matches PATH itself. */
bool glob_matches(const struct glob *g, const char *path, size_t len);
/* Whether G matches whatever lies below the directory PATH. */
bool glob_covers(const struct glob *g, const char *path, size_t len);
/* Whether G could match anything below the directory PATH. */
bool glob_reaches_into(const struct glob *g, const char *path, size_t len);

#endif
