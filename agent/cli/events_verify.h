/* SPDX-License-Identifier: ISC */
#ifndef AGENT_CLI_EVENTS_VERIFY_H
#define AGENT_CLI_EVENTS_VERIFY_H

#include "agent/options.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * REQUEST is header lines, an empty line and a body.  Says whether it is signed
 * by a secret of O: 1 if it is, 0, -1.
 */
int events_verify(
    const struct options *o, const struct buf *request, struct err *e);

#endif
