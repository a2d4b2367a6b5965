/* SPDX-License-Identifier: ISC */
/*
 * Uploads that earlier runs began and didn't end, and intents, which may have
 * begun some.
 */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "base/clock.h"

/* How far the store's clock may be behind ours: S3 allows 15 minutes. */
#define INTENT_SLACK_NS ((int64_t)16 * 60 * 1000000000)
/* The age at which no request of an intent can be under way any more. */
#define INTENT_SETTLED_NS ((int64_t)60 * 1000000000)

void
engine_load_uploads(struct engine *en)
{
	struct err e = ERR_INIT;

	if (ledger_uploads(en->ledger, &en->old, &en->old_n, &e) == -1)
		engine_ledger_failed(en, &e);
}

void
engine_abort_one(struct engine *en, enum job_kind kind,
    const struct ledger_upload *u, const char *store_id)
{
	struct job *j = engine_job(en, kind, "", 0, u->path, u->path_len);

	if (j == NULL)
		return;
	j->ledger_id = u->id;
	j->begun_ns = u->begun_ns - INTENT_SLACK_NS;
	j->upload_id = strdup(store_id);
	if (j->upload_id == NULL) {
		struct err e;

		err_set(&e, ERR_NOMEM, "out of memory");
		engine_fatal(en, &e);
		engine_job_end(en, j);
		return;
	}
	engine_send(en, j);
}

void
engine_abort_old(struct engine *en)
{
	size_t i;

	for (i = 0; i < en->old_n && !en->stopping; i++) {
		struct ledger_upload *u = &en->old[i];

		if (u->id == 0 || u->store_id[0] == '\0')
			continue;
		engine_abort_one(en, JOB_ABORT, u, u->store_id);
		u->id = 0;
	}
}

/* The id of the upload of U's path that is kept for the next run, or "". */
static const char *
kept_id(
    const struct ledger_upload *all, size_t n, const struct ledger_upload *u)
{
	const char *id = "";
	size_t i;

	for (i = 0; i < n; i++)
		if (all[i].store_id[0] != '\0' &&
		    all[i].path_len == u->path_len &&
		    memcmp(all[i].path, u->path, u->path_len) == 0)
			id = all[i].store_id;
	return id;
}

void
engine_sweep_intents(struct engine *en)
{
	struct err e = ERR_INIT;
	struct ledger_upload *all = NULL;
	size_t n = 0, i;

	if (en->stopping)
		return;
	if (ledger_uploads(en->ledger, &all, &n, &e) == -1) {
		engine_ledger_failed(en, &e);
		return;
	}
	for (i = 0; i < n && !en->stopping; i++)
		if (all[i].store_id[0] == '\0')
			engine_abort_one(
			    en, JOB_SWEEP, &all[i], kept_id(all, n, &all[i]));
	ledger_uploads_free(all, n);
}

bool
engine_intent_is_settled(const struct job *j)
{
	return clock_wall_ns() - j->begun_ns >=
	    INTENT_SLACK_NS + INTENT_SETTLED_NS;
}

struct ledger_upload *
engine_find_old(struct engine *en, const struct job *j)
{
	size_t i;

	for (i = 0; i < en->old_n; i++)
		if (en->old[i].id != 0 && en->old[i].store_id[0] != '\0' &&
		    en->old[i].path_len == j->path_len &&
		    memcmp(en->old[i].path, j->path, j->path_len) == 0)
			return &en->old[i];
	return NULL;
}

enum engine_old
engine_old_upload(struct engine *en, const struct job *j)
{
	enum engine_old found = OLD_NONE;
	size_t i;

	if (engine_find_old(en, j) != NULL)
		return OLD_OWN;
	for (i = 0; i < en->old_n; i++)
		if (en->old[i].id != 0 && en->old[i].store_id[0] != '\0' &&
		    item_same(&en->old[i].st, &j->st))
			found = OLD_OTHER;
	return found;
}
