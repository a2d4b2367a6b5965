/* SPDX-License-Identifier: ISC */
/* The elements of a pattern's lists: "x", 3, {"prefix": "x"}... */
#include "config.h"

#include <string.h>

#include "agent/events/fold.h"
#include "agent/events/pattern_in.h"

static bool
is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

bool
test_is_operator(const char *name, size_t len)
{
	/* Those of aws/event-ruler that are none here are reserved there. */
	static const char *const words[] = {"exactly", "equals-ignore-case",
	    "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric",
	    "cidr", "=", "<", "<=", ">", ">=", "regex", "not-wildcard",
	    "not-equals-ignore-case", "date-after", "date-on-or-after",
	    "date-before", "date-on-or-before", "in-date-range",
	    "ip-address-in-range", "ip-address-not-in-range"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(name, len, words[i]))
			return true;
	return false;
}

void
test_clear(struct test *t)
{
	size_t i;

	for (i = 0; i < t->but_n; i++)
		test_clear(&t->but[i]);
	free(t->but);
}

static void
set_text(struct test *t, enum test_kind kind, const struct jdoc_node *arg)
{
	t->kind = kind;
	t->text = arg->text;
	t->len = arg->len;
}

/* "prefix" or "suffix": a string, or {"equals-ignore-case": string} */
static int
compile_affix(
    struct test *t, bool prefix, const struct jdoc_node *arg, struct err *e)
{
	const struct jdoc_node *inner = arg->child;

	if (arg->type == JDOC_STRING) {
		set_text(t, prefix ? TEST_PREFIX : TEST_SUFFIX, arg);
		return 0;
	}
	if (arg->type != JDOC_OBJECT || inner == NULL || inner->next != NULL ||
	    inner->type != JDOC_STRING ||
	    !is_word(inner->key, inner->key_len, "equals-ignore-case"))
		return err_set(e, ERR_CONFIG,
		    "%s takes a string, or an object with "
		    "equals-ignore-case alone",
		    prefix ? "prefix" : "suffix");
	set_text(t, prefix ? TEST_FOLDED_PREFIX : TEST_FOLDED_SUFFIX, inner);
	return 0;
}

static int
compile_wildcard(struct test *t, const struct jdoc_node *arg, struct err *e)
{
	size_t i;

	for (i = 0; i < arg->len; i++) {
		char c = arg->text[i];
		char next = i + 1 < arg->len ? arg->text[i + 1] : '\0';

		if (c == '*' && next == '*')
			return err_set(e, ERR_CONFIG,
			    "wildcard: \"**\" means no more than *");
		if (c != '\\')
			continue;
		if (next != '*' && next != '\\')
			return err_set(e, ERR_CONFIG,
			    "wildcard: a backslash stands before * or another "
			    "backslash only");
		i++;
	}
	set_text(t, TEST_WILDCARD, arg);
	return 0;
}

static int
bound(const struct jdoc_node *node, double *out, struct err *e)
{
	struct number n;

	if (node == NULL || node->type != JDOC_NUMBER)
		return err_set(e, ERR_CONFIG,
		    "numeric: a number belongs behind each operator");
	n = number_of(node->text, node->len);
	if (!n.exact)
		return err_set(e, ERR_CONFIG,
		    "numeric: %.*s has more digits than can be compared",
		    (int)(node->len < 100 ? node->len : 100), node->text);
	*out = n.value;
	return 0;
}

/* [op, number] or [">", low, "<", high] */
static int
compile_numeric(struct test *t, const struct jdoc_node *arg, struct err *e)
{
	const struct jdoc_node *op = arg->child;
	double v;

	t->kind = TEST_RANGE;
	if (arg->type != JDOC_ARRAY || op == NULL || op->type != JDOC_STRING)
		return err_set(e, ERR_CONFIG,
		    "numeric takes a list such as [\">=\", 0, \"<\", 10]");
	if (bound(op->next, &v, e) == -1)
		return -1;
	t->range.low = t->range.high = v;
	t->range.above =
	    jdoc_is(op, ">") || jdoc_is(op, ">=") || jdoc_is(op, "=");
	t->range.below =
	    jdoc_is(op, "<") || jdoc_is(op, "<=") || jdoc_is(op, "=");
	t->range.or_low = t->range.or_high = op->len == 2 || jdoc_is(op, "=");
	if (!t->range.above && !t->range.below)
		return err_set(e, ERR_CONFIG,
		    "numeric: an operator is one of = < <= > >=");
	op = op->next->next;
	if (op == NULL)
		return 0;
	if (t->range.below || (!jdoc_is(op, "<") && !jdoc_is(op, "<=")))
		return err_set(e, ERR_CONFIG,
		    "numeric: of two operators the first is > or >=, the "
		    "second < or <=");
	if (bound(op->next, &t->range.high, e) == -1)
		return -1;
	t->range.below = true;
	t->range.or_high = op->len == 2;
	if (op->next->next != NULL || t->range.low >= t->range.high)
		return err_set(e, ERR_CONFIG,
		    "numeric: a range has a lower end and then a greater one");
	return 0;
}

