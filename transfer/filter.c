/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "transfer/filter.h"
#include "transfer/glob.h"

#define LINE_SIZE 20000 /* patterns are shorter (glob.c) */

struct rule {
	bool include;
	/* It also decides on what lies in a directory that it matches. */
	bool holds_below;
	char *text;
	struct glob *glob;
};

struct filter {
	struct rule *rules;
	size_t n, cap;
	size_t excludes;
	size_t includes;
};

struct filter *
filter_new(struct err *e)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (f == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return f;
}

static void
forget(struct filter *f)
{
	while (f->n > 0) {
		f->n--;
		free(f->rules[f->n].text);
		glob_free(f->rules[f->n].glob);
	}
	f->excludes = f->includes = 0;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	forget(f);
	free(f->rules);
	free(f);
}

static int
add(struct filter *f, bool include, const char *pattern, struct err *e)
{
	AUTO(glob) struct glob *g = glob_new(pattern, e);
	AUTO(free) char *text = NULL;

	if (g == NULL)
		return -1;
	text = strdup(pattern);
	if (text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (f->n == f->cap) {
		size_t cap = f->cap > 0 ? 2 * f->cap : 16;
		struct rule *p = realloc(f->rules, cap * sizeof(*p));

		if (p == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		f->rules = p;
		f->cap = cap;
	}
	f->rules[f->n++] = (struct rule){
	    .include = include,
	    /* An include before it may be why the directory is walked. */
	    .holds_below = include ? glob_is_for_dirs(g) : f->includes > 0,
	    .text = TAKE(text),
	    .glob = TAKE(g),
	};
	f->excludes += !include;
	f->includes += include;
	return 0;
}

int
filter_include(struct filter *f, const char *pattern, struct err *e)
{
	return add(f, true, pattern, e);
}

int
filter_exclude(struct filter *f, const char *pattern, struct err *e)
{
	return add(f, false, pattern, e);
}

int
filter_rule(struct filter *f, const char *rule, struct err *e)
{
	if (strcmp(rule, "!") == 0) {
		forget(f);
		return 0;
	}
	if ((rule[0] != '+' && rule[0] != '-') || rule[1] != ' ')
		return err_set(e, ERR_USAGE,
		    "filter rule \"%s\": write \"+ PATTERN\", \"- PATTERN\" "
		    "or \"!\"",
		    rule);
	return add(f, rule[0] == '+', rule + 2, e);
}

static int
add_line(struct filter *f, char *line, size_t len, char how, struct err *e)
{
	if (memchr(line, '\0', len) != NULL)
		return err_set(e, ERR_USAGE, "a NUL byte in a pattern");
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		line[--len] = '\0';
	if (len == 0 || line[0] == '#' || line[0] == ';')
		return 0;
	if (how == 'f')
		return filter_rule(f, line, e);
	return add(f, how == '+', line, e);
}

/* A line with its end into LINE; its length, 0 at the end of the file. */
static size_t
read_line(FILE *in, char *line, size_t size)
{
	size_t n = 0;
	int c = 0;

	while (n + 1 < size && c != '\n' && (c = getc(in)) != EOF)
		line[n++] = (char)c;
	line[n] = '\0';
	return n;
}

int
filter_file(struct filter *f, const char *path, char how, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	AUTO(fclose) FILE *in = fopen(path, "re");
	char line[LINE_SIZE];
	unsigned number = 0;
	size_t n;

	if (in == NULL) {
		err_sys(e, "open");
		return err_context(e, "%s", path);
	}
	while ((n = read_line(in, line, sizeof(line))) > 0) {
		size_t skip = 0;
		int rc;

		if (++number == 1 && strncmp(line, bom, 3) == 0)
			skip = 3;
		if (n + 1 == sizeof(line))
			rc = err_set(e, ERR_USAGE, "the line is too long");
		else
			rc = add_line(f, line + skip, n - skip, how, e);
		if (rc == -1)
			return err_context(e, "%s:%u", path, number);
	}
	if (ferror(in)) {
		err_sys(e, "read");
		return err_context(e, "%s", path);
	}
	return 0;
}

/* Whether PATH lies in a directory that G matches. */
static bool
lies_in(const struct glob *g, const char *path, size_t len)
{
	size_t i;

	for (i = 1; i < len; i++)
		if (path[i] == '/' && glob_matches(g, path, i))
			return true;
	return false;
}

/* Whether R decides on PATH. */
static bool
decides(const struct filter *f, const struct rule *r, const char *path,
    size_t len, bool is_dir)
{
	const struct glob *g = r->glob;

	if ((is_dir || !glob_is_for_dirs(g)) && glob_matches(g, path, len))
		return true;
	if (is_dir &&
	    (r->include ? glob_reaches_into(g, path, len)
			: glob_covers(g, path, len)))
		return true;
	/* Among excludes, "+ dir/" means the directory alone, as for rsync. */
	return r->holds_below && (!r->include || f->excludes == 0) &&
	    lies_in(g, path, len);
}

bool
filter_passes(const struct filter *f, const char *path, size_t len, bool is_dir)
{
	size_t i;

	if (f->n == 0 || len == 0)
		return true;
	for (i = 0; i < f->n; i++)
		if (decides(f, &f->rules[i], path, len, is_dir))
			return f->rules[i].include;
	return f->excludes > 0;
}

bool
filter_passes_from_root(
    const struct filter *f, const char *path, size_t len, bool is_dir)
{
	size_t i;

	for (i = 1; f->n > 0 && i < len; i++)
		if (path[i] == '/' && !filter_passes(f, path, i, true))
			return false;
	return filter_passes(f, path, len, is_dir);
}

bool
filter_is_empty(const struct filter *f)
{
	return f->n == 0;
}

void
filter_dump(const struct filter *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		buf_addf(out, "%c %s\n", f->rules[i].include ? '+' : '-',
		    f->rules[i].text);
}
