/* SPDX-License-Identifier: ISC */
/* Names of subscriptions as people give them. */
#ifndef AGENT_CLI_KNOWN_H
#define AGENT_CLI_KNOWN_H

#include "agent/options.h"

/* ERR_NOTFOUND, with those that there are, if NAME has no file and no task ever
 * sent to it. */
int known_subscription(
    const struct options *o, const char *name, struct err *e);

#endif
