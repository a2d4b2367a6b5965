/* SPDX-License-Identifier: ISC */
/* What the last run of a task archived events in, as its ledger tells. */
#ifndef AGENT_CLI_LAST_ARCHIVE_H
#define AGENT_CLI_LAST_ARCHIVE_H

#include "agent/ledger.h"
#include "agent/options.h"
#include "agent/webhook.h"

struct last_archive {
	struct options options; /* of that run; events_archive is set */
	char **argv;
	char *text; /* the options point into it */
	char name[WEBHOOK_ARCHIVE_NAME_MAX];
	char source[64];
	uint64_t start;
};

/* 1 and *L, which is {0} before, if there is an archive that a run has begun;
 * 0, -1. */
int last_archive_find(
    struct ledger *ledger, struct last_archive *l, struct err *e);
void last_archive_clear(struct last_archive *l);
static inline void
auto_last_archive(struct last_archive *l)
{
	last_archive_clear(l);
}

#endif
