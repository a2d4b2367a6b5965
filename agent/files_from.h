/* SPDX-License-Identifier: ISC */
/*
 * --files-from: the names of what a run is limited to, relative to SRC.  One a
 * line, as rsync reads them: empty lines and those that begin with '#' or ';'
 * are none (such a name is written "./#..."); or, with --from0, each with a
 * NUL behind and nothing else special.  "./", doubled slashes and one at the
 * end mean nothing; "." is all of SRC.
 *
 * --changed-from reads the same; but a name that ends in "/." is of the
 * directory alone, not of what is below it ("./." of SRC).
 */
#ifndef AGENT_FILES_FROM_H
#define AGENT_FILES_FROM_H

#include <stdbool.h>
#include <stdio.h>

#include "transfer/pathset.h"

/* Bytes of names and what is kept of each: some 2.7 million of them. */
#define FILES_FROM_MAX ((size_t)64 << 20)

struct files_from_format {
	bool nul;     /* names end in it */
	bool changed; /* as of --changed-from; which were seen isn't tracked */
};

/* From FILE, or from standard input if that is "-": the caller's, sealed.
 * ERR_USAGE: a name that is absolute or has "..", with its line. */
struct pathset *files_from_read(
    const char *file, struct files_from_format format, struct err *e);
/* The same from IN; WHAT is its name for messages. */
struct pathset *files_from_stream(
    FILE *in, const char *what, struct files_from_format format, struct err *e);

#endif
