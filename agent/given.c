/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/given.h"

void
given_free(struct given *g)
{
	if (g == NULL)
		return;
	attrs_free(g->is.attrs);
	free(g);
}

struct given *
given_copy(const struct given *g, struct err *e)
{
	struct given *copy;

	if (g == NULL)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (copy == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*copy = *g;
	copy->is.attrs = attrs_copy(g->is.attrs, e);
	if (g->is.attrs != NULL && copy->is.attrs == NULL) {
		free(copy);
		return NULL;
	}
	return copy;
}

/* SFTP and NFS version 3 hold 32 bits of seconds, and others become the
 * nearest that they hold. */
static bool
is_nearest(int64_t now_ns, int64_t want_ns)
{
	const int64_t second = 1000000000;

	return (want_ns < 0 && now_ns == 0) ||
	    (want_ns / second > UINT32_MAX && now_ns / second == UINT32_MAX);
}

bool
given_fits(const struct ledger_given *g, const struct store_driver *d,
    const struct item_stat *st)
{
	if (g->st.type != st->type)
		return false;
	/* Not every store tells that size, and few let anybody set the time. */
	if (st->type == ITEM_SYMLINK)
		return g->st.size == 0 || st->size == 0 ||
		    g->st.size == st->size;
	return (st->type == ITEM_DIR || g->st.size == st->size) &&
	    (g->st.mtime_ns == ITEM_TIME_UNKNOWN ||
		store_same_time(d, g->st.mtime_ns, st->mtime_ns) ||
		is_nearest(st->mtime_ns, g->st.mtime_ns));
}

void
given_to(const struct ledger_given *g, struct item_stat *st)
{
	if (g->st.mtime_ns != ITEM_TIME_UNKNOWN)
		st->mtime_ns = g->st.mtime_ns;
	if (g->st.mode != 0) {
		st->mode = g->st.mode;
		st->uid = g->st.uid;
		st->gid = g->st.gid;
	}
	if (g->st.has_atime) {
		st->has_atime = true;
		st->atime_ns = g->st.atime_ns;
	}
}
