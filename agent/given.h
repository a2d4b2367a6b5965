/* SPDX-License-Identifier: ISC */
/*
 * --metadata-from: what a manifest says of an item, which goes to the target
 * in the place of what the source tells, as long as the source is what the
 * manifest was matched with.
 */
#ifndef AGENT_GIVEN_H
#define AGENT_GIVEN_H

#include "agent/ledger.h"
#include "transfer/store.h"

struct given {
	struct item_stat was; /* the source's state, as it tells it */
	struct ledger_given is;
};

void given_free(struct given *g);
/* NULL without memory; of NULL, NULL. */
struct given *given_copy(const struct given *g, struct err *e);

/*
 * Whether G is of the item ST, which a source of driver D tells of: type, size
 * and mtime as far as D keeps it; of a symlink, whose size few stores tell and
 * whose time few keep, type and size if both are known.
 */
bool given_fits(const struct ledger_given *g, const struct store_driver *d,
    const struct item_stat *st);
/* What is given, into ST: all but type, size, attributes, and what tells one
 * state from another. */
void given_to(const struct ledger_given *g, struct item_stat *st);

#endif
