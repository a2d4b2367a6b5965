/* SPDX-License-Identifier: ISC */
/*
 * Samples: the items fall into slices by a hash of their path, one slice is
 * looked at in a run, the next one in the next, so that all are in the end.
 * Pure.
 */
#ifndef AGENT_SAMPLE_H
#define AGENT_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sample {
	uint32_t slices; /* 0 or 1: everything is looked at */
	uint32_t slice;	 /* from 0 */
};

#define SAMPLE_SLICES_MAX 100000
#define SAMPLE_TEXT_MAX 32

/* "5%", "0.1%" or "5": how many slices it takes so that none is more than
 * that.  ERR_USAGE names the text. */
int sample_parse(const char *text, uint32_t *slices, struct err *e);

bool sample_has(const struct sample *s, const char *path, size_t len);

/* What is kept between runs: the slice that comes next. */
void sample_to_text(const struct sample *s, char out[SAMPLE_TEXT_MAX]);
/* The slice to begin with: the one in TEXT, if that is of as many slices;
 * else the first. */
uint32_t sample_from_text(const char *text, uint32_t slices);
struct sample sample_next(const struct sample *s);

#endif
