/* SPDX-License-Identifier: ISC */
/*
 * Patterns and the paths they are run on: the first line is the pattern, the
 * rest is the path.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/filter.h"
#include "transfer/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each byte quoted, a pattern matches that text and nothing longer. */
static void
check_quoted(const char *path, size_t len)
{
	struct err e = ERR_INIT;
	AUTO(free) char *quoted = malloc(2 * len + 2);
	AUTO(glob) struct glob *g = NULL;
	size_t i;

	if (quoted == NULL)
		return;
	quoted[0] = '/';
	for (i = 0; i < len; i++) {
		quoted[1 + 2 * i] = '\\';
		quoted[2 + 2 * i] = path[i];
	}
	quoted[1 + 2 * len] = '\0';
	g = glob_new(quoted, &e);
	if (g == NULL || !glob_matches(g, path, len) ||
	    glob_matches(g, path, len - 1))
		abort();
}

/* What G says of directories above PATH fits what it says of PATH. */
static void
check_parents(const struct glob *g, const char *path, size_t len)
{
	bool matches = glob_matches(g, path, len);
	size_t i;

	for (i = 1; i + 1 < len; i++) {
		if (path[i] != '/')
			continue;
		if (matches && !glob_reaches_into(g, path, i))
			abort();
		if (glob_covers(g, path, i) && !matches)
			abort();
	}
}

static void
check_filter(
    const char *pattern, const struct glob *g, const char *path, size_t len)
{
	struct err e = ERR_INIT;
	AUTO(filter) struct filter *f = filter_new(&e);
	AUTO(filter) struct filter *only = filter_new(&e);

	if (f == NULL || only == NULL)
		return;
	if (filter_exclude(f, pattern, &e) == -1 ||
	    filter_include(only, pattern, &e) == -1)
		abort();
	if (glob_is_for_dirs(g) || len == 0)
		return;
	if (filter_passes(f, path, len, false) == glob_matches(g, path, len) ||
	    filter_passes(only, path, len, false) != glob_matches(g, path, len))
		abort();
	/* A directory on the way to a match is walked. */
	if (glob_matches(g, path, len) &&
	    !filter_passes_from_root(only, path, len, false))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	struct err e = ERR_INIT;
	AUTO(free) char *pattern = NULL;
	AUTO(free) char *path = NULL;
	AUTO(glob) struct glob *g = NULL;
	size_t len;

	if (end == NULL || size > 4096)
		return 0;
	pattern = strndup((const char *)data, (size_t)(end - data));
	path = strndup((const char *)end + 1, size - (size_t)(end + 1 - data));
	if (pattern == NULL || path == NULL)
		return 0;
	len = strlen(path);
	if (len > 0 && len < 2000 && path[0] != '/' && path[len - 1] != '/')
		check_quoted(path, len);
	g = glob_new(pattern, &e);
	if (g == NULL) {
		if (e.kind != ERR_USAGE || e.msg[0] == '\0')
			abort();
		return 0;
	}
	check_parents(g, path, len);
	check_filter(pattern, g, path, len);
	return 0;
}
