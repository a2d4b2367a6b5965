/* SPDX-License-Identifier: ISC */
/*
 * Where a report goes: standard output, or a file that has its name only once
 * it is whole.
 */
#ifndef AGENT_REPORT_OUT_H
#define AGENT_REPORT_OUT_H

#include <stddef.h>

#include "base/auto.h"
#include "base/err.h"

struct out;

/* PATH is NULL for standard output. */
struct out *out_open(const char *path, struct err *e);
/* ERR_STOPPED: the reader of standard output has left. */
int out_write(struct out *o, const void *p, size_t n, struct err *e);
/* All is written: the file, durable, gets its name. */
int out_commit(struct out *o, struct err *e);
/* Frees O; what was not committed is removed. */
void out_free(struct out *o);
AUTO_DEFINE(out, struct out, out_free)

#endif
