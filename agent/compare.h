/* SPDX-License-Identifier: ISC */
/* What is to be done about an item that the ledger knows.  Pure. */
#ifndef AGENT_COMPARE_H
#define AGENT_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/ledger.h"
#include "agent/options.h"
#include "transfer/item.h"

enum verdict {
	VERDICT_SAME, /* nothing */
	VERDICT_LOOK, /* the content, or only the metadata, may be the same */
	VERDICT_SEND,
	VERDICT_KEEP, /* it is another one, and is to stay what it is */
};

/* IS is what the source has now, ROW what was sent once. */
enum verdict compare_known(const struct options *o, const struct item_stat *is,
    const struct ledger_file *row);

/* Whether ST is within the sizes and ages that are asked for, at NOW_NS:
 * files only. */
bool compare_is_wanted(
    const struct options *o, const struct item_stat *st, int64_t now_ns);

#endif
