/* SPDX-License-Identifier: ISC */
/*
 * Matching: the values of the event that stand at a pattern's paths are put
 * into lists, one for each condition, those that pass only.  A rule holds if
 * one of each list can be taken so that no two are from different elements
 * of the same array.
 */
#include "config.h"

#include <string.h>

#include "agent/events/pattern_in.h"

#define TRIES_MAX 1000000 /* of combinations, for one event */

/* Which element of an array a value is in, and the arrays around that. */
struct place {
	const struct place *up;
	const struct jdoc_node *array;
	const struct jdoc_node *element;
};

/* A value that passes. */
struct hit {
	struct hit *next;
	const struct place *place;
};

struct found {
	struct hit *hits;
	bool present; /* there is a value at its path, whatever it is */
};

struct matcher {
	const struct pattern *pattern;
	struct found *found; /* for each condition */
	struct buf path;
	struct chunk *chunks;
	unsigned tries;
	struct err *e;
};

/* Places and hits, all freed at the end. */
struct chunk {
	struct chunk *next;
	union {
		struct place place;
		struct hit hit;
	} u;
};

static struct chunk *
new_chunk(struct matcher *m)
{
	struct chunk *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(m->e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->next = m->chunks;
	m->chunks = c;
	return c;
}

static int
take_value(
    struct matcher *m, const struct jdoc_node *value, const struct place *place)
{
	size_t i, j;

	for (i = 0; i < m->pattern->condition_n; i++) {
		const struct condition *c = &m->pattern->conditions[i];
		struct chunk *hit;

		if (c->path_len != m->path.len ||
		    memcmp(c->path, buf_str(&m->path), c->path_len) != 0)
			continue;
		m->found[i].present = true;
		for (j = 0; j < c->n; j++)
			if (test_passes(&c->tests[j], value))
				break;
		if (j == c->n)
			continue;
		hit = new_chunk(m);
		if (hit == NULL)
			return -1;
		hit->u.hit.place = place;
		hit->u.hit.next = m->found[i].hits;
		m->found[i].hits = &hit->u.hit;
	}
	return 0;
}

/* The depth is JDOC_DEPTH_MAX at most. */
static int
walk(struct matcher *m, const struct jdoc_node *node, const struct place *place)
{
	const struct jdoc_node *n;
	size_t len = m->path.len;

	if (node->type != JDOC_OBJECT && node->type != JDOC_ARRAY)
		return take_value(m, node, place);
	for (n = node->child; n != NULL; n = n->next) {
		const struct place *at = place;

		if (node->type == JDOC_OBJECT) {
			if (len > 0)
				buf_addc(&m->path, '.');
			buf_add(&m->path, n->key, n->key_len);
			if (buf_failed(&m->path))
				return err_set(
				    m->e, ERR_NOMEM, "out of memory");
		} else {
			struct chunk *c = new_chunk(m);

			if (c == NULL)
				return -1;
			c->u.place = (struct place){place, node, n};
			at = &c->u.place;
		}
		if (walk(m, n, at) == -1)
			return -1;
		m->path.len = len;
	}
	return 0;
}

/* Whether no array has one element in A and another in B. */
static bool
agree(const struct place *a, const struct place *b)
{
	const struct place *p;

	for (; a != NULL; a = a->up)
		for (p = b; p != NULL; p = p->up)
			if (a->array == p->array && a->element != p->element)
				return false;
	return true;
}

/* Conditions AT and up of RULE, with what was TAKEN for those before:
 * 1, 0, -1. */
static int
solve(struct matcher *m, const struct rule *rule, size_t at,
    const struct place **taken)
{
	const struct found *f;
	const struct hit *h;
	size_t i;
	int rc;

	if (at == rule->n)
		return 1;
	f = &m->found[rule->conditions[at]];
	taken[at] = NULL;
	if (!f->present) {
		const struct condition *c =
		    &m->pattern->conditions[rule->conditions[at]];

		for (i = 0; i < c->n && c->tests[i].kind != TEST_ABSENT; i++)
			;
		return i < c->n ? solve(m, rule, at + 1, taken) : 0;
	}
	for (h = f->hits; h != NULL; h = h->next) {
		if (++m->tries > TRIES_MAX)
			return err_set(m->e, ERR_UNSUPPORTED,
			    "the event's arrays make more than %d "
			    "combinations of values to be tried",
			    TRIES_MAX);
		for (i = 0; i < at && agree(taken[i], h->place); i++)
			;
		if (i < at)
			continue;
		taken[at] = h->place;
		rc = solve(m, rule, at + 1, taken);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
solve_all(struct matcher *m)
{
	const struct pattern *p = m->pattern;
	AUTO(free)
	const struct place **taken = calloc(p->condition_n, sizeof(*taken));
	size_t i;
	int rc = 0;

	if (taken == NULL)
		return err_set(m->e, ERR_NOMEM, "out of memory");
	for (i = 0; rc == 0 && i < p->rule_n; i++)
		rc = solve(m, &p->rules[i], 0, taken);
	return rc;
}

int
pattern_match(
    const struct pattern *p, const struct jdoc_node *event, struct err *e)
{
	struct matcher m = {.pattern = p, .e = e};
	int rc;

	buf_init(&m.path, 64 << 20);
	m.found = calloc(p->condition_n, sizeof(*m.found));
	rc = m.found == NULL ? err_set(e, ERR_NOMEM, "out of memory")
			     : walk(&m, event, NULL);
	if (rc == 0)
		rc = solve_all(&m);
	while (m.chunks != NULL) {
		struct chunk *next = m.chunks->next;

		free(m.chunks);
		m.chunks = next;
	}
	buf_free(&m.path);
	free(m.found);
	return rc;
}

int
pattern_takes(
    const struct pattern *p, const char *event, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = NULL;
	int rc;

	if (p == NULL)
		return 1;
	doc = jdoc_parse(event, len, e);
	rc = doc != NULL ? pattern_match(p, jdoc_root(doc), e) : -1;
	return rc == -1 && e->kind != ERR_NOMEM ? 1 : rc;
}
