/* SPDX-License-Identifier: ISC */
/* Inside of subscriptions: settings by name.  For
 * agent/events/subscription*.c only. */
#ifndef AGENT_EVENTS_SUBSCRIPTION_IN_H
#define AGENT_EVENTS_SUBSCRIPTION_IN_H

#include "agent/events/subscription.h"

struct subscription_setting {
	const char *key;
	int (*set)(struct subscription *s, const char *value, struct err *e);
	bool of_receiver; /* it is in the digest of these */
};

/* subscription_policy.c: order, pace, retries. */
#define SUBSCRIPTION_POLICY_SETTINGS 14
extern const struct subscription_setting
    subscription_policy_settings[SUBSCRIPTION_POLICY_SETTINGS];
int subscription_policy_finish(struct subscription *s, struct err *e);

/* VALUE as milliseconds from MIN to MAX. */
int subscription_duration(uint64_t *out, const char *value, uint64_t min,
    uint64_t max, struct err *e);

#endif
