/* SPDX-License-Identifier: ISC */
/* Extended attributes and ACLs, compared. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/check.h"

unsigned
check_attrs_aspects(unsigned kinds)
{
	return ((kinds & ATTRS_XATTRS) != 0 ? (unsigned)CHECK_XATTRS : 0) |
	    ((kinds & ATTRS_ACLS) != 0 ? (unsigned)CHECK_ACLS : 0);
}

static bool
same_value(const struct attr *a, const struct attr *b)
{
	return a->len == b->len && memcmp(a->value, b->value, a->len) == 0;
}

/* The first of A's, of KIND, that B has not, or not so; NULL if none is. */
static const struct attr *
first_of(const struct attrs *a, const struct attrs *b, unsigned kind)
{
	size_t i;

	for (i = 0; a != NULL && i < a->n; i++) {
		const struct attr *is = &a->each[i];
		const struct attr *other =
		    b != NULL ? attrs_find(b, is->name) : NULL;

		if ((attrs_kind(is->name) & kind) != 0 &&
		    (other == NULL || !same_value(is, other)))
			return is;
	}
	return NULL;
}

/* 1 if what NOW has of KIND is the same, and ALL that it should have; 0, and
 * *OUT; -1. */
static int
compare_kind(const struct attrs *want, const struct attrs *now, unsigned kind,
    bool all, struct check_attr *out, struct err *e)
{
	const struct attr *lacks = all ? first_of(want, now, kind) : NULL;
	const struct attr *has = first_of(now, want, kind);
	char *name;

	if (lacks == NULL && has == NULL)
		return 1;
	if (has == NULL ||
	    (lacks != NULL && strcmp(lacks->name, has->name) < 0))
		has = lacks;
	name = strdup(has->name);
	if (name == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	free(out->name);
	out->name = name;
	if (now == NULL || attrs_find(now, name) == NULL)
		out->how = ATTR_MISSING;
	else
		out->how =
		    attrs_find(want, name) == NULL ? ATTR_EXTRA : ATTR_DIFFERS;
	return 0;
}

int
check_attrs(struct check *c, const struct check_rules *r,
    const struct attrs *want, const struct attrs *now, struct err *e)
{
	const struct {
		unsigned kind;
		bool all;
		struct check_attr *out;
	} each[] = {
	    {ATTRS_XATTRS, !r->not_held.xattrs, &c->xattr},
	    {ATTRS_ACLS, !r->not_held.acls, &c->acl},
	};
	size_t i;

	for (i = 0; want != NULL && i < sizeof(each) / sizeof(each[0]); i++) {
		unsigned kind = each[i].kind & want->kinds & r->attrs;
		unsigned aspect = check_attrs_aspects(kind);
		int same;

		if (kind == 0)
			continue;
		same =
		    compare_kind(want, now, kind, each[i].all, each[i].out, e);
		if (same == -1)
			return -1;
		c->compared |= aspect;
		c->differs |= same == 0 ? aspect : 0;
	}
	return 0;
}
