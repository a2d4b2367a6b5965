/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/events/pattern.h"
#include "base/buf.h"
#include "tests/unit/check.h"

enum verdict { NO, YES, INVALID, BROKEN };

static enum verdict
verdict(const char *pattern, size_t pattern_n, const char *event,
    size_t event_n, struct err *e)
{
	AUTO(pattern) struct pattern *p = pattern_new(pattern, pattern_n, e);
	AUTO(jdoc) struct jdoc *d = NULL;

	if (p == NULL)
		return e->kind == ERR_CONFIG ? INVALID : BROKEN;
	d = jdoc_parse(event, event_n, e);
	if (d == NULL)
		return BROKEN;
	switch (pattern_match(p, jdoc_root(d), e)) {
	case 0:
		return NO;
	case 1:
		return YES;
	default:
		return BROKEN;
	}
}

static enum verdict
says(const char *pattern, const char *event)
{
	struct err e = ERR_INIT;

	return verdict(pattern, strlen(pattern), event, strlen(event), &e);
}

static const char *
refusal(const char *pattern)
{
	static struct err e;

	e = (struct err)ERR_INIT;
	if (verdict(pattern, strlen(pattern), "{}", 2, &e) != INVALID)
		return "taken";
	return e.msg;
}

static struct jdoc *
read_vectors(void)
{
	const char *srcdir = getenv("srcdir");
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	char path[4096], chunk[4096];
	AUTO(fclose) FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/vectors/events/pattern.json",
	    srcdir != NULL ? srcdir : ".");
	f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	return jdoc_parse(buf_str(&text), text.len, &e);
}

/* Where ours differs on purpose; pattern.h tells why. */
static enum verdict
expected(const struct jdoc_node *vector)
{
	const struct jdoc_node *want = jdoc_member(vector, "expect");
	const struct jdoc_node *name = jdoc_member(vector, "name");

	if (jdoc_is(name, "c4-32"))
		return YES;
	if (jdoc_is(name, "dup-key") || jdoc_is(name, "dup-key2") ||
	    jdoc_is(name, "or-override") || jdoc_is(name, "or-override2"))
		return INVALID;
	if (want->type == JDOC_STRING)
		return INVALID;
	return want->type == JDOC_TRUE ? YES : NO;
}

static void
all_vectors_come_out_right(void)
{
	AUTO(jdoc) struct jdoc *d = read_vectors();
	const struct jdoc_node *v;
	unsigned n = 0;

	CHECK(d != NULL);
	if (d == NULL)
		return;
	for (v = jdoc_root(d)->child; v != NULL; v = v->next, n++) {
		const struct jdoc_node *p = jdoc_member(v, "pattern");
		const struct jdoc_node *event = jdoc_member(v, "event");
		struct err e = ERR_INIT;
		enum verdict got =
		    verdict(p->text, p->len, event->text, event->len, &e);

		if (got == expected(v))
			continue;
		check_failures++;
		fprintf(stderr, "%s: %d, not %d: %s\n",
		    jdoc_member(v, "name")->text, got, expected(v), e.msg);
	}
	CHECK_UINT(n, 201);
}

static void
networks_may_be_of_any_size(void)
{
	CHECK(says("{\"a\":[{\"cidr\":\"::1/128\"}]}", "{\"a\":\"0::1\"}") ==
	    YES);
	CHECK(says("{\"a\":[{\"cidr\":\"10.0.0.1/32\"}]}",
		  "{\"a\":\"10.0.0.2\"}") == NO);
	CHECK(says("{\"a\":[{\"cidr\":\"10.0.0.0/0\"}]}",
		  "{\"a\":\"192.0.2.1\"}") == YES);
	CHECK(
	    says("{\"a\":[{\"cidr\":\"10.0.0.0/0\"}]}", "{\"a\":\"x\"}") == NO);
	CHECK(says("{\"a\":[{\"cidr\":\"10.128.0.0/9\"}]}",
		  "{\"a\":\"10.127.0.1\"}") == NO);
}

static void
a_path_counts_once(void)
{
	CHECK_STR(refusal("{\"a\":{\"b\":[1]},\"a.b\":[2]}"),
	    "at \"a.b\": the path is there twice, and only one could count");
	CHECK(says("{\"a\":[1],\"$or\":[{\"a\":[2]},{\"b\":[3]}]}", "{}") ==
	    INVALID);
	CHECK(says("{\"$or\":[{\"a\":[2]},{\"a\":[3]}]}", "{\"a\":3}") == YES);
}

