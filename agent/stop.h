/* SPDX-License-Identifier: ISC */
/*
 * SIGINT, SIGTERM and SIGHUP: the first asks the run to end (finish what is
 * under way), the second to end at once, the third ends the process with
 * status 130.  A signal that was ignored when dray started stays so (nohup).
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

#endif
