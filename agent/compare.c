/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/compare.h"

static enum verdict
known_file(const struct options *o, const struct item_stat *is,
    const struct ledger_file *row)
{
	if (is->size != row->st.size)
		return VERDICT_SEND;
	switch (o->compare) {
	case COMPARE_TIMES:
		return (row->digest_have & DIGEST_XXH3) != 0 ? VERDICT_LOOK
							     : VERDICT_SEND;
	case COMPARE_CHECKSUM:
		return VERDICT_LOOK;
	case COMPARE_SIZE:
		return item_same_metadata(is, &row->st) ? VERDICT_SAME
							: VERDICT_LOOK;
	case COMPARE_NOTHING:
		break;
	}
	return VERDICT_SEND;
}

/* It is asked for now, and wasn't when the file was sent. */
static bool
lacks_sha256(const struct options *o, const struct ledger_file *row)
{
	return o->sha256 && row->st.type == ITEM_FILE &&
	    (row->digest_have & DIGEST_XXH3) != 0 &&
	    (row->digest_have & DIGEST_SHA256) == 0;
}

enum verdict
compare_known(const struct options *o, const struct item_stat *is,
    const struct ledger_file *row)
{
	const struct item_stat *was = &row->st;
	bool times = is->type != ITEM_FILE || o->compare == COMPARE_TIMES ||
	    o->compare == COMPARE_SIZE;

	if (row->state != LEDGER_DONE || is->type != was->type)
		return VERDICT_SEND;
	if (is->type == ITEM_DIR)
		return item_same_metadata(is, was) ? VERDICT_SAME
						   : VERDICT_SEND;
	if (times && item_same(is, was))
		return lacks_sha256(o, row) ? VERDICT_LOOK : VERDICT_SAME;
	if (o->ignore_existing)
		return VERDICT_KEEP;
	return is->type == ITEM_FILE ? known_file(o, is, row) : VERDICT_SEND;
}

bool
compare_is_wanted(
    const struct options *o, const struct item_stat *st, int64_t now_ns)
{
	int64_t age_ms = now_ns / 1000000 - st->mtime_ns / 1000000;

	if (st->type != ITEM_FILE)
		return true;
	if (st->size < o->min_size ||
	    (o->max_size_set && st->size > o->max_size))
		return false;
	if (st->mtime_ns == ITEM_TIME_UNKNOWN)
		return true;
	return (o->min_age_ms == 0 || age_ms >= (int64_t)o->min_age_ms) &&
	    (o->max_age_ms == 0 || age_ms <= (int64_t)o->max_age_ms);
}
