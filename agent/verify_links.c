/* SPDX-License-Identifier: ISC */
/*
 * Hard links, compared: names that are one file at the source are one at the
 * target, and the other way round.  Which number the file has at either is
 * nobody's business.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/verify_in.h"

/* Takes down what J's FILE, of SIDE, is at the other; true if another of its
 * names is something else. */
static bool
is_broken(struct verifier *v, struct job *j, enum ledger_side side,
    const struct item_link *file, const struct item_link *other)
{
	struct check *c = j->check;
	const struct ledger_pair pair = {
	    .side = side,
	    .file = *file,
	    .other = *other,
	    .path = j->path,
	    .path_len = j->path_len,
	};
	struct err e = ERR_INIT;
	int rc;

	if (file->nlink <= 1)
		return false;
	rc = ledger_pair_take(v->ledger, &pair, &c->other, &c->other_len, &e);
	if (rc == -1)
		verify_fatal(v, &e);
	return rc == 0;
}

void
verify_links(struct verifier *v, struct job *j)
{
	struct check *c = j->check;
	const struct item_link source = {
	    .nlink = c->want.nlink, .dev = c->want.dev, .ino = c->want.ino};
	const struct item_link target = {
	    .nlink = c->now.nlink, .dev = c->now.dev, .ino = c->now.ino};

	bool apart;

	if (!v->rules.links || (source.nlink <= 1 && target.nlink <= 1) ||
	    (c->status != CHECK_MATCH && c->status != CHECK_DIFFER) ||
	    c->want.type != ITEM_FILE || c->now.type != ITEM_FILE)
		return;
	c->compared |= CHECK_LINKS;
	apart = !v->rules.not_held.links &&
	    is_broken(v, j, LEDGER_AT_SOURCE, &source, &target);
	c->joined =
	    !apart && is_broken(v, j, LEDGER_AT_TARGET, &target, &source);
	if (!apart && !c->joined)
		return;
	c->differs |= CHECK_LINKS;
	c->status = CHECK_DIFFER;
}
