/* SPDX-License-Identifier: ISC */
/* dray subscriptions: the verbs that change what is sent, and how far it is. */
#ifndef AGENT_CLI_SUBSCRIPTIONS_ADMIN_H
#define AGENT_CLI_SUBSCRIPTIONS_ADMIN_H

#include "agent/events/subscription.h"
#include "agent/options.h"

/* Of one subscription. */
typedef int subscriptions_admin_fn(
    const struct options *o, const char *name, struct err *e);

/* subscriptions_file.c */
subscriptions_admin_fn subscriptions_add;
subscriptions_admin_fn subscriptions_remove;

/* subscriptions_switch.c */
subscriptions_admin_fn subscriptions_enable;
subscriptions_admin_fn subscriptions_disable;
subscriptions_admin_fn subscriptions_pause;
subscriptions_admin_fn subscriptions_resume;

/*
 * subscriptions_list.c: of the N subscriptions at ALL, and those that outboxes
 * know without a file; of NAME in detail, or of all of them (NULL).
 */
int subscriptions_list(const struct options *o, struct subscription *const *all,
    size_t n, const char *name, struct err *e);

/* Deliveries and events that wait for NAME, in all tasks. */
int subscriptions_waiting(
    const struct options *o, const char *name, uint64_t *n, struct err *e);

/* Whether NAME has a file. */
bool subscriptions_has_file(const struct options *o, const char *name);

#endif
