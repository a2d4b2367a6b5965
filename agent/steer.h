/* SPDX-License-Identifier: ISC */
/*
 * What changes while a run goes on, by a thread of its own: orders that come
 * over a descriptor (control_in.h), and the end of its time.  Both act on the
 * limit of the stores and on the stop flags, nothing else.  When its time is
 * over, a run finishes what is under way; if that takes more than ten seconds,
 * it stops at once.
 */
#ifndef AGENT_STEER_H
#define AGENT_STEER_H

#include "agent/options.h"
#include "base/auto.h"
#include "base/err.h"

struct steer;

/*
 * Applies --bwlimit, and begins to watch --control-fd and --max-duration,
 * which counts from now, where they are given: *OUT is NULL where they aren't.
 */
int steer_start(const struct options *o, struct steer **out, struct err *e);
void steer_end(struct steer *s);
AUTO_DEFINE(steer, struct steer, steer_end)

#endif
