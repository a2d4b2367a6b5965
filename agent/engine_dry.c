/* SPDX-License-Identifier: ISC */
/* --dry-run: what would be done, and what it would cost. */
#include "config.h"

#include "agent/engine_in.h"

/* Requests to a store that counts them, for J as a run would do it. */
static uint64_t
requests_for(const struct engine *en, const struct job *j)
{
	struct err ignored = ERR_INIT;
	struct plan plan;
	size_t i;
	uint64_t n = 0;

	switch ((int)j->kind) {
	case JOB_REHASH:
		return 2; /* a look and a copy */
	case JOB_DELETE:
		for (i = 0; i < j->victim_count; i++)
			n += j->victims[i].is.type == ITEM_DIR ? 2 : 1;
		return n + 1; /* looks, and one for all */
	case JOB_PUT:
		if (j->st.size >= en->limits.threshold_bytes &&
		    plan_make(j->st.size, &en->limits, &plan, &ignored) == 0)
			return (uint64_t)plan.parts + 2;
		return 1;
	default:
		return 1;
	}
}

void
engine_estimate(struct engine *en, const struct job *j)
{
	bool moves = j->kind == JOB_PUT;

	if ((en->ops->features & STORE_HAS_DIRS) == 0)
		stats_add(en->stats, estimate_requests, requests_for(en, j));
	stats_add(en->stats, estimate_bytes, moves ? j->st.size : 0);
}

void
engine_would(struct engine *en, struct job *j, enum ui_action action)
{
	uint64_t bytes = j->st.type == ITEM_FILE ? j->st.size : 0;

	engine_estimate(en, j);
	ui_item(en->ui, action, j->path, j->path_len, bytes, NULL);
	engine_job_end(en, j);
}

void
engine_would_write(struct engine *en, struct job *j, enum ui_action action)
{
	if (j->expect == EXPECT_ANYTHING || j->looked) {
		engine_would(en, j, action);
		return;
	}
	j->then = j->kind;
	j->kind = JOB_LOOK;
	engine_send(en, j);
}
