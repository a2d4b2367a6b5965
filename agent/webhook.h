/* SPDX-License-Identifier: ISC */
/*
 * The events of a run: who is told of them, by --webhook and the files of
 * subscriptions, from the command line to the end.
 */
#ifndef AGENT_WEBHOOK_H
#define AGENT_WEBHOOK_H

#include "agent/engine.h"
#include "agent/events/dispatch.h"
#include "agent/ledger.h"
#include "agent/options.h"
#include "base/auto.h"
#include "base/err.h"

struct webhook;

/*
 * Checks all that the options say of it and reads the secrets: ERR_USAGE,
 * ERR_CONFIG.  A file that is wrong is said, and no reason to fail.  *OUT is
 * NULL where nobody wants to know, or nothing is to be changed (--dry-run).
 */
int webhook_new(const struct options *o, struct webhook **out, struct err *e);
/* ERR_CONFIG if the directory of subscriptions is named by an option, and isn't
 * there. */
int webhook_check_dir(const struct options *o, struct err *e);
/* Ends what webhook_start() began, without waiting. */
void webhook_free(struct webhook *w);
AUTO_DEFINE(webhook, struct webhook, webhook_free)

/* What tells this task from all others, for ever. */
struct webhook_task {
	const char *state_dir;
	const char *name;
	const char *owner; /* machine, state directory */
	const struct store_url *target;
};

/*
 * Subscribes and begins to send what is committed to L from now on, beside
 * what earlier runs left.  The engine is to write events as *EVENTS says,
 * which is NULL if W is.
 */
int webhook_start(struct webhook *w, const struct webhook_task *task,
    struct ledger *l, const struct engine_events **events, struct err *e);

/* Waits for what is not delivered, and says what is left. */
void webhook_end(struct webhook *w);

/* Where data goes that is too long for an event. */
const struct keeper_store *webhook_claims(const struct webhook *w);
/* Its subscriptions, *N of them. */
struct subscription *const *webhook_subscriptions(
    const struct webhook *w, size_t *n);
/* What the ledger keeps of a task's events: their source. */
#define WEBHOOK_SOURCE "event source"
#define WEBHOOK_ARCHIVE_NAME_MAX 40
/* What --events-archive is known by in ledger and deliveries.db. */
int webhook_archive_name(
    const struct options *o, char out[WEBHOOK_ARCHIVE_NAME_MAX], struct err *e);
/* Says how one of them fared. */
dispatch_result_fn webhook_say;

#endif
