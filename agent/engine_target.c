/* SPDX-License-Identifier: ISC */
/* The target's listing, of a first run, --reconcile and --delete. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "agent/reach.h"
#include "base/clock.h"
#include "base/log.h"

struct listing {
	struct engine *en;
	struct err ledger_err;
};

static int
list_one(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct listing *l = arg;
	struct ledger_target t = {
	    .type = entry->st.type,
	    .size = entry->st.size,
	    .mtime_ns = entry->st.has_source_mtime ? entry->st.mtime_ns
						   : ITEM_TIME_UNKNOWN,
	};

	if (atomic_load(l->en->setup->stop_soon))
		return err_set(e, ERR_STOPPED, "stopped");
	if (entry->leftover) {
		engine_leftover(l->en, entry->key, entry->key_len);
		return 0;
	}
	memcpy(t.etag, entry->st.etag, sizeof(t.etag));
	if (engine_listed(
		l->en, entry->key, entry->key_len, &t, &l->ledger_err) == -1) {
		*e = l->ledger_err;
		return -1;
	}
	return 0;
}

void
engine_list_target(struct engine *en)
{
	struct listing l = {.en = en, .ledger_err = ERR_INIT};
	struct err e = ERR_INIT;
	AUTO(session) struct session *c = NULL;
	unsigned attempt;
	int64_t wait;

	if (engine_reach(en) == -1)
		return;
	c = store_connect(en->target, &e);
	if (c != NULL)
		c->tells_leftovers = true;
	for (attempt = 1; c != NULL; attempt++) {
		buf_reset(&en->leftovers);
		if (en->ops->list(c, "", true, list_one, &l, &e) == 0) {
			en->use_target = true;
			return;
		}
		wait = retry_delay_ms(
		    &en->retry, attempt, &e, (uint64_t)clock_wall_ns());
		if (l.ledger_err.kind != ERR_NONE || wait < 0 ||
		    !reach_pause(wait, en->setup->stop_soon))
			break;
	}
	if (e.kind == ERR_STOPPED || atomic_load(en->setup->stop_soon))
		return;
	err_context(&e, "listing the target");
	if (e.kind != ERR_DENIED || en->options->reconcile) {
		engine_fatal(en, &e);
		return;
	}
	log_warn("%s; what is there already is sent again", e.msg);
}
