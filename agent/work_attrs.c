/* SPDX-License-Identifier: ISC */
/* Extended attributes and ACLs on their way. */
#include "config.h"

#include "agent/work_do.h"

void
work_held(struct worker *me, struct item_stat *st)
{
	const char *why = "this kind of store has no place for them";
	struct store *target = me->work.target;

	if (st->attrs == NULL || (target->ops->features & STORE_HAS_ATTRS) != 0)
		return;
	if (attrs_any(st->attrs, ATTRS_XATTRS))
		store_lacks(target, STORE_LACK_XATTR, why);
	if (attrs_any(st->attrs, ATTRS_ACLS))
		store_lacks(target, STORE_LACK_ACL, why);
	st->attrs = NULL;
}

/* A copy for the ledger. */
static int
keep(struct job *j, const struct attrs *a)
{
	attrs_free(j->carried);
	j->carried = attrs_copy(a, &j->err);
	return a == NULL || j->carried != NULL ? 0 : -1;
}

bool
work_given_still(struct job *j, struct item_stat *st)
{
	const struct given *g = j->up != NULL ? j->up->given : j->given;

	if (g == NULL)
		return false;
	if (item_same(st, &g->was)) {
		given_to(&g->is, st);
		return true;
	}
	if (j->up == NULL) {
		given_free(j->given);
		j->given = NULL;
	}
	return false;
}

int
work_given(struct worker *me, struct job *j, struct store_file *f)
{
	const struct ledger_given *is;
	struct attrs *copy;

	if (work_given_still(j, &j->st)) {
		is = j->up != NULL ? &j->up->given->is : &j->given->is;
		given_to(is, &f->meta);
		if (is->attrs != NULL) {
			copy = attrs_copy(is->attrs, &j->err);
			if (copy == NULL)
				return -1;
			attrs_free(f->attrs);
			f->attrs = copy;
			f->meta.attrs = copy;
		}
	}
	return me->work.attrs != 0 && j->up == NULL ? keep(j, f->meta.attrs)
						    : 0;
}

/* Those that the source tells of J's item. */
static int
ask(struct worker *me, struct job *j, enum item_type type, struct attrs **out)
{
	const struct store_driver *from = work_source(me);

	if (from->attrs == NULL)
		return 0;
	j->from_source = true;
	/* A directory that went meanwhile is one that was there. */
	return from->attrs(me->from, j->path, type, out, &j->err) == -1 &&
		(type != ITEM_DIR ||
		    (j->err.kind != ERR_VANISHED && j->err.kind != ERR_CHANGED))
	    ? -1
	    : 0;
}

int
work_attrs(
    struct worker *me, struct job *j, enum item_type type, struct attrs **out)
{
	*out = NULL;
	j->attrs = 0;
	if (me->work.attrs == 0)
		return 0;
	if (j->given != NULL && j->given->is.attrs != NULL) {
		*out = attrs_copy(j->given->is.attrs, &j->err);
		if (*out == NULL)
			return -1;
	} else if (ask(me, j, type, out) == -1) {
		return -1;
	}
	j->attrs = attrs_mark(*out, me->work.attrs);
	return keep(j, *out);
}

int
work_target_has(
    struct worker *me, struct job *j, const struct attrs *want, bool *has)
{
	const struct store_driver *to = me->work.target->ops;
	AUTO(attrs) struct attrs *there = NULL;

	*has = true;
	if (me->work.attrs == 0 || want == NULL || to->attrs == NULL)
		return 0;
	if (to->attrs(me->session, j->path, ITEM_FILE, &there, &j->err) == -1)
		return -1;
	*has = attrs_same_mark(j->attrs, attrs_mark(there, me->work.attrs));
	return 0;
}

int
work_verify_attrs(struct worker *me, struct job *j)
{
	const unsigned kinds = me->work.rules->attrs;
	AUTO(attrs) struct attrs *want = NULL;
	AUTO(attrs) struct attrs *now = NULL;
	struct check *c = j->check;

	if (kinds == 0)
		return 0;
	j->from_source = false;
	if (me->work.target->ops->attrs(
		me->session, j->path, c->now.type, &now, &j->err) == -1)
		return -1;
	/* What was sent is what the source has. */
	if (c->known && attrs_mark_kinds(j->was_attrs) == kinds &&
	    attrs_same_mark(j->was_attrs, attrs_mark(now, kinds))) {
		c->compared |= check_attrs_aspects(kinds);
		return 0;
	}
	if (me->work.source == NULL)
		return check_attrs(
		    c, me->work.rules, c->want.attrs, now, &j->err);
	j->from_source = true;
	if (work_source(me)->attrs(
		me->from, j->path, c->want.type, &want, &j->err) == -1)
		return -1;
	return check_attrs(c, me->work.rules, want, now, &j->err);
}
