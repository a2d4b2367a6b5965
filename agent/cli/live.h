/* SPDX-License-Identifier: ISC */
/* dray status --watch: how the daemon's tasks are, second by second. */
#ifndef AGENT_CLI_LIVE_H
#define AGENT_CLI_LIVE_H

#include "agent/cli/ask.h"

/*
 * Shows TASK, or all of them (NULL), until a signal ends it: in place on a
 * terminal, elsewhere as a line for each change.  While no daemon answers, what
 * one left is shown.  ERR_NOTFOUND: no such task.
 */
int live_view(struct ask *a, const char *task, struct err *e);

#endif
