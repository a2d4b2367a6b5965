/* SPDX-License-Identifier: ISC */
/*
 * Filter rules: the first rule that matches decides; what none matches is in.
 * Pure once built; safe for many readers.
 *
 * A pattern with a leading '/' is anchored at the root, otherwise it matches
 * the last components of the path.  '*' and '?' don't cross '/', '**' does;
 * [a-z], [!a] and {a,b} as usual; '\' quotes.  A component "**" before a '/'
 * also stands for nothing: "a/", "**" and "/b" match "a/b".  A trailing '/'
 * matches directories only.  "dir/" + "**" excludes all of dir, which isn't
 * walked.  Names are bytes.
 */
#ifndef TRANSFER_FILTER_H
#define TRANSFER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

struct filter;

struct filter *filter_new(struct err *e);
void filter_free(struct filter *f);
AUTO_DEFINE(filter, struct filter, filter_free)

/* --include PATTERN and --exclude PATTERN, in command line order. */
int filter_include(struct filter *f, const char *pattern, struct err *e);
int filter_exclude(struct filter *f, const char *pattern, struct err *e);
/* --filter RULE: "+ PATTERN", "- PATTERN", or "!" to forget all so far. */
int filter_rule(struct filter *f, const char *rule, struct err *e);
/* Rules or patterns from a file, one a line; '#' and ';' begin comments.
 * HOW is '+' (includes), '-' (excludes) or 'f' (rules). Errors name the line.
 */
int filter_file(struct filter *f, const char *path, char how, struct err *e);

/*
 * Whether the item at PATH (relative, LEN bytes) is in.  If only includes
 * were given, what none of them matches is out; directories are still walked
 * then, unless no include could match below; an include with a trailing '/'
 * brings all that the directory holds.  For a directory, false means: not
 * walked; so what is below it isn't asked for.
 */
bool filter_passes(
    const struct filter *f, const char *path, size_t len, bool is_dir);

/* The same for a path whose parents were not asked for: they must pass, too. */
bool filter_passes_from_root(
    const struct filter *f, const char *path, size_t len, bool is_dir);

/* No rules at all: everything passes. */
bool filter_is_empty(const struct filter *f);

/* The rules in order, one a line, as --dump-filters shows them. */
void filter_dump(const struct filter *f, struct buf *out);

#endif
