/* SPDX-License-Identifier: ISC */
/* Lines of a file that others may have written: none is longer than
 * PACK_LINE_MAX. */
#ifndef TRANSFER_BUNDLE_LINES_H
#define TRANSFER_BUNDLE_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

struct lines;

/* FD is borrowed, and read from its beginning. */
struct lines *lines_new(int fd, struct err *e);
void lines_free(struct lines *l);
AUTO_DEFINE(lines, struct lines, lines_free)

/* 1 and a line without its end, valid until the next call; 0 at the end (what
 * has no end of line is none), -1. */
int lines_next(struct lines *l, const char **line, size_t *len, struct err *e);
/* The number of that line, from 1, and the bytes up to its end. */
uint64_t lines_number(const struct lines *l);
uint64_t lines_bytes(const struct lines *l);

#endif
