/* SPDX-License-Identifier: ISC */
/* The outboxes that a verb is about: of all tasks, or of --task. */
#ifndef AGENT_CLI_OUTBOXES_H
#define AGENT_CLI_OUTBOXES_H

#include "agent/events/outbox.h"
#include "agent/options.h"

/* Valid during the call; -1: this one can't be used. */
typedef int outboxes_fn(
    void *arg, const char *task, struct outbox *box, struct err *e);

enum outboxes_mode {
	OUTBOXES_READ,	 /* those that there are */
	OUTBOXES_AGAIN,	 /* the same, of whose faults has been told */
	OUTBOXES_CHANGE, /* each in a transaction */
	OUTBOXES_MAKE,	 /* the same, made if missing */
	OUTBOXES_WRITE,	 /* the same, but for the transaction */
};

/*
 * Calls FN for each; ERR_NOTFOUND if there is no task, or none of the name.
 * One that is broken doesn't keep the others from being used: it is said on
 * standard error, and the end is 1 and *E.
 */
int outboxes_each(const struct options *o, enum outboxes_mode mode,
    outboxes_fn *fn, void *arg, struct err *e);

/* FN in a transaction of BOX. */
int outboxes_change(struct outbox *box, const char *task, outboxes_fn *fn,
    void *arg, struct err *e);

/* The names of these tasks, NULL-terminated: task_names_free(). */
char **outboxes_tasks(const struct options *o, struct err *e);

#endif
