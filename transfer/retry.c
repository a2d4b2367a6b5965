/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "transfer/retry.h"

bool
retry_makes_sense(enum err_kind kind)
{
	return kind == ERR_NET || kind == ERR_THROTTLE || kind == ERR_SERVER;
}

/* BASE doubled N times, CAP at most. */
static uint64_t
doubled(uint64_t base, unsigned n, uint64_t cap)
{
	while (n-- > 0 && base < cap)
		base = base > cap / 2 ? cap : base * 2;
	return base < cap ? base : cap;
}

int64_t
retry_delay_ms(const struct retry_policy *p, unsigned attempt,
    const struct err *e, uint64_t random)
{
	uint64_t most;

	if (attempt >= p->attempts || !retry_makes_sense(e->kind))
		return -1;
	most = doubled(p->base_ms, attempt > 0 ? attempt - 1 : 0, p->cap_ms);
	if (most > INT64_MAX / 2)
		most = INT64_MAX / 2;
	/* On top of what the store asks for: those that it told the same
	 * must not come back together. */
	return (int64_t)(e->retry_after_ms + random % (most + 1));
}
