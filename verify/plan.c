/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>

#include "base/text.h"
#include "verify/plan.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t
div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

int
plan_make(uint64_t size, const struct plan_limits *limits, struct plan *out,
    struct err *e)
{
	uint64_t part = limits->part_bytes;
	uint64_t parts, mib;
	char a[16], b[16];

	if (size < limits->threshold_bytes && size <= limits->put_max_bytes) {
		*out = (struct plan){.size = size, .part_bytes = size};
		return 0;
	}
	if (part < limits->part_min_bytes)
		part = limits->part_min_bytes;
	if (part == 0 || limits->parts_max == 0)
		return err_set(e, ERR_CONFIG, "part size or part limit is 0");
	if (div_up(size, part) > limits->parts_max) {
		mib = div_up(div_up(size, limits->parts_max), MIB);
		part = mib > UINT64_MAX / MIB ? UINT64_MAX : mib * MIB;
	}
	if (part > limits->part_max_bytes)
		return err_set(e, ERR_CONFIG,
		    "a file of %s needs parts of %s for at most %" PRIu32
		    " of them, but a part can have %" PRIu64
		    " bytes at most: raise --memory",
		    text_size(size, a, sizeof(a)),
		    text_size(part, b, sizeof(b)), limits->parts_max,
		    limits->part_max_bytes);
	parts = size == 0 ? 1 : div_up(size, part);
	*out = (struct plan){
	    .size = size,
	    .part_bytes = part,
	    .parts = (uint32_t)parts,
	};
	return 0;
}

uint64_t
plan_offset(const struct plan *p, uint32_t number)
{
	return (uint64_t)(number - 1) * p->part_bytes;
}

uint64_t
plan_length(const struct plan *p, uint32_t number)
{
	uint64_t offset = plan_offset(p, number);
	uint64_t left = p->size - offset;

	return left < p->part_bytes ? left : p->part_bytes;
}
