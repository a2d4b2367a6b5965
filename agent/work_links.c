/* SPDX-License-Identifier: ISC */
/* Jobs of files with several names. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "agent/work_do.h"

bool
work_is_grouped(struct worker *me, struct job *j, const struct store_file *f)
{
	if (!me->work.hard_links || j->asked || work_lists_links(me))
		return false;
	j->asked = true;
	if (f->meta.type != ITEM_FILE || f->meta.nlink <= 1)
		return false;
	j->meta = f->meta;
	j->meta.attrs = NULL; /* F's, which is closed before J is done */
	j->finding = FOUND_GROUP;
	return true;
}

bool
work_marks_same(const struct worker *me, const struct store_stat *there,
    const struct item_stat *st)
{
	const struct store_driver *to = me->work.target->ops;
	bool several = st->nlink > 1;

	if (to->link == NULL || (to->features & STORE_HAS_LINKS) != 0)
		return true;
	return (there->nlink > 1) == several &&
	    (!several || (there->dev == st->dev && there->ino == st->ino));
}

static int
found(struct job *j, enum job_finding what)
{
	j->finding = what;
	return 0;
}

static bool
is_another(const struct err *e)
{
	return e->kind == ERR_NOTFOUND || e->kind == ERR_MISMATCH;
}

/* The other names have this metadata then, too. */
static int
set_leader(struct worker *me, struct job *j, const struct item_stat *st)
{
	struct item_stat meta = *st;
	struct store_receipt r;

	j->from_source = false;
	work_held(me, &meta);
	if (me->work.target->ops->set_metadata(
		me->session, j->leader, &meta, &j->was, &r, &j->err) == -1)
		return is_another(&j->err) ? found(j, FOUND_OTHER) : -1;
	j->was.mtime_ns = j->meta.mtime_ns;
	return 1;
}

/* Whether the source still has what the leader was sent as: 1, 0 (and the
 * finding), or -1. */
static int
check_leader(struct worker *me, struct job *j)
{
	AUTO(file) struct store_file *f = work_open(me, j);
	const struct store_stat *was = &j->was;
	struct digest now;
	bool same_attrs;

	if (f == NULL)
		return -1;
	if (f->meta.type != ITEM_FILE || j->st.size != was->size)
		return found(j, FOUND_OTHER);
	if (work_hash_like(me, j, f, j->known_part_bytes, &now) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	if (memcmp(now.xxh3, was->digest.xxh3, sizeof(now.xxh3)) != 0)
		return found(j, FOUND_OTHER);
	same_attrs =
	    me->work.attrs == 0 || attrs_same_mark(j->attrs, j->was_attrs);
	j->meta = f->meta;
	j->meta.attrs = NULL;
	/* A copy gets the metadata that it is told, but the leader's
	 * attributes. */
	if ((me->work.target->ops->features & STORE_HAS_LINKS) == 0)
		return same_attrs ? 1 : found(j, FOUND_OTHER);
	if (was->mode == j->st.mode && was->uid == j->st.uid &&
	    was->gid == j->st.gid && was->mtime_ns == j->st.mtime_ns &&
	    same_attrs)
		return 1;
	return set_leader(me, j, &f->meta);
}

/* It is there; is it what it should be? */
static int
linked(struct worker *me, struct job *j)
{
	bool shared = (me->work.target->ops->features & STORE_HAS_LINKS) != 0;
	struct digest there;

	j->digest = j->was.digest;
	/* Another name is as good as the first. */
	j->proved = j->receipt.proved && (me->work.read_back || !shared);
	if (j->proved || !me->work.read_back ||
	    (j->digest.have & DIGEST_XXH3) == 0)
		return found(j, FOUND_SAME);
	if (work_hash_like(me, j, NULL, j->known_part_bytes, &there) == -1)
		return is_another(&j->err) ? found(j, FOUND_OTHER) : -1;
	j->proved = memcmp(there.xxh3, j->digest.xxh3, 16) == 0;
	j->read_back = j->proved;
	return found(j, j->proved ? FOUND_SAME : FOUND_OTHER);
}

int
work_hardlink(struct worker *me, struct job *j)
{
	int rc = j->doubt ? check_leader(me, j) : 1;
	struct store_expect x;

	if (rc != 1)
		return rc;
	j->from_source = false;
	if (work_expect(me, j, &x) == -1)
		return -1;
	rc = me->work.target->ops->link(me->session, j->path, j->leader,
	    &j->meta, &j->was, &j->receipt, &j->err);
	me->session->expect = NULL;
	if (rc == 0)
		return linked(me, j);
	if (is_another(&j->err))
		return found(j, FOUND_OTHER);
	if (j->err.kind == ERR_UNSUPPORTED)
		return found(
		    j, j->err.sys == EMLINK ? FOUND_FULL : FOUND_ALONE);
	return -1;
}
