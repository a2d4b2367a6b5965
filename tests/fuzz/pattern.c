/* SPDX-License-Identifier: ISC */
/*
 * Event patterns and the events they are tried on: the first line is the
 * pattern, the rest is the event.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	struct err e = ERR_INIT;
	AUTO(pattern) struct pattern *p = NULL;
	AUTO(jdoc) struct jdoc *d = NULL;
	int rc;

	if (end == NULL || size > 16384)
		return 0;
	p = pattern_new((const char *)data, (size_t)(end - data), &e);
	if (p == NULL) {
		if (e.kind != ERR_CONFIG || e.msg[0] == '\0')
			abort();
		return 0;
	}
	d = jdoc_parse(
	    (const char *)end + 1, size - (size_t)(end + 1 - data), &e);
	if (d == NULL)
		return 0;
	rc = pattern_match(p, jdoc_root(d), &e);
	if (rc == -1 ? e.kind != ERR_UNSUPPORTED : rc != 0 && rc != 1)
		abort();
	return 0;
}
