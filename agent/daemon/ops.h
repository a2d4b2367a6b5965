/* SPDX-License-Identifier: ISC */
/*
 * What can be asked of the daemon: {"v":1,"op":"status","task":"NAME"}.  The
 * operations are status, history, start, stop, pause, resume, set
 * (dray-control(5)).
 */
#ifndef AGENT_DAEMON_OPS_H
#define AGENT_DAEMON_OPS_H

#include "agent/daemon/console.h"

/* ARG is the struct tasks. */
console_fn ops_answer;

#endif
