/* SPDX-License-Identifier: ISC */
/* dray subscriptions: what talks to a receiver, and new secrets.  All return
 * the process's exit status. */
#ifndef AGENT_CLI_SUBSCRIPTIONS_H
#define AGENT_CLI_SUBSCRIPTIONS_H

#include "agent/events/subscription.h"
#include "agent/options.h"

typedef int subscriptions_try_fn(
    const struct subscription *s, const struct options *o);

/* Sends one event and tells what came back. */
subscriptions_try_fn subscriptions_test;
/* Asks for the receiver's consent and tells what it is. */
subscriptions_try_fn subscriptions_handshake;

int subscriptions_new_secret(const struct options *o);

#endif
