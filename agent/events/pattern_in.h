/* SPDX-License-Identifier: ISC */
/* Inside of event patterns.  For agent/events/pattern*.c only. */
#ifndef AGENT_EVENTS_PATTERN_IN_H
#define AGENT_EVENTS_PATTERN_IN_H

#include "agent/events/netaddr.h"
#include "agent/events/number.h"
#include "agent/events/pattern.h"
#include "base/buf.h"

enum test_kind {
	TEST_LITERAL, /* true, false or null */
	TEST_NUMBER,
	TEST_TEXT,
	TEST_ADDRESS, /* text that is an address: however it is written */
	TEST_PREFIX,
	TEST_SUFFIX,
	TEST_FOLDED, /* text, in any case */
	TEST_FOLDED_PREFIX,
	TEST_FOLDED_SUFFIX,
	TEST_WILDCARD,
	TEST_NETWORK,
	TEST_RANGE,
	TEST_PRESENT,
	TEST_ABSENT,
	TEST_NONE_OF, /* none of the tests in ->but */
};

/* One element of a list: what a value may be. */
struct test {
	enum test_kind kind;
	enum jdoc_type literal;
	const char *text; /* of the pattern's document */
	size_t len;
	struct number number;
	struct netaddr address;
	struct netblock network;
	struct {
		bool above, below; /* there is such a bound */
		bool or_low, or_high;
		double low, high;
	} range;
	struct test *but; /* malloc'd */
	size_t but_n;
};

/* What one path must be: any of the tests. */
struct condition {
	char *path; /* keys with '.' between; malloc'd */
	size_t path_len;
	struct test *tests; /* malloc'd */
	size_t n;
};

/* Conditions that must all hold, as indexes. */
struct rule {
	unsigned *conditions; /* malloc'd */
	size_t n;
};

struct pattern {
	struct jdoc *doc;
	struct condition *conditions;
	size_t condition_n;
	struct rule *rules; /* one of them must hold */
	size_t rule_n;
};

/* Compiles the element NODE of a list; ERR_CONFIG without its place. */
int test_compile(struct test *t, const struct jdoc_node *node, struct err *e);
void test_clear(struct test *t);
/* Whether the VALUE, no object or array, passes T. */
bool test_passes(const struct test *t, const struct jdoc_node *value);

/* Whether NAME is an operator, and can't be a field's name within "$or". */
bool test_is_operator(const char *name, size_t len);

#endif
