/* SPDX-License-Identifier: ISC */
/* Temporary files that have no name. */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#include <stddef.h>

#include "base/err.h"

/* In TMPDIR, else in /var/tmp: it may become big.  -1. */
int scratch_open(struct err *e);
/* Appends all of the N bytes at P to FD. */
int scratch_write(int fd, const void *p, size_t n, struct err *e);

#endif
