/* SPDX-License-Identifier: ISC */
/*
 * A source that is best read from one end to the other (STORE_SEQUENTIAL):
 * files wait until all are known, and are then taken in the order in which they
 * lie.  No more are under way at a time than the source remembers.
 */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"

#define LATER_BYTES ((uint64_t)24 << 20)

bool
engine_later_put(struct engine *en, const struct scan_batch *b,
    const struct scan_entry *entry, const struct item_stat *st, int what)
{
	struct ledger_later f = {
	    .dir = b->dir,
	    .dir_len = b->dir_len,
	    .name = entry->name,
	    .name_len = entry->name_len,
	    .st = *st,
	    .what = what,
	};
	struct err e = ERR_INIT;

	if (!en->in_order || entry->st.type != ITEM_FILE)
		return false;
	if (ledger_later_put(en->ledger, &f, &e) == -1)
		engine_ledger_failed(en, &e);
	else
		en->later_left++;
	return true;
}

/* The next one: its bytes, 0 if there is none. */
static bool
take_next(struct engine *en, struct err *e)
{
	struct ledger_later *f = &en->later;
	AUTO(free) char *dir = NULL;
	AUTO(free) char *name = NULL;
	struct scan_entry entry;
	struct scan_batch b = {.entries = &entry, .n = 1};
	int rc = ledger_later_next(en->ledger, f, e);

	if (rc != 1) {
		en->later_left = 0;
		if (rc == -1)
			engine_ledger_failed(en, e);
		return false;
	}
	en->later_left--;
	dir = strndup(f->dir_len > 0 ? f->dir : "", f->dir_len);
	name = strndup(f->name, f->name_len);
	if (dir == NULL || name == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		engine_fatal(en, e);
		return false;
	}
	b.dir = dir;
	b.dir_len = f->dir_len;
	entry = (struct scan_entry){
	    .name = name, .name_len = f->name_len, .st = f->st};
	en->later_bytes += f->st.size;
	engine_take_now(en, &b, f->what);
	return true;
}

void
engine_later_feed(struct engine *en)
{
	struct err e = ERR_INIT;

	if (en->later_left == 0)
		return;
	if (!en->later_sorted) {
		if (ledger_later_sort(en->ledger, &e) == -1)
			engine_ledger_failed(en, &e);
		en->later_sorted = true;
	}
	if (en->jobs == 0)
		en->later_bytes = 0;
	while (en->later_left > 0 && !en->stopping &&
	    en->jobs < ENGINE_JOBS_MAX && en->later_bytes < LATER_BYTES)
		if (!take_next(en, &e))
			return;
}
