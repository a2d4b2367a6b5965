/* SPDX-License-Identifier: ISC */
/* What failures mean: another try, the end of an item, or of the run. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "base/clock.h"

#define CHANGED_FIRST_MS 500 /* doubled each time */

void
engine_failure(struct engine *en, enum ui_action action, const char *path,
    size_t len, const struct err *err, unsigned attempts)
{
	struct err e = ERR_INIT;
	struct ledger_failure f = {
	    .path = path,
	    .path_len = len,
	    .kind = err_kind_name(err->kind),
	    .message = err->msg,
	    .attempts = attempts,
	    .at_ns = clock_wall_ns(),
	};

	ui_item(en->ui, action, path, len, 0, err);
	if (!en->options->dry_run &&
	    (ledger_failure_put(en->ledger, en->run_id, &f, &e) == -1 ||
		engine_event_failed(en, &f, &e) == -1))
		engine_ledger_failed(en, &e);
}

/* Errors of a store (not of one item) that no other item will escape. */
static bool
is_hopeless(const struct job *j, const struct err *e)
{
	switch ((int)e->kind) {
	case ERR_NET:
	case ERR_SERVER:
	case ERR_THROTTLE:
	case ERR_EXPIRED:
	case ERR_SKEW:
	case ERR_NOSPACE:
		return true;
	case ERR_DENIED:
		return e->sys == 0 && !j->from_source;
	default:
		return false;
	}
}

/* What is written from the beginning to the end has an end: J's item is as
 * good as never begun. */
static bool
is_full(struct engine *en, struct job *j)
{
	if (j->err.kind != ERR_NOSPACE ||
	    (en->ops->features & STORE_SERIAL) == 0)
		return false;
	engine_fatal(en, &j->err);
	engine_links_over(en, j);
	engine_job_end(en, j);
	return true;
}

void
engine_item_failed(struct engine *en, struct job *j)
{
	enum ui_action action = UI_FAILED;
	struct err e = j->err;
	bool hopeless = is_hopeless(j, &e);

	if (is_full(en, j))
		return;

	if (j->from_source && (en->source->ops->features & STORE_IS_LOCAL) == 0)
		err_context(&e, "at the source");
	if (e.kind == ERR_CHANGED) {
		stats_add(en->stats, changed_items, 1);
		action = UI_CHANGED;
	} else if (e.kind == ERR_VANISHED) {
		stats_add(en->stats, vanished_items, 1);
		action = UI_VANISHED;
	} else {
		stats_add(en->stats, failed_items, 1);
	}
	/* What is looked at only is counted already. */
	if (en->options->dry_run && j->kind != JOB_PUT && j->kind != JOB_LINK &&
	    j->kind != JOB_DIR)
		engine_not_queued(en, j);
	engine_failure(
	    en, action, j->path, j->path_len, &e, j->attempts + j->changes + 1);
	engine_touched(en, j); /* by a temporary file */
	engine_links_over(en, j);
	engine_job_end(en, j);
	if (!hopeless || en->stopping)
		return;
	if (e.kind == ERR_EXPIRED || e.kind == ERR_SKEW) {
		engine_fatal(en, &e);
		return;
	}
	if (++en->hopeless < ENGINE_HOPELESS)
		return;
	/* A part of the target that is closed to us doesn't close the rest. */
	if (e.kind == ERR_DENIED && stats_get(en->stats, done_items) > 0) {
		engine_ask_the_store(en);
		en->hopeless = 0;
	} else {
		err_context(&e, "given up after %d items in a row failed",
		    ENGINE_HOPELESS);
		engine_fatal(en, &e);
	}
}

static uint64_t
next_random(struct engine *en)
{
	/* xorshift64; https://doi.org/10.18637/jss.v008.i14 */
	en->random ^= en->random << 13;
	en->random ^= en->random >> 7;
	en->random ^= en->random << 17;
	return en->random;
}

static bool
refresh(struct store *s, struct err *e)
{
	return s->ops->refresh != NULL && s->ops->refresh(s, e) == 0;
}

/* New credentials, once a job: true if it is worth another try at once. */
static bool
refreshed(struct engine *en, struct job *j)
{
	struct err e = ERR_INIT;
	bool any;

	/* Each of those under way may have gone with old ones, no more. */
	if (j->refreshed || ++en->expired > 2 * en->workers_max)
		return false;
	j->refreshed = true;
	any = refresh(en->source, &e);
	return refresh(en->target, &e) || any;
}

bool
engine_try_again(struct engine *en, struct job *j)
{
	int64_t wait;

	if (j->err.kind == ERR_EXPIRED && refreshed(en, j)) {
		engine_send(en, j);
		return true;
	}
	if (j->err.kind == ERR_THROTTLE)
		stats_add(en->stats, throttled, 1);
	wait = retry_delay_ms(
	    &en->retry, j->attempts + 1, &j->err, next_random(en));
	/* Damaged on its way: it may arrive whole the next time. */
	if (j->err.kind == ERR_MISMATCH &&
	    (j->kind == JOB_PUT || j->kind == JOB_PART) &&
	    j->attempts < ENGINE_MISMATCHES_MAX)
		wait = 0;
	if (wait < 0)
		return false;
	j->attempts++;
	stats_add(en->stats, retries, 1);
	ui_item(en->ui, UI_RETRY, j->path, j->path_len, 0, &j->err);
	engine_delay(en, j, (uint64_t)wait);
	return true;
}

/* A file that changed may be at rest later; an object that is not what its
 * parts were may become right the next time. */
static unsigned
start_overs_allowed(enum err_kind kind)
{
	if (kind == ERR_CHANGED || kind == ERR_GONE)
		return ENGINE_CHANGES_MAX;
	return kind == ERR_MISMATCH ? ENGINE_MISMATCHES_MAX : 0;
}

bool
engine_start_over(struct engine *en, struct job *j)
{
	if (j->changes >= start_overs_allowed(j->err.kind))
		return false;
	j->changes++;
	stats_add(en->stats, retries, 1);
	ui_item(en->ui, UI_RETRY, j->path, j->path_len, 0, &j->err);
	memset(&j->digest, 0, sizeof(j->digest));
	memset(&j->receipt, 0, sizeof(j->receipt));
	if (j->kind == JOB_HARDLINK)
		stats_add(en->stats, queued_bytes, j->st.size);
	if (j->kind != JOB_LINK) {
		j->kind = JOB_PUT;
		j->link.id = 0;
		j->known_part_bytes = 0;
	}
	j->attempts = 0;
	j->part = 0;
	engine_delay(en, j, (uint64_t)CHANGED_FIRST_MS << (j->changes - 1));
	return true;
}
