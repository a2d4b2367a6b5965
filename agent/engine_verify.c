/* SPDX-License-Identifier: ISC */
/* --verify all: what the run leaves at the target is compared once more. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "agent/verify.h"

static void
add_counts(struct engine *en, const struct run_stats *s)
{
#define ADD(name) stats_add(en->stats, name, stats_get(s, name));
	ADD(checked_items)
	ADD(checked_equal)
	ADD(checked_differ)
	ADD(checked_missing)
	ADD(checked_extra)
	ADD(checked_errors)
	ADD(checked_by_store)
	ADD(checked_by_reading)
	ADD(checked_by_size)
	ADD(checked_xattrs)
	ADD(checked_acls)
	ADD(checked_links)
	ADD(retries)
	ADD(throttled)
#undef ADD
}

struct verifying {
	struct engine *en;
	struct run_stats stats;
};

/* What changed at the source after the run looked at it is the next run's. */
static bool
is_news(const struct check *c)
{
	if (c == NULL)
		return false;
	return c->status == CHECK_MISSING_ON_DST ? !c->has_row : c->moved;
}

/* It counts already, or as something else. */
static void
uncount(struct run_stats *s, enum check_status status)
{
	if (status == CHECK_DIFFER)
		stats_sub(s, checked_differ, 1);
	else if (status == CHECK_MISSING_ON_DST)
		stats_sub(s, checked_missing, 1);
	else
		stats_sub(s, checked_errors, 1);
}

static void
explain(const struct verify_item *item, struct err *why)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);

	if (item->status == CHECK_ERROR) {
		*why = *item->err;
		return;
	}
	if (item->status == CHECK_DIFFER)
		check_explain(&text, item->check);
	else
		buf_adds(&text, "not at the target");
	err_set(why, is_news(item->check) ? ERR_CHANGED : ERR_MISMATCH, "%s",
	    buf_str(&text));
}

/* What isn't equal is sent again by the next run. */
static int
forget(struct engine *en, const struct verify_item *item, struct err *e)
{
	if (item->check == NULL || !item->check->has_row)
		return 0;
	return ledger_forget(en->ledger, item->path, item->path_len,
	    item->check->want.type == ITEM_DIR, e);
}

static void
told(void *arg, const struct verify_item *item)
{
	struct verifying *v = arg;
	struct engine *en = v->en;
	struct err why, e = ERR_INIT;
	int known;

	if (item->status == CHECK_MATCH || item->status == CHECK_MISSING_ON_SRC)
		return;
	known = ledger_failure_has(
	    en->ledger, en->run_id, item->path, item->path_len, &e);
	if (known == -1)
		engine_ledger_failed(en, &e);
	if (known != 0 || is_news(item->check))
		uncount(&v->stats, item->status);
	if (known != 0)
		return;
	if (is_news(item->check))
		stats_add(en->stats, changed_items, 1);
	else if (forget(en, item, &e) == -1)
		engine_ledger_failed(en, &e);
	explain(item, &why);
	engine_failure(en, is_news(item->check) ? UI_CHANGED : UI_DIFFERS,
	    item->path, item->path_len, &why, 1);
}

void
engine_verify(struct engine *en)
{
	struct verifying v = {.en = en};
	struct verify_setup setup = {
	    .options = en->options,
	    .source = en->source,
	    .target = en->target,
	    .ledger = en->ledger,
	    .recorded = true,
	    .lacks = en->stats,
	    .stats = &v.stats,
	    .tell = told,
	    .arg = &v,
	    .stop_soon = en->setup->stop_soon,
	    .stop_now = en->setup->stop_now,
	};
	struct err e = ERR_INIT;

	/* A retry looks at nothing else than what it is for. */
	if (en->options->verify != VERIFY_ALL || en->options->dry_run ||
	    en->setup->only != NULL || en->stopping || engine_reach(en) == -1)
		return;
	workers_stop(en->workers);
	en->workers = NULL;
	if (verify_run(&setup, &e) == -1) {
		if (e.kind != ERR_STOPPED)
			err_context(&e, "--verify all");
		engine_fatal(en, &e);
		if (e.kind == ERR_STOPPED)
			en->fatal.kind = ERR_NONE;
	}
	add_counts(en, &v.stats);
	engine_commit(en);
}
