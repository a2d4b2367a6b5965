/* SPDX-License-Identifier: ISC */
/* The questions of dray init. */
#ifndef AGENT_CLI_INIT_ASK_H
#define AGENT_CLI_INIT_ASK_H

#include <stdio.h>

#include "base/err.h"

/* Whether ANSWER will do; *E says why not. */
typedef int ask_check_fn(void *arg, const char *answer, struct err *e);

/*
 * Asks QUESTION at OUT and reads a line from IN, until CHECK takes it; what is
 * wrong with it is told.  malloc'd, white space at its ends taken away.  NULL
 * and ERR_USAGE if IN ends, ERR_NOMEM.
 */
char *ask(FILE *in, FILE *out, const char *question, ask_check_fn *check,
    void *arg, struct err *e);

/* Of these, ARG is not used: the name of a task, a source or target, and when
 * it runs ("": when it is told to). */
ask_check_fn ask_check_name;
ask_check_fn ask_check_place;
ask_check_fn ask_check_schedule;
/* Takes all. */
ask_check_fn ask_check_nothing;

#endif
