/* SPDX-License-Identifier: ISC */
/*
 * What became of an item, as its ledger row keeps it for reports: written in
 * the transaction that turns the row done, never before.  The numbers are
 * stored: none is ever given another meaning.
 */
#ifndef AGENT_OUTCOME_H
#define AGENT_OUTCOME_H

#include <stdint.h>

enum outcome_how {
	HOW_UNKNOWN = 0, /* recorded before reports told */
	HOW_SENT = 1,
	HOW_ADOPTED = 2,  /* was at the target already */
	HOW_METADATA = 3, /* the content was; metadata was set */
	HOW_SYMLINK = 4,
	HOW_DIR = 5,
	HOW_CLONED = 6,	  /* shares its blocks with the source */
	HOW_HARDLINK = 7, /* a further name of an item that was sent */
	HOW_COUNT
};

enum outcome_proof {
	PROOF_NONE = 0,
	PROOF_CHECKSUM = 1, /* the store took one itself, of the same value */
	PROOF_READ = 2,	    /* read back and compared */
	PROOF_COUNT
};

struct outcome {
	enum outcome_how how;
	enum outcome_proof proof;
	unsigned attempts; /* in all; 1: the first one did */
	int64_t done_ns;
	uint64_t did_run; /* the run that did it; 0: not known */
};

/* Words for reports; stable. */
const char *outcome_how_name(enum outcome_how how);
const char *outcome_proof_name(enum outcome_proof proof);

#endif
