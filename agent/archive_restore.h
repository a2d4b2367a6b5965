/* SPDX-License-Identifier: ISC */
/* Events that the ledger has forgotten, from an archive (archive.h). */
#ifndef AGENT_ARCHIVE_RESTORE_H
#define AGENT_ARCHIVE_RESTORE_H

#include <stdatomic.h>

#include "agent/ledger.h"
#include "agent/options.h"

struct archive_restore {
	const struct options *o;
	const char *where;	/* the archive */
	const char *source;	/* of the events: urn:uuid:... */
	int64_t from_ms, to_ms; /* before TO_MS */
	const atomic_bool *stop;
};

/*
 * Writes events of that time into L once more, as they were, with their
 * numbers; *N are those that weren't there.  An object of which a line is no
 * event of dray is an error; what was read before it stays.
 */
int archive_restore(const struct archive_restore *r, struct ledger *l,
    uint64_t *n, struct err *e);

#endif
