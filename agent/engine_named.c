/* SPDX-License-Identifier: ISC */
/* What the user named, and the scan has not seen. */
#include "config.h"

#include "agent/engine_in.h"
#include "transfer/pathset.h"

void
engine_absent(struct engine *en)
{
	const struct pathset *only = en->setup->only;
	struct err why = ERR_INIT;
	const char *path;
	size_t i = 0, len;

	if (!en->setup->only_named || en->stopping)
		return;
	err_set(&why, ERR_NOTFOUND, "is not there at the source");
	for (; !en->stopping && pathset_unseen(only, &i, &path, &len); i++) {
		stats_add(en->stats, failed_items, 1);
		engine_failure(en, UI_FAILED, path, len, &why, 1);
		if (ledger_uncommitted(en->ledger) >= ENGINE_COMMIT_ROWS)
			engine_commit(en);
	}
}
