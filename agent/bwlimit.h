/* SPDX-License-Identifier: ISC */
/* The text of --bwlimit.  Pure. */
#ifndef AGENT_BWLIMIT_H
#define AGENT_BWLIMIT_H

#include <stdint.h>

#include "base/err.h"

/* "10M" -> bytes a second; a bare number counts in KiB; "off" is 0, as 0 is.
 * ERR_USAGE */
int bwlimit_parse(const char *text, uint64_t *rate, struct err *e);

#endif
