/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/listing.h"
#include "agent/reach.h"
#include "base/clock.h"

struct listing {
	struct ledger *ledger;
	const atomic_bool *stop;
	bool failed; /* the ledger, not the store */
};

static int
take(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct listing *l = arg;

	if (atomic_load(l->stop))
		return err_set(e, ERR_STOPPED, "stopped");
	if (ledger_listed_put(
		l->ledger, entry->key, entry->key_len, &entry->st, e) == 0)
		return 0;
	l->failed = true;
	return -1;
}

int
listing_take(struct store *target, struct ledger *ledger,
    const struct retry_policy *retry, const atomic_bool *stop, struct err *e)
{
	struct listing l = {.ledger = ledger, .stop = stop};
	AUTO(session) struct session *c = store_connect(target, e);
	unsigned attempt;
	int64_t wait;

	for (attempt = 1; c != NULL; attempt++) {
		if (ledger_listed_begin(ledger, e) == -1)
			return -1;
		if (target->ops->list(c, "", true, take, &l, e) == 0)
			return 0;
		if (l.failed)
			return -1;
		if (e->kind == ERR_EXPIRED && attempt == 1 &&
		    target->ops->refresh != NULL &&
		    target->ops->refresh(target, e) == 0)
			continue;
		wait = retry_delay_ms(
		    retry, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0 || !reach_pause(wait, stop))
			break;
	}
	return err_context(e, "listing the target");
}
