/* SPDX-License-Identifier: ISC */
/*
 * Retry policy: capped exponential backoff with full jitter, the store's
 * Retry-After as the least.  Pure.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
#ifndef TRANSFER_RETRY_H
#define TRANSFER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct retry_policy {
	unsigned attempts; /* in all; 1: never again */
	uint64_t base_ms;  /* the first delay is up to this */
	uint64_t cap_ms;   /* no delay of ours is longer */
};

/* Whether an error of KIND can go away by itself. */
bool retry_makes_sense(enum err_kind kind);

/*
 * The store's Retry-After, if any, and up to one delay of ours on top:
 * how long to wait after attempt number ATTEMPT (from 1) failed with *E; -1 if
 * it must not be tried again.  RANDOM is any 64 random bits.
 */
int64_t retry_delay_ms(const struct retry_policy *p, unsigned attempt,
    const struct err *e, uint64_t random);

#endif
