/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/ini.h"

struct reader {
	struct ini_line line;
	bool whole; /* each line must have its end */
	char section[INI_LINE_MAX];
	char text[INI_LINE_MAX];
};

static int
bad(const struct reader *r, const char *what, struct err *e)
{
	return err_set(
	    e, ERR_CONFIG, "%s:%u: %s", r->line.file, r->line.number, what);
}

/* 1: a line is in r->text, 0: end of file, -1: error. */
static int
next_line(struct reader *r, FILE *f, struct err *e)
{
	size_t n = 0;
	int c;

	r->line.number++;
	while ((c = getc(f)) != EOF && c != '\n') {
		if (c == '\0')
			return bad(r, "a NUL byte: not a text file", e);
		if (n + 1 >= sizeof(r->text))
			return bad(r, "line too long", e);
		r->text[n++] = (char)c;
	}
	if (c == EOF && ferror(f))
		return err_sys(e, "%s", r->line.file);
	if (c == EOF && n > 0 && r->whole)
		return bad(r,
		    "the last line has no end: is the file half written? Else "
		    "end it with a line break",
		    e);
	if (n > 0 && r->text[n - 1] == '\r')
		n--;
	r->text[n] = '\0';
	return c != EOF || n > 0;
}

static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	for (n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]) != NULL;)
		s[--n] = '\0';
	return s;
}

static int
take_section(struct reader *r, char *s, struct err *e)
{
	size_t n = strlen(s);

	if (s[n - 1] != ']')
		return bad(r, "a section must end with ']'", e);
	s[n - 1] = '\0';
	s = trim(s + 1);
	if (*s == '\0')
		return bad(r, "a section without a name", e);
	memcpy(r->section, s, strlen(s) + 1);
	return 0;
}

static int
take_line(struct reader *r, ini_fn *fn, void *arg, struct err *e)
{
	char *s = r->text, *equals;

	if (r->line.number == 1 && strncmp(s, "\xef\xbb\xbf", 3) == 0)
		s += 3;
	r->line.indented = *s == ' ' || *s == '\t';
	s = trim(s);
	if (*s == '\0' || *s == '#' || *s == ';')
		return 0;
	if (*s == '[')
		return take_section(r, s, e);
	equals = strchr(s, '=');
	if (equals == NULL)
		return bad(r, "expected \"key = value\" or \"[section]\"", e);
	*equals = '\0';
	r->line.key = trim(s);
	r->line.value = trim(equals + 1);
	if (*r->line.key == '\0')
		return bad(r, "no key before '='", e);
	return fn(arg, &r->line, e);
}

static int
read_all(
    FILE *f, const char *name, bool whole, ini_fn *fn, void *arg, struct err *e)
{
	AUTO(free) struct reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	r->line.file = name;
	r->line.section = r->section;
	r->whole = whole;
	while ((rc = next_line(r, f, e)) == 1)
		if (take_line(r, fn, arg, e) == -1)
			return -1;
	return rc;
}

int
ini_read(FILE *f, const char *name, ini_fn *fn, void *arg, struct err *e)
{
	return read_all(f, name, false, fn, arg, e);
}

static int
read_file(const char *path, bool whole, ini_fn *fn, void *arg, struct err *e)
{
	AUTO(fclose) FILE *f = fopen(path, "re");

	if (f == NULL)
		return err_sys(e, "%s", path);
	return read_all(f, path, whole, fn, arg, e);
}

int
ini_file(const char *path, ini_fn *fn, void *arg, struct err *e)
{
	return read_file(path, false, fn, arg, e);
}

int
ini_whole_file(const char *path, ini_fn *fn, void *arg, struct err *e)
{
	return read_file(path, true, fn, arg, e);
}
