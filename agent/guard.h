/* SPDX-License-Identifier: ISC */
/* Whether what the source has no more may be deleted at the target.  Pure. */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/options.h"
#include "base/err.h"

/* What is known once all is transferred.  Strings are borrowed. */
struct guard_facts {
	uint64_t victims;	   /* items that would go; not 0 */
	uint64_t target_items;	   /* that are there */
	uint64_t source_items;	   /* that were looked at */
	bool part;		   /* not all of the source was */
	uint64_t failed_items;	   /* of the source, not at the target now */
	bool scan_incomplete;	   /* something could not be looked at */
	const char *recorded;	   /* the source's place, as recorded, or "" */
	const char *scanned;	   /* when the scan began */
	const char *now;	   /* and now */
	const char *source_marker; /* the file that must be there, or NULL */
	bool has_marker;
};

/* 0, or -1 with the reason and the next step: nothing may be deleted. */
int guard_check(
    const struct options *o, const struct guard_facts *f, struct err *e);

#endif
