/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/reach.h"
#include "agent/source.h"
#include "base/clock.h"

#define PLACE_MAX 1024

int
source_has(struct store *s, const char *key, const struct retry_policy *policy,
    const atomic_bool *stop, bool *found, struct err *e)
{
	AUTO(session) struct session *c = store_connect(s, e);
	struct store_stat st;
	unsigned attempt;
	int64_t wait;

	*found = false;
	if (c == NULL)
		return -1;
	for (attempt = 1; s->ops->stat(c, key, &st, e) == -1; attempt++) {
		if (e->kind == ERR_NOTFOUND)
			return 0;
		wait = retry_delay_ms(
		    policy, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0 || !reach_pause(wait, stop))
			return err_context(e, "looking for the source marker");
	}
	*found = true;
	return 0;
}

static enum err_kind
kind_for(const struct options *o)
{
	return o->delete_extra ? ERR_GUARD : ERR_CONFIG;
}

static int
check_marker(const struct options *o, struct store *s, const atomic_bool *stop,
    struct err *e)
{
	struct retry_policy policy = {
	    .attempts = o->retries,
	    .base_ms = 500,
	    .cap_ms = 10000,
	};
	bool found;

	if (o->source_marker == NULL)
		return 0;
	if (source_has(s, o->source_marker, &policy, stop, &found, e) == -1)
		return -1;
	if (found)
		return 0;
	return err_set(e, kind_for(o),
	    "nothing was done: the source has no file %s (--source-marker): "
	    "is it mounted?",
	    o->source_marker);
}

static int
seen_one(void *arg, const struct store_list_entry *entry, struct err *e)
{
	(void)entry;
	*(bool *)arg = true;
	return err_set(e, ERR_STOPPED, "that is enough");
}

static int
is_empty(struct store *s, bool *empty, struct err *e)
{
	AUTO(session) struct session *c = store_connect(s, e);
	bool any = false;

	if (c == NULL ||
	    (s->ops->list(c, "", false, seen_one, &any, e) == -1 && !any))
		return -1;
	*empty = !any;
	return 0;
}

static int
check_place(
    const struct options *o, struct store *s, struct ledger *l, struct err *e)
{
	char was[PLACE_MAX], now[PLACE_MAX];
	uint64_t items, bytes;
	bool empty;
	int rc = ledger_meta_get(l, SOURCE_PLACE_KEY, was, sizeof(was), e);

	s->ops->place(s, now, sizeof(now));
	if (rc != 1 || now[0] == '\0' || strcmp(was, now) == 0 ||
	    o->accept_source)
		return rc == -1 ? -1 : 0;
	if (ledger_totals(l, &items, &bytes, e) == -1 ||
	    is_empty(s, &empty, e) == -1)
		return -1;
	if (items == 0 || !empty)
		return 0;
	return err_set(e, kind_for(o),
	    "nothing was done: the source is empty, and not the place that it "
	    "was (%s, recorded: %s): is it mounted? If it has moved, say "
	    "--accept-source once",
	    now, was);
}

int
source_check(const struct options *o, struct store *s, struct ledger *l,
    const atomic_bool *stop, struct err *e)
{
	if (check_marker(o, s, stop, e) == -1)
		return -1;
	return check_place(o, s, l, e);
}
