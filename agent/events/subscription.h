/* SPDX-License-Identifier: ISC */
/*
 * A subscription: who wants which events, and how they get there.  It is made
 * of settings by name, be they lines of a file or options.
 */
#ifndef AGENT_EVENTS_SUBSCRIPTION_H
#define AGENT_EVENTS_SUBSCRIPTION_H

#include "agent/events/access.h"
#include "agent/events/format.h"
#include "agent/events/netguard.h"
#include "agent/events/pattern.h"
#include "agent/events/policy.h"
#include "agent/events/signature.h"
#include "base/auto.h"
#include "base/err.h"
#include "transfer/http_many.h"

#define SUBSCRIPTION_NAME_MAX 60
#define SUBSCRIPTION_CONCURRENCY_MAX 256
#define SUBSCRIPTION_RATE_MAX 100000

/* Which deliveries wait for which. */
enum subscription_ordering {
	ORDERING_KEY,	 /* events of one key for each other */
	ORDERING_NONE,	 /* the end of a run for the rest of it, here too */
	ORDERING_STRICT, /* each for the one before it */
};

/* With what a subscription begins in a task, among the events that are kept. */
struct subscription_start {
	enum { START_NOW, START_BEGINNING, START_SEQ, START_TIME } with;
	uint64_t seq;	 /* the first event, or the next after it */
	int64_t time_ms; /* or the first one since */
};

struct subscription {
	char name[SUBSCRIPTION_NAME_MAX + 1];
	char *url;
	struct pattern *pattern; /* NULL: all events */
	struct signature_keys *keys;
	struct netguard guard;
	struct access *access; /* how it is reached */
	struct policy policy;
	struct format format;
	char *ca; /* NULL: the system's */
	uint64_t timeout_ms;
	uint64_t concurrency; /* requests at a time */
	uint64_t rate;	      /* requests a second, on average; 0: any */
	uint64_t burst;	      /* of them at once; 0: those of a second */
	bool disabled;
	enum subscription_ordering ordering;
	bool skips; /* strict: what can't be delivered doesn't hold the rest */
	struct subscription_start start;
	const char *misfit; /* a setting, for a message */
	uint64_t receiver;  /* a digest of how it is reached, and how often */
};

/* With the defaults.  ERR_USAGE for a name that isn't of 1 to
 * SUBSCRIPTION_NAME_MAX letters, digits, ".", "_", "-", or begins with ".". */
struct subscription *subscription_new(const char *name, struct err *e);
void subscription_free(struct subscription *s);
AUTO_DEFINE(subscription, struct subscription, subscription_free)

/* One setting; ERR_USAGE, ERR_CONFIG. */
int subscription_set(
    struct subscription *s, const char *key, const char *value, struct err *e);
/* What settings must agree on among themselves; s->misfit is the one that
 * doesn't, or NULL. */
int subscription_finish(struct subscription *s, struct err *e);

/*
 * Whether S is sent the event of LEN bytes, as its filter takes it, ALSO does
 * if it is not NULL, and its format has a way to say it: 1, 0; -1 and
 * ERR_NOMEM. What can't be judged is rather told than lost.
 */
int subscription_wants(const struct subscription *s, const struct pattern *also,
    const char *body, size_t len, struct err *e);

/* Headers of a request with BODY, as http_many_post() wants them. */
int subscription_headers(const struct subscription *s, const char *id,
    int64_t unix_s, const void *body, size_t len, struct buf *out,
    struct err *e);
/* Settings of its requests; MAY_CONNECT is set with S. */
struct http_many_config subscription_http(const struct subscription *s);

/*
 * The subscription of the file at PATH, whose name is NAME.conf: lines
 * "key = value", no sections.  ERR_CONFIG, mostly with "PATH:LINE: ".
 */
struct subscription *subscription_load(const char *path, struct err *e);

/*
 * Those of all *.conf files in DIR, by name: *OUT, N of them, to be freed one
 * by one.  What is wrong with a file is told to BAD, and the others go on.  No
 * DIR: none.
 */
typedef void subscription_bad_fn(void *arg, const struct err *why);
int subscription_load_all(const char *dir, subscription_bad_fn *bad, void *arg,
    struct subscription ***out, size_t *n, struct err *e);

#endif
