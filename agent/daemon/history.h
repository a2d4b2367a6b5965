/* SPDX-License-Identifier: ISC */
/* The last runs of a task, as its ledger has them. */
#ifndef AGENT_DAEMON_HISTORY_H
#define AGENT_DAEMON_HISTORY_H

#include "base/err.h"
#include "base/json.h"

/* The newest first, as members of an array; none for a task that has not run
 * yet. */
int history_show(
    const char *state_dir, const char *task, struct json *j, struct err *e);

#endif
