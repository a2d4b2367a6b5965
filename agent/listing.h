/* SPDX-License-Identifier: ISC */
/* The target's listing, taken into the ledger's temporary table. */
#ifndef AGENT_LISTING_H
#define AGENT_LISTING_H

#include <stdatomic.h>

#include "agent/ledger.h"
#include "transfer/retry.h"
#include "transfer/store.h"

/* Lists all of TARGET, again as long as RETRY allows; ERR_STOPPED once *STOP
 * is set. */
int listing_take(struct store *target, struct ledger *l,
    const struct retry_policy *retry, const atomic_bool *stop, struct err *e);

#endif