/* An operator whose argument is a string, or one of several. */
static int
compile_operator(struct test *t, const char *op, size_t len,
    const struct jdoc_node *arg, struct err *e)
{
	bool suffix = is_word(op, len, "suffix");
	bool string = arg->type == JDOC_STRING;

	if (suffix || is_word(op, len, "prefix"))
		return compile_affix(t, !suffix, arg, e);
	if (!string)
		return err_set(
		    e, ERR_CONFIG, "%.*s takes a string", (int)len, op);
	if (is_word(op, len, "wildcard"))
		return compile_wildcard(t, arg, e);
	set_text(t, is_word(op, len, "exactly") ? TEST_TEXT : TEST_FOLDED, arg);
	return 0;
}

/* One of what must not be: a string, a number, or OP's argument. */
static int
compile_exception(struct test *t, const struct jdoc_node *op,
    const struct jdoc_node *arg, enum jdoc_type type, struct err *e)
{
	if (arg->type != type ||
	    (type != JDOC_STRING && (type != JDOC_NUMBER || op != NULL)))
		return err_set(e, ERR_CONFIG,
		    op != NULL
			? "anything-but: within an operator there are "
			  "strings only"
			: "anything-but takes strings, or numbers, or an "
			  "operator");
	if (op != NULL) {
		if (arg->len == 0 &&
		    (jdoc_key_is(op, "prefix") || jdoc_key_is(op, "suffix")))
			return err_set(e, ERR_CONFIG,
			    "anything-but: an empty %.*s leaves nothing",
			    (int)op->key_len, op->key);
		return compile_operator(t, op->key, op->key_len, arg, e);
	}
	if (type == JDOC_STRING) {
		set_text(t, TEST_TEXT, arg);
		return 0;
	}
	t->kind = TEST_NUMBER;
	t->number = number_of(arg->text, arg->len);
	return t->number.exact
	    ? 0
	    : err_set(e, ERR_CONFIG,
		  "anything-but: %.*s has more digits than can be compared",
		  (int)(arg->len < 100 ? arg->len : 100), arg->text);
}

