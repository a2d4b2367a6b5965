/* SPDX-License-Identifier: ISC */
/*
 * INI files, read as a stream: "[section]", "key = value", and lines that
 * begin with '#' or ';' are comments.  White space around names and values
 * falls away; there is no quoting and no comment behind a value.  A byte order
 * mark and CR before LF are ignored.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

#define INI_LINE_MAX 16384 /* bytes in a line, with its end */

struct ini_line {
	const char *file;    /* its name, for messages */
	unsigned number;     /* from 1 */
	const char *section; /* "" before the first one */
	const char *key;     /* never empty */
	const char *value;   /* may be empty */
	bool indented;	     /* began with white space: nested, for AWS */
};

/* LINE is valid during the call.  Return -1 (with *e set) to end with that. */
typedef int ini_fn(void *arg, const struct ini_line *line, struct err *e);

/*
 * Passes each assignment in F, which messages call NAME, to FN.  ERR_CONFIG
 * with "NAME:LINE: ..." for what is no INI.
 */
int ini_read(FILE *f, const char *name, ini_fn *fn, void *arg, struct err *e);

/* The same for the file at PATH; ERR_NOTFOUND if there is none. */
int ini_file(const char *path, ini_fn *fn, void *arg, struct err *e);
/* The same for one that somebody may be writing: ERR_CONFIG if its last line
 * has no end, as half of a value may be a value. */
int ini_whole_file(const char *path, ini_fn *fn, void *arg, struct err *e);

#endif
