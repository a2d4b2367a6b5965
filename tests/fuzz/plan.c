/* SPDX-License-Identifier: ISC */
/* Part plans from any size and limits cover the file within the limits. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "verify/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint64_t size;
	uint64_t threshold_bytes;
	uint64_t part_bytes;
	uint64_t part_min_bytes;
	uint64_t part_max_bytes;
	uint64_t put_max_bytes;
	uint32_t parts_max;
};

static void
check(const struct plan *p, const struct input *in)
{
	uint32_t probes[3] = {1, p->parts / 2 + 1, p->parts};
	size_t i;

	if (p->parts > in->parts_max || p->part_bytes > in->part_max_bytes ||
	    p->part_bytes < in->part_min_bytes)
		abort();
	for (i = 0; i < 3; i++) {
		uint32_t n = probes[i] < p->parts ? probes[i] : p->parts;
		uint64_t offset = plan_offset(p, n);
		uint64_t length = plan_length(p, n);

		if (offset > p->size || length > p->size - offset)
			abort();
		if (n < p->parts && length != p->part_bytes)
			abort();
		if (n < p->parts && plan_offset(p, n + 1) != offset + length)
			abort();
		if (n == p->parts && offset + length != p->size)
			abort();
		if (length == 0 && p->size != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct plan_limits limits;
	struct input in;
	struct plan p;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	limits = (struct plan_limits){
	    .threshold_bytes = in.threshold_bytes,
	    .part_bytes = in.part_bytes,
	    .part_min_bytes = in.part_min_bytes,
	    .part_max_bytes = in.part_max_bytes,
	    .parts_max = in.parts_max,
	    .put_max_bytes = in.put_max_bytes,
	};
	if (plan_make(in.size, &limits, &p, &e) == -1) {
		if (e.kind != ERR_CONFIG || e.msg[0] == '\0')
			abort();
		return 0;
	}
	if (p.size != in.size)
		abort();
	if (p.parts > 0)
		check(&p, &in);
	else if (p.size > in.put_max_bytes)
		abort();
	return 0;
}
