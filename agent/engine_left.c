/* SPDX-License-Identifier: ISC */
/*
 * What runs that were cut off left at a target with directories: temporary
 * files, reserved space, an item that was just being replaced.  It is known by
 * its names.  The target is listed for it after a run that never ended, or
 * that couldn't remove what it left; a listing that is needed anyhow tells of
 * it, too.  It goes once nothing is under way any more: whatever isn't an
 * upload of the ledger's.
 */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "agent/reach.h"
#include "base/clock.h"
#include "base/log.h"

/* A named value: "1" while there may be something. */
#define LEFT_KEY "leftovers"

void
engine_leftover(struct engine *en, const char *key, size_t len)
{
	buf_add(&en->leftovers, key, len);
	buf_addc(&en->leftovers, '\0');
}

int
engine_suspect_leftovers(struct engine *en, struct err *e)
{
	struct ledger_run last;
	char value[8];
	int rc = ledger_run_get(en->ledger, INT64_MAX, &last, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && last.ended_ns == 0) {
		en->may_be_left = true;
		return ledger_meta_set(en->ledger, LEFT_KEY, "1", e);
	}
	rc = ledger_meta_get(en->ledger, LEFT_KEY, value, sizeof(value), e);
	en->may_be_left = rc == 1 && strcmp(value, "1") == 0;
	return rc == -1 ? -1 : 0;
}

int
engine_leftovers_end(struct engine *en, struct err *e)
{
	if (en->target == NULL || !store_has_left(en->target))
		return 0;
	return ledger_meta_set(en->ledger, LEFT_KEY, "1", e);
}

static int
list_one(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct engine *en = arg;

	if (atomic_load(en->setup->stop_soon))
		return err_set(e, ERR_STOPPED, "stopped");
	if (entry->leftover)
		engine_leftover(en, entry->key, entry->key_len);
	return 0;
}

static int
list(struct engine *en, struct session *c, struct err *e)
{
	int rc;

	buf_reset(&en->leftovers);
	c->tells_leftovers = true;
	rc = en->ops->list(c, "", true, list_one, en, e);
	c->tells_leftovers = false;
	return rc;
}

static int
sweep_one(struct engine *en, struct session *c, const char *key, struct err *e)
{
	const char *slash = strrchr(key, '/');

	if (en->ops->sweep(c, key, e) == -1)
		return err_context(e, "%s", key);
	engine_touched_in(en, key, slash != NULL ? (size_t)(slash - key) : 0);
	return 0;
}

static bool
is_upload(const char *key, const struct ledger_upload *all, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t dir = all[i].path_len - all[i].name_len;

		if (all[i].store_id[0] != '\0' && strlen(key) > dir &&
		    memcmp(all[i].path, key, dir) == 0 &&
		    strcmp(all[i].store_id, key + dir) == 0)
			return true;
	}
	return false;
}

static int
sweep_found(struct engine *en, struct session *c, struct err *e)
{
	struct ledger_upload *all = NULL;
	size_t n = 0, at;
	int rc = ledger_uploads(en->ledger, &all, &n, e);

	if (rc == -1)
		return engine_ledger_failed(en, e);
	for (at = 0; rc == 0 && at < en->leftovers.len;
	     at += strlen(en->leftovers.data + at) + 1)
		if (!is_upload(en->leftovers.data + at, all, n))
			rc = sweep_one(en, c, en->leftovers.data + at, e);
	ledger_uploads_free(all, n);
	return rc;
}

/* What is known to be left, and what is found. */
static int
sweep(struct engine *en, struct session *c, struct err *e)
{
	if (store_sweep_left(c, NULL, e) == -1 ||
	    (en->may_be_left && !en->use_target && en->setup->only == NULL &&
		list(en, c, e) == -1) ||
	    sweep_found(en, c, e) == -1)
		return -1;
	if (buf_failed(&en->leftovers))
		return err_set(e, ERR_NOMEM, "too much of it for one run");
	return 0;
}

static int
insist(struct engine *en, struct err *e)
{
	AUTO(session) struct session *c = store_connect(en->target, e);
	unsigned attempt;
	int64_t wait;

	if (c == NULL)
		return -1;
	for (attempt = 1; sweep(en, c, e) == -1; attempt++) {
		wait = retry_delay_ms(
		    &en->retry, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0 || en->stopping ||
		    !reach_pause(wait, en->setup->stop_soon))
			return -1;
	}
	return 0;
}

void
engine_sweep_leftovers(struct engine *en)
{
	bool whole = en->setup->only == NULL;
	struct err e = ERR_INIT;

	if (en->ops->sweep == NULL || en->stopping || en->options->dry_run ||
	    (!(whole && en->may_be_left) && en->leftovers.len == 0 &&
		!store_has_left(en->target)) ||
	    engine_reach(en) == -1)
		return;
	if (insist(en, &e) == -1) {
		if (en->stopping || atomic_load(en->setup->stop_soon))
			return;
		log_warn("temporary files that earlier attempts left at the "
			 "target could not be removed, the next run tries "
			 "again: %s",
		    e.msg);
		if (ledger_meta_set(en->ledger, LEFT_KEY, "1", &e) == -1)
			engine_ledger_failed(en, &e);
	} else if (whole && en->may_be_left &&
	    ledger_meta_set(en->ledger, LEFT_KEY, "0", &e) == -1) {
		engine_ledger_failed(en, &e);
	}
}
