/* SPDX-License-Identifier: ISC */
/* dray events drain: what archives of runs left undone. */
#ifndef AGENT_CLI_EVENTS_ARCHIVE_H
#define AGENT_CLI_EVENTS_ARCHIVE_H

#include <stdatomic.h>

#include "agent/options.h"

struct events_archive;

/*
 * Begins, in a thread, to write what is left to the archive of each of TASKS
 * (NULL-terminated, borrowed) that had one in its last run, by the options that
 * the ledger has kept of that.  It goes on until UNTIL_MS, by clock_mono_ms(),
 * or *STOP.
 */
struct events_archive *events_archive_begin(const struct options *o,
    char *const *tasks, uint64_t until_ms, const atomic_bool *stop,
    struct err *e);
struct events_archive_result {
	unsigned tasks;	 /* that have an archive */
	unsigned left;	 /* of them: there is more */
	uint64_t events; /* archived now */
};
/* Waits for its end and frees it. */
void events_archive_end(
    struct events_archive *a, struct events_archive_result *out);

#endif
