/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/guard.h"

#define MOST_PERCENT 50 /* of the target's items, without being asked */

/* As many of TARGET_ITEMS as PERCENT are; no overflow for any real number. */
static uint64_t
share(uint64_t target_items, uint64_t percent)
{
	return target_items / 100 * percent +
	    target_items % 100 * percent / 100;
}

static unsigned
percent_of(const struct guard_facts *f)
{
	if (f->target_items == 0)
		return 100;
	return (unsigned)((double)f->victims * 100 / (double)f->target_items);
}

static int
check_source(
    const struct options *o, const struct guard_facts *f, struct err *e)
{
	if (f->source_marker != NULL && !f->has_marker)
		return err_set(e, ERR_GUARD,
		    "nothing was deleted: the source has no file %s "
		    "(--source-marker): is it mounted?",
		    f->source_marker);
	if (o->accept_source || f->recorded[0] == '\0')
		return 0;
	if (strcmp(f->recorded, f->scanned) != 0 ||
	    strcmp(f->scanned, f->now) != 0)
		return err_set(e, ERR_GUARD,
		    "nothing was deleted: the source is not the place that it "
		    "was (%s, recorded: %s): is it mounted? If it has moved, "
		    "say --accept-source once",
		    strcmp(f->recorded, f->scanned) != 0 ? f->scanned : f->now,
		    f->recorded);
	return 0;
}

static int
check_number(
    const struct options *o, const struct guard_facts *f, struct err *e)
{
	uint64_t most = share(f->target_items, MOST_PERCENT);

	if (o->max_delete_set)
		most = o->max_delete_percent
		    ? share(f->target_items, o->max_delete)
		    : o->max_delete;
	else if (f->source_items == 0 && !f->part)
		return err_set(e, ERR_GUARD,
		    "nothing was deleted: the source is empty, and all of the "
		    "target's %" PRIu64 " items would go: is it mounted? If "
		    "it is right, say --max-delete 100%%",
		    f->target_items);
	if (f->victims <= most)
		return 0;
	return err_set(e, ERR_GUARD,
	    "nothing was deleted: %" PRIu64 " of the target's %" PRIu64
	    " items (%u %%) are not at the source, and %" PRIu64 " may go "
	    "(%s): see which by -n --max-delete 100%%, and if it is right, "
	    "say --max-delete %" PRIu64,
	    f->victims, f->target_items, percent_of(f), most,
	    o->max_delete_set ? "--max-delete" : "half, without --max-delete",
	    f->victims);
}

int
guard_check(const struct options *o, const struct guard_facts *f, struct err *e)
{
	if (f->scan_incomplete)
		return err_set(e, ERR_GUARD,
		    "nothing was deleted: not all of the source could be "
		    "read, and what is missing is not known to be gone: make "
		    "it readable or exclude it");
	if (f->failed_items > 0 && !o->ignore_errors)
		return err_set(e, ERR_GUARD,
		    "nothing was deleted: %" PRIu64 " items of the source "
		    "didn't get to the target: the same command again deletes "
		    "once all is there (or at once with --ignore-errors)",
		    f->failed_items);
	if (check_source(o, f, e) == -1)
		return -1;
	return check_number(o, f, e);
}
