/* SPDX-License-Identifier: ISC */
/* Options whose argument takes more than the table to be read: option_def.set.
 */
#ifndef AGENT_CLI_SET_H
#define AGENT_CLI_SET_H

#include "agent/options.h"
#include "base/err.h"

/* -c, -I and --size-only, which has no letter. */
int option_set_compare(
    struct options *o, char letter, const char *arg, struct err *e);
int option_set_if_none_match(
    struct options *o, char letter, const char *arg, struct err *e);
/* "+30d" from now, or a date as ISO 8601 has it: 2030-01-31 or
 * 2030-01-31T12:00:00Z. */
int option_set_lock_until(
    struct options *o, char letter, const char *arg, struct err *e);
/* A time of events: as above, or how long ago ("2h"), or "now". */
int option_set_since(
    struct options *o, char letter, const char *arg, struct err *e);
int option_set_from(
    struct options *o, char letter, const char *arg, struct err *e);
int option_set_to(
    struct options *o, char letter, const char *arg, struct err *e);
int option_add_setting(
    struct options *o, char letter, const char *arg, struct err *e);
int option_set_min_size(
    struct options *o, char letter, const char *arg, struct err *e);
int option_set_max_size(
    struct options *o, char letter, const char *arg, struct err *e);
/* As bwlimit.h says. */
int option_set_bwlimit(
    struct options *o, char letter, const char *arg, struct err *e);
/* "zstd" or "zstd:LEVEL" */
int option_set_compress(
    struct options *o, char letter, const char *arg, struct err *e);
/* "N" items, or "N%" of the target's. */
int option_set_max_delete(
    struct options *o, char letter, const char *arg, struct err *e);

#endif
