/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/files_from.h"
#include "base/text.h"

#define NAME_BYTES_MAX ((size_t)64 << 10)

static int
refuse(const char *name, size_t len, const char *why, struct err *e)
{
	char shown[200];

	return err_set(e, ERR_USAGE, "\"%s\" %s",
	    text_escaped(name, len, shown, sizeof(shown)), why);
}

/* NAME as a scan would say it, in place: its length, or -1. */
static ssize_t
normalize(char *name, size_t len, struct err *e)
{
	size_t from = 0, to = 0;

	if (name[0] == '/')
		return refuse(name, len,
		    "is absolute: names are relative to "
		    "SRC",
		    e);
	while (from < len) {
		const char *slash = memchr(name + from, '/', len - from);
		size_t n =
		    slash != NULL ? (size_t)(slash - name) - from : len - from;

		if (n == 2 && memcmp(name + from, "..", 2) == 0)
			return refuse(name, len,
			    "has \"..\": names are of "
			    "what is in SRC",
			    e);
		if (n > 1 || (n == 1 && name[from] != '.')) {
			if (to > 0)
				name[to++] = '/';
			memmove(name + to, name + from, n);
			to += n;
		}
		from += n + 1;
	}
	return (ssize_t)to;
}

/* NAME stands for a directory alone: then the name of an entry that no
 * directory has is put behind it, so that it leads there, and nothing is. */
static bool
is_alone(const char *name, size_t len)
{
	return len >= 3 && memcmp(name + len - 2, "/.", 2) == 0;
}

static size_t
put_alone(char *name, size_t len)
{
	if (len > 0)
		name[len++] = '/';
	name[len++] = '.';
	return len;
}

static int
add_name(struct pathset *p, char *name, size_t len,
    struct files_from_format format, struct err *e)
{
	bool nul = format.nul, alone;
	ssize_t n;

	if (!nul && len > 0 && name[len - 1] == '\n')
		len--;
	if (len > 0 && nul && name[len - 1] == '\0')
		len--;
	if (len == 0 || (!nul && (name[0] == '#' || name[0] == ';')))
		return 0;
	if (memchr(name, '\0', len) != NULL)
		return err_set(e, ERR_USAGE,
		    "a NUL within a name: say --from0 if they end in one");
	if (len > NAME_BYTES_MAX)
		return err_set(e, ERR_USAGE, "longer than any path");
	alone = format.changed && is_alone(name, len);
	n = normalize(name, len, e);
	if (n == -1)
		return -1;
	if (alone)
		n = (ssize_t)put_alone(name, (size_t)n);
	if (pathset_add(p, name, (size_t)n, e) == 0)
		return 0;
	if (e->kind != ERR_NOSPACE)
		return -1;
	return err_set(e, ERR_USAGE,
	    "too many names for one run (over 64 MiB): make several of it");
}

struct pathset *
files_from_stream(
    FILE *in, const char *what, struct files_from_format format, struct err *e)
{
	AUTO(pathset) struct pathset *p = pathset_new(FILES_FROM_MAX, e);
	AUTO(free) char *name = NULL;
	size_t cap = 0;
	unsigned long number = 0;
	ssize_t n;

	if (p == NULL)
		return NULL;
	while ((n = getdelim(&name, &cap, format.nul ? '\0' : '\n', in)) > 0) {
		number++;
		if (add_name(p, name, (size_t)n, format, e) == -1) {
			err_context(e, "%s:%lu", what, number);
			return NULL;
		}
	}
	if (ferror(in)) {
		err_sys(e, "%s", what);
		return NULL;
	}
	pathset_seal(p);
	if (!format.changed && pathset_track(p, e) == -1)
		return NULL;
	return TAKE(p);
}

struct pathset *
files_from_read(
    const char *file, struct files_from_format format, struct err *e)
{
	AUTO(fclose) FILE *in = NULL;

	if (strcmp(file, "-") == 0)
		return files_from_stream(stdin, "standard input", format, e);
	in = fopen(file, "re");
	if (in == NULL) {
		err_sys(e, "%s", file);
		return NULL;
	}
	return files_from_stream(in, file, format, e);
}
