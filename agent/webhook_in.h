/* SPDX-License-Identifier: ISC */
/* Inside of what is told of a run.  For agent/webhook*.c only. */
#ifndef AGENT_WEBHOOK_IN_H
#define AGENT_WEBHOOK_IN_H

#include "agent/archive.h"
#include "agent/webhook.h"

struct webhook {
	const struct options *o;
	struct subscription **subscriptions; /* all of them are enabled */
	size_t n;
	struct subscription **disabled; /* by their files, for now */
	size_t disabled_n;
	bool expected;	  /* somebody may want later what happens now */
	char source[64];  /* urn:uuid:... */
	char *target_url; /* without what only this machine knows */
	char *task;
	const char *state_dir;
	char *dir; /* of the task */
	struct engine_events events;
	struct ledger *ledger; /* borrowed */
	struct keeper_store claims;
	struct dispatch *dispatch; /* NULL: nobody subscribed, or not now */
	char archive_name[WEBHOOK_ARCHIVE_NAME_MAX];
	struct archive_order archive_order;
	struct archive *archive; /* NULL: none */
};

/* URLs may hold secrets: what is kept is a digest. */
int webhook_digest(const char *text, uint8_t out[16], struct err *e);

/* webhook_read.c: fills W by its options and the files of subscriptions. */
int webhook_read(struct webhook *w, struct err *e);

/* webhook_task.c: whose events these are, and where everybody begins. */
int webhook_describe(
    struct webhook *w, const struct webhook_task *t, struct err *e);
int webhook_set_starts(struct webhook *w, struct ledger *l, struct err *e);
/* Forgets events as the options say. */
int webhook_retain(struct webhook *w, struct err *e);

#endif
