/* SPDX-License-Identifier: ISC */
/* Pieces of the page; pure. */
#ifndef AGENT_REPORT_HTML_H
#define AGENT_REPORT_HTML_H

#include <stddef.h>
#include <stdint.h>

#include "agent/series.h"
#include "base/buf.h"

/* Appends S as text of an element or attribute; it is UTF-8. */
void html_text(struct buf *out, const char *s, size_t n);
/* Appends a name or message of any bytes, made visible and harmless.  SCRATCH
 * is overwritten. */
void html_name(
    struct buf *out, struct buf *scratch, const char *name, size_t n);

/* File sizes in classes that people think in. */
#define HISTOGRAM_BARS 8
struct histogram {
	const char *label;
	uint64_t files;
};
/* SIZES[0]: empty files; [n]: those of less than 2^n bytes, and not less than
 * half of that. */
void histogram_make(
    const uint64_t sizes[65], struct histogram out[HISTOGRAM_BARS]);

/* An <svg> of bytes a second over time; nothing without two points. */
void html_plot(struct buf *out, const struct series *s);

#endif
