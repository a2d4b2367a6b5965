/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <time.h>

#include "agent/reach.h"
#include "base/clock.h"

#define SILENT_ATTEMPTS 3

bool
reach_pause(int64_t ms, const atomic_bool *stop)
{
	uint64_t until = clock_mono_ms() + (uint64_t)ms;

	while (clock_mono_ms() < until) {
		struct timespec slice = {.tv_nsec = 20 * 1000000};

		if (atomic_load(stop))
			return false;
		nanosleep(&slice, NULL);
	}
	return !atomic_load(stop);
}

int
reach_store(struct store *s, const struct reach_options *o,
    struct store_probe *out, struct err *e)
{
	AUTO(session) struct session *c = store_connect(s, e);
	struct retry_policy policy = {
	    .attempts = o->attempts,
	    .base_ms = 500,
	    .cap_ms = 10000,
	};
	unsigned attempt;
	int64_t wait;

	if (c == NULL)
		return -1;
	for (attempt = 1;; attempt++) {
		if (s->ops->probe(c, o->create, o->checksum, out, e) == 0)
			return 0;
		wait = retry_delay_ms(&policy, attempt, e,
		    (uint64_t)clock_wall_ns() * 0x9e3779b97f4a7c15U);
		if (wait < 0 ||
		    (e->kind == ERR_NET && attempt >= SILENT_ATTEMPTS))
			return -1;
		if (!reach_pause(wait, o->stop))
			return err_set(e, ERR_STOPPED, "stopped");
	}
}
