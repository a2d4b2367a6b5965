/* SPDX-License-Identifier: ISC */
/*
 * SIGINT, SIGTERM and SIGHUP: the first asks the run to end (finish what is
 * under way), the second to end at once, the third ends the process with
 * status 130.  A signal that was ignored when dray started stays so (nohup).
 * The end of a run's time asks as the first signal does.
 * SIGPIPE is ignored: a reader of standard output who left must not end a
 * migration.
 */
#ifndef AGENT_STOP_H
#define AGENT_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

void stop_init(void);
/* True once no new work is to be begun. */
const atomic_bool *stop_soon_flag(void);
/* For struct store_config: calls under way give up once it is true. */
const atomic_bool *stop_now_flag(void);

/* As a first signal; the run's outcome tells that its time was over. */
void stop_for_window(void);
/* As a second signal. */
void stop_at_once(void);
/* True once stop_for_window() was called, unless something else came first. */
const atomic_bool *stop_window_flag(void);

#endif
