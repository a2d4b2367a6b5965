/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/daemon/history.h"
#include "agent/ledger.h"
#include "agent/task.h"
#include "base/clock.h"

#define RUNS_MAX 50

static void
show(const struct ledger_run *r, struct json *j)
{
	char when[32];

	json_object(j, NULL);
	json_uint(j, "run", r->id);
	clock_iso8601(r->started_ns, when, sizeof(when));
	json_str(j, "begun", when);
	if (r->ended_ns != 0) {
		clock_iso8601(r->ended_ns, when, sizeof(when));
		json_str(j, "ended", when);
		json_str(j, "outcome", r->outcome);
	}
	json_object_end(j);
}

int
history_show(
    const char *state_dir, const char *task, struct json *j, struct err *e)
{
	AUTO(ledger) struct ledger *l = NULL;
	AUTO(free) char *aside = NULL;
	struct ledger_run r = {.id = INT64_MAX};
	int shown;

	if (!task_exists(state_dir, task))
		return 0;
	l = ledger_open(state_dir, task, LEDGER_READ, &aside, e);
	if (l == NULL)
		return -1;
	for (shown = 0; shown < RUNS_MAX && r.id > 1; shown++) {
		uint64_t before = r.id - 1;

		if (ledger_run_get(l, before, &r, e) == -1)
			return -1;
		if (r.id == 0)
			break;
		show(&r, j);
	}
	return 0;
}
