/* SPDX-License-Identifier: ISC */
/*
 * What the daemon remembers of a task from one start to the next: a small file
 * of "key = value" lines in STATE_DIR/.agent, replaced as a whole.  Without
 * the daemon the verbs read it, too.
 */
#ifndef AGENT_DAEMON_MEMORY_H
#define AGENT_DAEMON_MEMORY_H

#include "agent/daemon/schedule.h"
#include "base/err.h"

struct memory {
	struct schedule_state schedule;
	int64_t begun_us, ended_us; /* the last run, for whatever it was */
	char plan[17];		    /* of the schedule that this belongs to */
	char outcome[24];	    /* of the last run that ended, or "" */
	char message[1000];
	bool untold; /* others have yet to be told that it is held */
};

/* A task that nothing is known of has all zeros. */
int memory_read(
    const char *state_dir, const char *task, struct memory *out, struct err *e);
int memory_write(const char *state_dir, const char *task,
    const struct memory *m, struct err *e);

#endif
