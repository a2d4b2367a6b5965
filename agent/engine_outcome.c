/* SPDX-License-Identifier: ISC */
/* What the ledger is told for reports beside the items' rows. */
#include "config.h"

#include "agent/engine_in.h"
#include "base/clock.h"

/* A receipt of a file store stands for what its driver read back, unless the
 * server took a checksum. */
static bool
receipt_is_reading(const struct engine *en)
{
	return (en->ops->features & STORE_HAS_DIRS) != 0 &&
	    en->options->store.sftp_checksum == NULL;
}

struct outcome
engine_outcome(
    const struct engine *en, const struct job *j, enum outcome_how how)
{
	struct outcome o = {
	    .how = how,
	    .attempts = j->attempts + j->changes + 1,
	    .done_ns = clock_wall_ns(),
	    .did_run = en->run_id,
	};

	if (how == HOW_METADATA)
		o.proof = j->before.proof;
	else if (!j->proved)
		o.proof = PROOF_NONE;
	else if (j->read_back || (j->receipt.proved && receipt_is_reading(en)))
		o.proof = PROOF_READ;
	else
		o.proof = PROOF_CHECKSUM;
	return o;
}

void
engine_count_proof(struct engine *en, const struct outcome *o)
{
	if (o->proof == PROOF_NONE) {
		stats_add(en->stats, unproved_items, 1);
		return;
	}
	stats_add(en->stats, verified_items, 1);
	if (o->proof == PROOF_READ)
		stats_add(en->stats, read_back_items, 1);
}

static void
notice(struct engine *en, const struct ledger_notice *n)
{
	struct err e = ERR_INIT;

	if (en->options->dry_run || en->notices == ENGINE_NOTICES_MAX)
		return;
	en->notices++;
	if (ledger_notice_put(en->ledger, en->run_id, n, &e) == -1)
		engine_ledger_failed(en, &e);
}

void
engine_skipped(struct engine *en, const char *path, size_t len,
    enum item_type type, const char *reason)
{
	struct err why;

	err_set(&why, ERR_NONE, "%s", reason);
	ui_item(en->ui, UI_SKIPPED, path, len, 0, &why);
	notice(en,
	    &(struct ledger_notice){
		.what = NOTICE_SKIPPED,
		.path = path,
		.path_len = len,
		.type = type,
		.reason = reason,
	    });
}

void
engine_drifted(struct engine *en, const struct job *j, const struct err *why)
{
	notice(en,
	    &(struct ledger_notice){
		.what = NOTICE_DRIFT,
		.path = j->path,
		.path_len = j->path_len,
		.type = j->st.type,
		.reason = why->msg,
	    });
}

int
engine_begin_run(struct engine *en, struct err *e)
{
	struct ledger *l = en->ledger;

	if (engine_suspect_leftovers(en, e) == -1 ||
	    ledger_run_begin(l, &en->run_id, e) == -1 ||
	    ledger_run_ask(l, en->run_id, &en->options->recorded,
		en->setup->retry_of, e) == -1 ||
	    ledger_run_forget(l, en->run_id, e) == -1 ||
	    engine_event_run_started(en, e) == -1)
		return -1;
	en->progress_ms = clock_mono_ms();
	return ledger_commit(l, e);
}

void
engine_progress(struct engine *en, bool end)
{
	uint64_t now = clock_mono_ms(), since = now - en->progress_ms;
	struct stats_snapshot stats;
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	series_add(&en->series, now - en->stats->started_mono_ms,
	    (struct series_point){
		.bytes = stats_get(en->stats, sent_bytes),
		.items = stats_get(en->stats, done_items),
	    });
	if (en->run_id == 0 ||
	    (!end && since < ENGINE_PROGRESS_ALONE_MS &&
		(since < ENGINE_PROGRESS_MS ||
		    ledger_uncommitted(en->ledger) == 0)))
		return;
	en->progress_ms = now;
	stats = stats_snapshot(en->stats);
	series_to_text(&en->series, &text);
	if (ledger_run_progress(
		en->ledger, en->run_id, &stats, buf_str(&text), &e) == -1)
		engine_ledger_failed(en, &e);
}
