/* SPDX-License-Identifier: ISC */
/* From a pattern's text to its rules: "$or" is multiplied out. */
#include "config.h"

#include <string.h>

#include "agent/events/pattern_in.h"
#include "base/text.h"

/* Rules that grow while a pattern is read. */
struct rules {
	struct rule rule[PATTERN_RULES_MAX];
	size_t n;
};

struct compiler {
	struct pattern *pattern;
	unsigned depth; /* of objects */
	unsigned ors;	/* "$or" that this is within */
	struct err *e;
};

static void
rules_clear(struct rules *r)
{
	while (r->n > 0)
		free(r->rule[--r->n].conditions);
}

void
pattern_free(struct pattern *p)
{
	size_t i, j;

	if (p == NULL)
		return;
	for (i = 0; i < p->condition_n; i++) {
		for (j = 0; j < p->conditions[i].n; j++)
			test_clear(&p->conditions[i].tests[j]);
		free(p->conditions[i].tests);
		free(p->conditions[i].path);
	}
	free(p->conditions);
	for (i = 0; i < p->rule_n; i++)
		free(p->rules[i].conditions);
	free(p->rules);
	jdoc_free(p->doc);
	free(p);
}

/* PATH, readable, in front of *E. */
static int
at_path(struct compiler *c, const char *path, size_t len)
{
	char text[200];

	return err_context(
	    c->e, "at \"%s\"", text_escaped(path, len, text, sizeof(text)));
}

static int
no_memory(struct compiler *c)
{
	return err_set(c->e, ERR_NOMEM, "out of memory");
}

/* The list NODE at PATH becomes a condition; its index, or -1. */
static int
add_condition(struct compiler *c, const char *path, size_t len,
    const struct jdoc_node *node)
{
	struct pattern *p = c->pattern;
	const struct jdoc_node *n;
	struct condition *more, *cond;
	size_t count = 0;

	for (n = node->child; n != NULL; n = n->next)
		count++;
	if (count == 0) {
		err_set(c->e, ERR_CONFIG, "an empty list matches nothing");
		return at_path(c, path, len);
	}
	more = reallocarray(
	    p->conditions, p->condition_n + 1, sizeof(*p->conditions));
	if (more == NULL)
		return no_memory(c);
	p->conditions = more;
	cond = &more[p->condition_n++];
	*cond = (struct condition){.path_len = len};
	cond->path = malloc(len + 1);
	cond->tests = calloc(count, sizeof(*cond->tests));
	if (cond->path == NULL || cond->tests == NULL)
		return no_memory(c);
	memcpy(cond->path, path, len);
	cond->path[len] = '\0';
	for (n = node->child; n != NULL; n = n->next)
		if (test_compile(&cond->tests[cond->n++], n, c->e) == -1)
			return at_path(c, path, len);
	return (int)p->condition_n - 1;
}

static bool
has_path(const struct compiler *c, const struct rule *r, const char *path,
    size_t len)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct condition *cond =
		    &c->pattern->conditions[r->conditions[i]];

		if (cond->path_len == len && memcmp(cond->path, path, len) == 0)
			return true;
	}
	return false;
}

/* A list: one condition more for each rule. */
static int
add_list(struct compiler *c, const char *path, size_t len,
    const struct jdoc_node *node, struct rules *rules)
{
	int index;
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (has_path(c, &rules->rule[i], path, len)) {
			err_set(c->e, ERR_CONFIG,
			    "the path is there twice, and only one could "
			    "count");
			return at_path(c, path, len);
		}
	index = add_condition(c, path, len, node);
	if (index == -1)
		return -1;
	for (i = 0; i < rules->n; i++) {
		struct rule *r = &rules->rule[i];
		unsigned *more =
		    reallocarray(r->conditions, r->n + 1, sizeof(*more));

		if (more == NULL)
			return no_memory(c);
		r->conditions = more;
		more[r->n++] = (unsigned)index;
	}
	return 0;
}

static int
copy_rules(struct compiler *c, const struct rules *from, struct rules *to)
{
	size_t i;

	for (i = 0; i < from->n; i++) {
		const struct rule *r = &from->rule[i];
		struct rule *copy;

		if (to->n == PATTERN_RULES_MAX)
			return err_set(c->e, ERR_CONFIG,
			    "more than %d combinations of what is in $or",
			    PATTERN_RULES_MAX);
		copy = &to->rule[to->n];
		copy->conditions = malloc((r->n + 1) * sizeof(*r->conditions));
		if (copy->conditions == NULL)
			return no_memory(c);
		if (r->n > 0)
			memcpy(copy->conditions, r->conditions,
			    r->n * sizeof(*r->conditions));
		copy->n = r->n;
		to->n++;
	}
	return 0;
}

static int add_object(struct compiler *c, struct buf *path,
    const struct jdoc_node *object, struct rules *rules);

