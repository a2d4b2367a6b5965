/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sample.h"
#include "verify/digest.h"

int
sample_parse(const char *text, uint32_t *slices, struct err *e)
{
	char *end;
	double percent = strtod(text, &end);
	double n;

	/* strtod also takes spaces, signs, hex, "inf" and "nan". */
	if (strspn(text, "0123456789.") != (size_t)(end - text) ||
	    end == text || (strcmp(end, "%") != 0 && *end != '\0') ||
	    percent <= 0 || percent > 100)
		return err_set(e, ERR_USAGE,
		    "not a percentage over 0 and up to 100: \"%s\"", text);
	n = 100 / percent;
	if (n > SAMPLE_SLICES_MAX)
		return err_set(e, ERR_USAGE,
		    "a sample of less than 0.001%% takes too long to come "
		    "round: \"%s\"",
		    text);
	*slices = (uint32_t)n;
	if ((double)*slices * percent < 100 - 1e-9)
		++*slices;
	return 0;
}

bool
sample_has(const struct sample *s, const char *path, size_t len)
{
	uint64_t hash;

	if (s->slices <= 1)
		return true;
	hash = crc64nvme(0, path, len) * UINT64_C(0x9e3779b97f4a7c15);
	return (hash >> 32) % s->slices == s->slice;
}

void
sample_to_text(const struct sample *s, char out[SAMPLE_TEXT_MAX])
{
	snprintf(
	    out, SAMPLE_TEXT_MAX, "%" PRIu32 "/%" PRIu32, s->slice, s->slices);
}

uint32_t
sample_from_text(const char *text, uint32_t slices)
{
	char *end;
	unsigned long slice = strtoul(text, &end, 10);

	if (*end != '/' || strtoul(end + 1, &end, 10) != slices ||
	    *end != '\0' || slice >= slices)
		return 0;
	return (uint32_t)slice;
}

struct sample
sample_next(const struct sample *s)
{
	return (struct sample){
	    .slices = s->slices,
	    .slice = s->slices > 0 ? (s->slice + 1) % s->slices : 0,
	};
}
