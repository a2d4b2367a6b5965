/* SPDX-License-Identifier: ISC */
/*
 * The buffer pool: a fixed budget of memory for bytes under way.  A buffer is
 * kept for reuse when it is given back.  Its size is the back-pressure of the
 * whole path: who wants a buffer waits until others give theirs back, first
 * come first served.  Thread-safe.  A thread must not hold one buffer while it
 * waits for another.
 */
#ifndef TRANSFER_POOL_H
#define TRANSFER_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

struct pool;

struct pool *pool_new(uint64_t budget_bytes, struct err *e);
/* All buffers must be back. */
void pool_free(struct pool *p);
AUTO_DEFINE(pool, struct pool, pool_free)

uint64_t pool_budget(const struct pool *p);

/*
 * A page-aligned buffer of at least LEN bytes.  NULL: ERR_CONFIG if LEN is
 * over the budget, ERR_NOMEM, or ERR_STOPPED after pool_stop().
 */
void *pool_get(struct pool *p, size_t len, struct err *e);
void pool_put(struct pool *p, void *buffer);
/* Those who wait, now or later, get ERR_STOPPED. */
void pool_stop(struct pool *p);

#endif
