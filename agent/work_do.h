/* SPDX-License-Identifier: ISC */
/* Inside of a worker: how each kind of job is done. */
#ifndef AGENT_WORK_DO_H
#define AGENT_WORK_DO_H

#include <pthread.h>

#include "agent/work.h"
#include "verify/digest.h"

/*
 * Bytes are read and hashed in chunks of this size, so that each is hashed
 * while it is in the processor's cache.  A file that fits into one needs no
 * buffer from the pool.
 */
#define WORK_CHUNK_BYTES ((size_t)256 << 10)

struct worker {
	pthread_t thread;
	struct work work;
	struct session *session; /* to the target, NULL until the first job */
	struct session *from;	 /* to the source, likewise */
	/* The source of the upload that this worker sent a part of last. */
	struct store_file *held;
	uint64_t held_serial;
	struct digester *digester;
	unsigned char *chunk; /* WORK_CHUNK_BYTES */
};

/* Closes the file that ME holds. */
void work_release(struct worker *me);
/* Does J and fills in its answer. */
void work_do(struct worker *me, struct job *j);

#endif
