/* SPDX-License-Identifier: ISC */
/* Whether the source is the one that was meant, and not what lies under a file
 * system that isn't mounted. */
#ifndef AGENT_SOURCE_H
#define AGENT_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/ledger.h"
#include "agent/options.h"
#include "transfer/retry.h"
#include "transfer/store.h"

#define SOURCE_PLACE_KEY "source_place" /* among the ledger's named values */

/* Whether S has an item KEY; tried again as POLICY says, until *STOP. */
int source_has(struct store *s, const char *key,
    const struct retry_policy *policy, const atomic_bool *stop, bool *found,
    struct err *e);

/*
 * Before anything is sent from S: it has O's --source-marker, and isn't empty
 * and another place than L recorded as the source of what it knows, unless
 * --accept-source.  Else ERR_CONFIG, or ERR_GUARD with --delete.
 */
int source_check(const struct options *o, struct store *s, struct ledger *l,
    const atomic_bool *stop, struct err *e);

#endif
