/* SPDX-License-Identifier: ISC */
/*
 * Brings the data of long events to their claim check, in a thread of its own
 * that begins with the first of them: a store that is slow or down delays no
 * other events.
 */
#ifndef AGENT_EVENTS_KEEPER_H
#define AGENT_EVENTS_KEEPER_H

#include <stdatomic.h>

#include "agent/events/parcel.h"

/* Stores LEN bytes as WHERE; gives up with ERR_STOPPED once *STOP.  Called in
 * threads. */
struct keeper_store {
	int (*put)(void *arg, const char *where, const void *data, size_t len,
	    const atomic_bool *stop, struct err *e);
	void *arg;
};

struct keeper;

/* STORE is borrowed.  WAKE is called, in the thread, when something is done. */
struct keeper *keeper_new(const struct keeper_store *store,
    const struct format *format, void (*wake)(void *arg), void *arg,
    struct err *e);
/* Gives up what isn't done. */
void keeper_free(struct keeper *k);
AUTO_DEFINE(keeper, struct keeper, keeper_free)

/* PARCEL, borrowed until it is done, is to have its data stored. */
int keeper_put(
    struct keeper *k, const struct parcel *parcel, void *tag, struct err *e);
/* What is done: its tag, and 0, or -1 and *WHY; false if nothing is. */
bool keeper_next(struct keeper *k, void **tag, int *rc, struct err *why);

#endif