static void
a_refusal_tells_where_and_why(void)
{
	CHECK_STR(refusal("{\"a\": "), "no JSON: no value at byte 7");
	CHECK_STR(refusal("[]"), "not an object: {\"field\": [values]}");
	CHECK_STR(refusal("{\"a\": \"x\"}"),
	    "at \"a\": values stand in a list: [...]");
	CHECK_STR(refusal("{\"d\":{\"a\": [{\"regex\": \"x\"}]}}"),
	    "at \"d.a\": \"regex\" is no operator");
	CHECK_STR(refusal("{\"a\": [{\"numeric\": [\"!=\", 3]}]}"),
	    "at \"a\": numeric: an operator is one of = < <= > >=");
}

static void
numbers_are_compared_as_numbers(void)
{
	CHECK(says("{\"a\":[1e60]}",
		  "{\"a\":10000000000000000000000000000000000000000000000000000"
		  "00000000}") == YES);
	CHECK(says("{\"a\":[0.1]}", "{\"a\":0.1000000000000000055511}") == NO);
	CHECK(says("{\"a\":[0.1]}", "{\"a\":1e-1}") == YES);
	CHECK(says("{\"a\":[1e400]}", "{\"a\":1e400}") == YES);
	CHECK(says("{\"a\":[1e400]}", "{\"a\":10e399}") == NO);
	CHECK(says("{\"a\":[{\"numeric\":[\">\",0]}]}", "{\"a\":1e400}") == NO);
}

/* What a pattern can cost is bounded. */
static void
limits_hold(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	int i;

	buf_adds(&b, "{\"x\":[1]");
	for (i = 0; i < 7; i++)
		buf_addf(&b, ",\"o%d\":{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", i);
	buf_adds(&b, "}");
	CHECK_STR(refusal(buf_str(&b)),
	    "more than 64 combinations of what is in $or");
	buf_reset(&b);
	for (i = 0; i < 17; i++)
		buf_adds(&b, "{\"a\":");
	CHECK(strncmp(refusal(buf_str(&b)), "no JSON", 7) == 0);
	buf_adds(&b, "[1]");
	for (i = 0; i < 17; i++)
		buf_adds(&b, "}");
	CHECK_STR(
	    refusal(buf_str(&b)), "more than 16 objects within each other");
	buf_reset(&b);
	buf_adds(&b, "{\"a\":[");
	for (i = 0; i < 2048; i++)
		buf_adds(&b, "1,");
	buf_adds(&b, "1]}");
	CHECK_STR(refusal(buf_str(&b)), "longer than 4096 bytes");
}

static void
too_many_combinations_end_in_an_error(void)
{
	static const char pattern[] =
	    "{\"a\":{\"p\":[1]},\"b\":{\"p\":[1]},\"c\":{\"p\":[1]},"
	    "\"d\":{\"p\":[2]}}";
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	AUTO(jdoc) struct jdoc *d = NULL;
	AUTO(pattern) struct pattern *p = NULL;
	struct err e = ERR_INIT;
	int i, k;

	buf_addc(&b, '{');
	for (k = 0; k < 3; k++) {
		buf_addf(&b, "\"%c\":[", 'a' + k);
		for (i = 0; i < 200; i++)
			buf_addf(&b, "%s{\"p\":1}", i > 0 ? "," : "");
		buf_adds(&b, "],");
	}
	buf_adds(&b, "\"d\":{\"p\":3}}");
	p = pattern_new(pattern, strlen(pattern), &e);
	d = jdoc_parse(buf_str(&b), b.len, &e);
	CHECK(p != NULL && d != NULL);
	CHECK(pattern_match(p, jdoc_root(d), &e) == -1);
	CHECK(e.kind == ERR_UNSUPPORTED);
}

int
main(void)
{
	RUN(all_vectors_come_out_right);
	RUN(networks_may_be_of_any_size);
	RUN(a_path_counts_once);
	RUN(a_refusal_tells_where_and_why);
	RUN(numbers_are_compared_as_numbers);
	RUN(limits_hold);
	RUN(too_many_combinations_end_in_an_error);
	return check_end();
}
