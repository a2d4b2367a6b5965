/* SPDX-License-Identifier: ISC */
/*
 * A source and a target as the command line names them: opened, checked
 * against each other, and the name of the task that they make.
 */
#ifndef AGENT_CLI_PAIR_H
#define AGENT_CLI_PAIR_H

#include "agent/options.h"
#include "base/err.h"
#include "transfer/store.h"
#include "transfer/url.h"

#define PAIR_PLACE_MAX 1024 /* bytes of what store_driver.place tells */

struct pair {
	const struct options *o;
	const struct bundle_order *bundle; /* the target's; or NULL */
	struct store_url *source;
	struct store_url *target;
	char *task;
	char *backup; /* --backup-dir as a key of the target, or NULL */
	char owner[1024];
	struct store_config source_config;
	struct store_config target_config;
	struct store *source_store;
	struct store *target_store;
};

/*
 * Opens SOURCE and TARGET as P->o asks; what is there already must be freed by
 * pair_free, also on failure.  Nothing is asked of them but of a local source
 * whether it is there.
 */
int pair_open(
    struct pair *p, const char *source, const char *target, struct err *e);
/* The names of both, and the owner's: nothing is opened. */
int pair_name(
    struct pair *p, const char *source, const char *target, struct err *e);
/* Settings of O's source. */
struct store_config pair_source_config(const struct options *o);
/* TARGET alone, with no task. */
int pair_open_target(struct pair *p, const char *target, struct err *e);
/* Probes the source; ERR_CONFIG if it is an S3 prefix with nothing below. */
int pair_reach_source(struct pair *p, struct err *e);
void pair_free(struct pair *p);

#endif
