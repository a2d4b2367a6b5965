/* SPDX-License-Identifier: ISC */
/* What a task's file asks for, as the options of its run. */
#ifndef AGENT_CLI_TASK_OPTIONS_H
#define AGENT_CLI_TASK_OPTIONS_H

#include "agent/cli/parse.h"
#include "agent/daemon/conf.h"

/*
 * WORDS as VERB would read them, into *O, which must be freed by options_free()
 * also on failure, and is valid as long as WORDS.
 */
int task_options(struct options *o, const struct conf_words *words,
    enum verb_id verb, struct err *e);

#endif
