/* SPDX-License-Identifier: ISC */
/*
 * How many files may be open at a server on one connection, where it doesn't
 * tell: some close the connection that opens one too many.  Half of what was
 * open when one broke is the most from then on, and half as much again each
 * minute that goes well.  Thread-safe; shared by a store's connections.
 */
#ifndef TRANSFER_SFTP_HANDLES_H
#define TRANSFER_SFTP_HANDLES_H

#include <pthread.h>
#include <stdint.h>

struct handles {
	pthread_mutex_t lock;
	/* Under the lock: */
	unsigned most;	   /* 0: any number */
	uint64_t since_ms; /* it was set, or grew */
};

void handles_init(struct handles *h);
void handles_destroy(struct handles *h);
/* At NOW_MS (clock_mono_ms()); UINT_MAX: any number. */
unsigned handles_most(struct handles *h, uint64_t now_ms);
/* A connection broke with OPEN files open. */
void handles_broke(struct handles *h, unsigned open, uint64_t now_ms);

#endif
