/* SPDX-License-Identifier: ISC */
/*
 * From argv to struct options, by the table.  Options may stand anywhere;
 * "--" ends them; "--name=value" and "--name value", "-x", "-xn".  All errors
 * are ERR_USAGE and name the option, but for files that can't be read.
 */
#ifndef AGENT_CLI_PARSE_H
#define AGENT_CLI_PARSE_H

#include "agent/cli/table.h"
#include "agent/options.h"
#include "base/auto.h"
#include "base/err.h"

/* The table's defaults and an empty filter. */
int options_init(struct options *o, struct err *e);
void options_free(struct options *o);

static inline void
auto_options(struct options *o)
{
	options_free(o);
}

/*
 * Takes the verb out of ARGV: the first that is neither an option nor the
 * argument of one.  NULL if there is none; *ARGC counts what is left.
 */
const char *options_take_verb(int *argc, char **argv);

/*
 * Reads the options among ARGV (without the program and the verb) into O and
 * moves the operands to its front; *ARGC counts them.  Returns 1 as soon as
 * help is asked for.
 */
int options_parse(struct options *o, enum verb_id verb, int *argc, char **argv,
    struct err *e);

/*
 * What options must agree on among themselves; fills in what was left open.
 * state_dir is set from then on if VERB takes --state-dir.
 */
int options_finish(struct options *o, enum verb_id verb, struct err *e);

/* Whether N operands are what VERB takes. */
int options_check_operands(enum verb_id verb, int n, struct err *e);

#endif