/* Each rule so far with each of the alternatives. */
static int
multiply(struct compiler *c, struct buf *path, const struct jdoc_node * or,
    struct rules *rules, struct rules *all)
{
	const struct jdoc_node *n;
	struct rules *one = calloc(1, sizeof(*one));
	int rc = one == NULL ? no_memory(c) : 0;

	for (n = or->child; rc == 0 && n != NULL; n = n->next) {
		rc = copy_rules(c, rules, one);
		if (rc == 0)
			rc = add_object(c, path, n, one);
		if (rc == 0)
			rc = copy_rules(c, one, all);
		rules_clear(one);
	}
	if (rc == -1 && one != NULL)
		rules_clear(one);
	free(one);
	return rc;
}

static int
add_or(struct compiler *c, struct buf *path, const struct jdoc_node * or,
    struct rules *rules)
{
	const struct jdoc_node *n;
	struct rules *all;
	size_t count = 0;
	int rc;

	for (n = or->child; n != NULL; n = n->next, count++)
		if (or->type != JDOC_ARRAY || n->type != JDOC_OBJECT)
			break;
	if (n != NULL || count < 2)
		return err_set(c->e, ERR_CONFIG,
		    "$or takes a list of two objects or more");
	all = calloc(1, sizeof(*all));
	if (all == NULL)
		return no_memory(c);
	c->ors++;
	rc = multiply(c, path, or, rules, all);
	c->ors--;
	if (rc == 0) {
		rules_clear(rules);
		*rules = *all;
	} else {
		rules_clear(all);
	}
	free(all);
	return rc;
}

static int
add_member(struct compiler *c, struct buf *path, const struct jdoc_node *n,
    struct rules *rules)
{
	if (jdoc_key_is(n, "$or"))
		return add_or(c, path, n, rules);
	if (path->len > 0)
		buf_addc(path, '.');
	buf_add(path, n->key, n->key_len);
	if (buf_failed(path))
		return no_memory(c);
	if (n->type == JDOC_OBJECT)
		return add_object(c, path, n, rules);
	if (c->ors > 0 && test_is_operator(n->key, n->key_len)) {
		err_set(c->e, ERR_CONFIG,
		    "an operator's name can't be a field's within $or");
		return at_path(c, path->data, path->len);
	}
	if (n->type == JDOC_ARRAY)
		return add_list(c, buf_str(path), path->len, n, rules);
	err_set(c->e, ERR_CONFIG, "values stand in a list: [...]");
	return at_path(c, buf_str(path), path->len);
}

static int
add_object(struct compiler *c, struct buf *path, const struct jdoc_node *object,
    struct rules *rules)
{
	const struct jdoc_node *n;
	size_t len = path->len;

	if (object->child == NULL) {
		err_set(c->e, ERR_CONFIG, "an empty object matches nothing");
		return at_path(c, buf_str(path), path->len);
	}
	if (++c->depth > PATTERN_DEPTH_MAX)
		return err_set(c->e, ERR_CONFIG,
		    "more than %d objects within each other",
		    PATTERN_DEPTH_MAX);
	for (n = object->child; n != NULL; n = n->next) {
		if (add_member(c, path, n, rules) == -1)
			return -1;
		path->len = len;
	}
	c->depth--;
	return 0;
}

static int
compile(struct pattern *p, struct err *e)
{
	struct compiler c = {.pattern = p, .e = e};
	AUTO(buf) struct buf path = BUF_INIT(2 * PATTERN_TEXT_MAX);
	struct rules *rules = calloc(1, sizeof(*rules));
	int rc;

	if (rules == NULL)
		return no_memory(&c);
	rules->n = 1;
	rc = add_object(&c, &path, jdoc_root(p->doc), rules);
	if (rc == 0) {
		p->rules = malloc(rules->n * sizeof(*p->rules));
		if (p->rules == NULL)
			rc = no_memory(&c);
	}
	if (rc == 0) {
		memcpy(p->rules, rules->rule, rules->n * sizeof(*p->rules));
		p->rule_n = rules->n;
	} else {
		rules_clear(rules);
	}
	free(rules);
	return rc;
}

struct pattern *
pattern_new(const char *text, size_t len, struct err *e)
{
	AUTO(pattern) struct pattern *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (len > PATTERN_TEXT_MAX) {
		err_set(
		    e, ERR_CONFIG, "longer than %d bytes", PATTERN_TEXT_MAX);
		return NULL;
	}
	p->doc = jdoc_parse(text, len, e);
	if (p->doc == NULL) {
		if (e->kind == ERR_PROTOCOL)
			e->kind = ERR_CONFIG;
		return NULL;
	}
	if (jdoc_root(p->doc)->type != JDOC_OBJECT) {
		err_set(e, ERR_CONFIG, "not an object: {\"field\": [values]}");
		return NULL;
	}
	if (compile(p, e) == -1)
		return NULL;
	return TAKE(p);
}
