/* SPDX-License-Identifier: ISC */
/* Fields of the table; pure. */
#ifndef AGENT_REPORT_CSV_H
#define AGENT_REPORT_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends S as one field, escaped; whether that changed its text.  SCRATCH is
 * overwritten. */
bool csv_field(struct buf *out, struct buf *scratch, const char *s, size_t n);

/* Appends PATH and path_base64: two fields. */
void csv_path(
    struct buf *out, struct buf *scratch, const char *path, size_t len);

#endif
