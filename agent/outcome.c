/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/outcome.h"

const char *
outcome_how_name(enum outcome_how how)
{
	static const char *const names[HOW_COUNT] = {
	    [HOW_UNKNOWN] = "recorded",
	    [HOW_SENT] = "sent",
	    [HOW_ADOPTED] = "adopted",
	    [HOW_METADATA] = "metadata",
	    [HOW_SYMLINK] = "symlink",
	    [HOW_DIR] = "directory",
	    [HOW_CLONED] = "cloned",
	    [HOW_HARDLINK] = "hardlink",
	};

	return names[(unsigned)how < HOW_COUNT ? how : HOW_UNKNOWN];
}

const char *
outcome_proof_name(enum outcome_proof proof)
{
	static const char *const names[PROOF_COUNT] = {
	    [PROOF_NONE] = "none",
	    [PROOF_CHECKSUM] = "checksum",
	    [PROOF_READ] = "read back",
	};

	return names[(unsigned)proof < PROOF_COUNT ? proof : PROOF_NONE];
}