static int
compile_anything_but(struct test *t, const struct jdoc_node *arg, struct err *e)
{
	const struct jdoc_node *op = NULL, *n;
	size_t count = 1;

	t->kind = TEST_NONE_OF;
	if (arg->type == JDOC_OBJECT) {
		op = arg->child;
		if (op == NULL || op->next != NULL ||
		    !(jdoc_key_is(op, "prefix") || jdoc_key_is(op, "suffix") ||
			jdoc_key_is(op, "equals-ignore-case") ||
			jdoc_key_is(op, "wildcard")))
			return err_set(e, ERR_CONFIG,
			    "anything-but takes one operator at most: prefix, "
			    "suffix, equals-ignore-case or wildcard");
		arg = op;
	}
	if (arg->type == JDOC_ARRAY) {
		for (count = 0, n = arg->child; n != NULL; n = n->next)
			count++;
		arg = arg->child;
	}
	if (count == 0)
		return err_set(e, ERR_CONFIG, "anything-but: an empty list");
	t->but = calloc(count, sizeof(*t->but));
	if (t->but == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (n = arg; t->but_n < count; n = n->next)
		if (compile_exception(
			&t->but[t->but_n++], op, n, arg->type, e) == -1)
			return -1;
	return 0;
}

static int
compile_object(struct test *t, const struct jdoc_node *node, struct err *e)
{
	const struct jdoc_node *op = node->child;

	if (op == NULL || op->next != NULL)
		return err_set(e, ERR_CONFIG,
		    "an object in a list has one operator, no more and no "
		    "less");
	if (jdoc_key_is(op, "anything-but"))
		return compile_anything_but(t, op, e);
	if (jdoc_key_is(op, "numeric"))
		return compile_numeric(t, op, e);
	if (jdoc_key_is(op, "exists")) {
		t->kind = op->type == JDOC_TRUE ? TEST_PRESENT : TEST_ABSENT;
		return op->type == JDOC_TRUE || op->type == JDOC_FALSE
		    ? 0
		    : err_set(e, ERR_CONFIG, "exists takes true or false");
	}
	if (jdoc_key_is(op, "cidr")) {
		t->kind = TEST_NETWORK;
		return op->type == JDOC_STRING &&
			netblock_parse(op->text, op->len, &t->network)
		    ? 0
		    : err_set(e, ERR_CONFIG,
			  "cidr takes a network such as \"10.0.0.0/8\" or "
			  "\"2001:db8::/32\"");
	}
	if (jdoc_key_is(op, "prefix") || jdoc_key_is(op, "suffix") ||
	    jdoc_key_is(op, "wildcard") || jdoc_key_is(op, "exactly") ||
	    jdoc_key_is(op, "equals-ignore-case"))
		return compile_operator(t, op->key, op->key_len, op, e);
	return err_set(e, ERR_CONFIG, "\"%.*s\" is no operator",
	    (int)(op->key_len < 100 ? op->key_len : 100), op->key);
}

int
test_compile(struct test *t, const struct jdoc_node *node, struct err *e)
{
	switch (node->type) {
	case JDOC_NULL:
	case JDOC_TRUE:
	case JDOC_FALSE:
		t->kind = TEST_LITERAL;
		t->literal = node->type;
		return 0;
	case JDOC_NUMBER:
		t->kind = TEST_NUMBER;
		t->number = number_of(node->text, node->len);
		return 0;
	case JDOC_STRING:
		set_text(t, TEST_TEXT, node);
		if (netaddr_parse(node->text, node->len, &t->address))
			t->kind = TEST_ADDRESS;
		return 0;
	case JDOC_OBJECT:
		return compile_object(t, node, e);
	case JDOC_ARRAY:
		break;
	}
	return err_set(e, ERR_CONFIG, "a list within a list");
}

/* P has been checked: a backslash takes the next byte as it is. */
static bool
wildcard_matches(const char *p, size_t pn, const char *s, size_t n)
{
	size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;

	while (j < n) {
		size_t at = i < pn && p[i] == '\\' ? i + 1 : i;

		if (i < pn && at == i && p[i] == '*') {
			star = ++i;
			mark = j;
		} else if (i < pn && p[at] == s[j]) {
			i = at + 1;
			j++;
		} else if (star != SIZE_MAX) {
			i = star;
			j = ++mark;
		} else {
			return false;
		}
	}
	return i == pn || (i + 1 == pn && p[i] == '*');
}

static size_t
characters(const char *s, size_t n)
{
	size_t count = 0;

	for (; n > 0; count++)
		fold_next(&s, &n);
	return count;
}

static bool
folded_matches(const struct test *t, const struct jdoc_node *v)
{
	size_t skip = 0, taken, want, have;
	const char *s = v->text;
	size_t n = v->len;

	if (t->kind == TEST_FOLDED_SUFFIX) {
		want = characters(t->text, t->len);
		have = characters(s, n);
		if (have < want)
			return false;
		for (; skip < have - want; skip++)
			fold_next(&s, &n);
	}
	return fold_begins(s, n, t->text, t->len, &taken) &&
	    (t->kind == TEST_FOLDED_PREFIX || taken == n);
}

static bool
text_passes(const struct test *t, const struct jdoc_node *v)
{
	struct netaddr a;

	if (v->type != JDOC_STRING)
		return false;
	switch ((int)t->kind) {
	case TEST_TEXT:
		return v->len == t->len &&
		    memcmp(v->text, t->text, t->len) == 0;
	case TEST_PREFIX:
		return v->len >= t->len &&
		    memcmp(v->text, t->text, t->len) == 0;
	case TEST_SUFFIX:
		return v->len >= t->len &&
		    memcmp(v->text + v->len - t->len, t->text, t->len) == 0;
	case TEST_WILDCARD:
		return wildcard_matches(t->text, t->len, v->text, v->len);
	case TEST_ADDRESS:
		return netaddr_parse(v->text, v->len, &a) &&
		    netaddr_same(&a, &t->address);
	case TEST_NETWORK:
		return netaddr_parse(v->text, v->len, &a) &&
		    netblock_has(&t->network, &a);
	default:
		return folded_matches(t, v);
	}
}

static bool
number_passes(const struct test *t, const struct jdoc_node *v)
{
	struct number n;

	if (v->type != JDOC_NUMBER)
		return false;
	n = number_of(v->text, v->len);
	if (t->kind == TEST_NUMBER)
		return number_same(&n, &t->number);
	return n.exact &&
	    (!t->range.above || n.value > t->range.low ||
		(t->range.or_low && n.value == t->range.low)) &&
	    (!t->range.below || n.value < t->range.high ||
		(t->range.or_high && n.value == t->range.high));
}

bool
test_passes(const struct test *t, const struct jdoc_node *value)
{
	size_t i;

	switch (t->kind) {
	case TEST_LITERAL:
		return value->type == t->literal;
	case TEST_NUMBER:
	case TEST_RANGE:
		return number_passes(t, value);
	case TEST_PRESENT:
		return true;
	case TEST_ABSENT:
		return false;
	case TEST_NONE_OF:
		for (i = 0; i < t->but_n; i++)
			if (test_passes(&t->but[i], value))
				return false;
		return true;
	case TEST_TEXT:
	case TEST_ADDRESS:
	case TEST_PREFIX:
	case TEST_SUFFIX:
	case TEST_FOLDED:
	case TEST_FOLDED_PREFIX:
	case TEST_FOLDED_SUFFIX:
	case TEST_WILDCARD:
	case TEST_NETWORK:
		break;
	}
	return text_passes(t, value);
}
