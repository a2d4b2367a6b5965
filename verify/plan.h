/* SPDX-License-Identifier: ISC */
/*
 * Part plan: how a file is cut into upload parts.  Pure.
 * Limits of S3:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
 */
#ifndef VERIFY_PLAN_H
#define VERIFY_PLAN_H

#include <stdint.h>

#include "base/err.h"

/* What a store allows, and what the user asks for.  All in bytes. */
struct plan_limits {
	uint64_t threshold_bytes; /* a file of this size or more is cut up */
	uint64_t part_bytes;	  /* the wish; grown where it must be */
	uint64_t part_min_bytes;  /* the store's least, but for the last */
	uint64_t part_max_bytes;  /* the store's most, and ours (memory) */
	uint32_t parts_max;	  /* the store's most parts in one upload */
	uint64_t put_max_bytes;	  /* the most that goes in one put */
};

struct plan {
	uint64_t size;
	uint64_t part_bytes; /* all parts but the last have this size */
	uint32_t parts;	     /* 0: one put of the whole file */
};

/*
 * Fill *OUT with the plan of the smallest parts, not smaller than wished,
 * that LIMITS allow; a grown part size is a multiple of 1 MiB.
 * Same arguments, same plan, in every release: resuming depends on it.
 * ERR_CONFIG if none fits.
 */
int plan_make(uint64_t size, const struct plan_limits *limits, struct plan *out,
    struct err *e);

/* Part NUMBER (from 1) of P: its offset and length. */
uint64_t plan_offset(const struct plan *p, uint32_t number);
uint64_t plan_length(const struct plan *p, uint32_t number);

#endif
