/* SPDX-License-Identifier: ISC */
/* Help texts, made from the tables; at most 80 columns wide.  Pure. */
#ifndef AGENT_CLI_HELP_H
#define AGENT_CLI_HELP_H

#include "agent/cli/table.h"
#include "base/buf.h"

/* dray help: the verbs. */
void help_overview(struct buf *out);
/* dray VERB --help: usage, examples, options by group, exit status. */
void help_verb(struct buf *out, enum verb_id verb);

#endif
