/* SPDX-License-Identifier: ISC */
/* A task: a source, a target, and the ledger that goes with the pair. */
#ifndef AGENT_TASK_H
#define AGENT_TASK_H

#include <stdbool.h>

#include "agent/ledger.h"
#include "base/err.h"

/*
 * The name of the task of SOURCE and TARGET (canonical URLs): the last
 * component of the source and a hash of the pair, and of the ENDPOINT where
 * the same URL means another place with another one ("" else).  Malloc'd.  The
 * same pair has the same name in every release: finding the ledger depends on
 * it.
 */
char *task_name(const char *source, const char *target, const char *endpoint,
    struct err *e);

/* ERR_USAGE unless NAME can name a directory: letters, digits, ". _ -". */
int task_check_name(const char *name, struct err *e);

/* Whether the task has a ledger. */
bool task_exists(const char *state_dir, const char *name);

/*
 * The names of all tasks in STATE_DIR, sorted; a NULL-terminated array to be
 * freed with task_names_free.  A missing STATE_DIR has none.
 */
char **task_names(const char *state_dir, struct err *e);
void task_names_free(char **names);

/*
 * Opens the ledger that a report or retry is asked of: of task NAME, or, if
 * that is NULL, of the only one that there is; ERR_USAGE names them if there
 * are more.  *FOUND is its name, malloc'd, or NULL.
 */
struct ledger *task_open_for_reading(
    const char *state_dir, const char *name, char **found, struct err *e);

/* The run ID of the ledger L of task NAME, or the last one if ID is 0.
 * ERR_NOTFOUND says which there are. */
int task_find_run(struct ledger *l, const char *name, uint64_t id,
    struct ledger_run *out, struct err *e);

#endif
