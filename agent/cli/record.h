/* SPDX-License-Identifier: ISC */
/*
 * Options as a run keeps them, so that dray retry can give them again.  What
 * may hold a secret is kept by name only.
 */
#ifndef AGENT_CLI_RECORD_H
#define AGENT_CLI_RECORD_H

#include "agent/cli/table.h"

/* Appends option D, given with VALUE (NULL: takes none), to O's lists. */
void record_option(
    struct options *o, const struct option_def *d, const char *value);

/*
 * Puts together the words for a retry: those RECORDED (but for what a retry
 * doesn't do), then those GIVEN now.  *ARGV is malloc'd, as is the text that
 * it points into (*TEXT).  ERR_USAGE if one that was withheld isn't given.
 */
int record_combine(const struct buf *recorded, const struct buf *given,
    char ***argv, int *argc, char **text, struct err *e);

/* The words RECORDED but for those that were withheld, in the same way. */
int record_known(const struct buf *recorded, char ***argv, int *argc,
    char **text, struct err *e);

#endif
