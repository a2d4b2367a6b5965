/* SPDX-License-Identifier: ISC */
/*
 * What the daemon remembers of a task from one start to the next: a small file
 * of "key = value" lines in STATE_DIR/.agent, replaced as a whole.  Without
 * the daemon the verbs read it, too.
 */
#ifndef AGENT_DAEMON_MEMORY_H
#define AGENT_DAEMON_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct memory {
	bool paused;	   /* somebody said so */
	bool held;	   /* too many runs failed in a row */
	unsigned failures; /* in a row */
	int64_t begun_s;   /* when the last run began; 0: none has */
	int64_t ended_s;   /* and ended; 0: it goes on, or was cut off */
	int64_t since_s;   /* when the task was first seen */
	char outcome[24];  /* of the last run that ended, or "" */
	char message[1000];
};

/* A task that nothing is known of has all zeros. */
int memory_read(
    const char *state_dir, const char *task, struct memory *out, struct err *e);
int memory_write(const char *state_dir, const char *task,
    const struct memory *m, struct err *e);

#endif
