/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "base/jdoc.h"
#include "base/json.h"
#include "tests/unit/check.h"

static const char *
refusal(const char *text, size_t n)
{
	static struct err e;
	AUTO(jdoc) struct jdoc *d = jdoc_parse(text, n, &e);

	if (d != NULL)
		return "taken";
	CHECK(e.kind == ERR_PROTOCOL);
	return e.msg;
}

#define REFUSED(text, why) CHECK_STR(refusal(text, sizeof(text) - 1), why)

static void
values_come_as_a_tree(void)
{
	static const char text[] = " {\"a\" : [1, -2.5e+3,\"x\\n\"],\"\":{},"
				   "\"t\":true,\"f\":false,\"n\":null, "
				   "\"a\":[]}\n";
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *d = jdoc_parse(text, sizeof(text) - 1, &e);
	const struct jdoc_node *n;

	CHECK(d != NULL && jdoc_root(d)->type == JDOC_OBJECT);
	if (d == NULL)
		return;
	n = jdoc_root(d)->child;
	CHECK(jdoc_key_is(n, "a") && n->type == JDOC_ARRAY);
	CHECK(n->child->type == JDOC_NUMBER && n->child->len == 1);
	CHECK(n->child->next->len == 7 &&
	    memcmp(n->child->next->text, "-2.5e+3", 7) == 0);
	CHECK(jdoc_is(n->child->next->next, "x\n"));
	CHECK(n->child->next->next->next == NULL);
	CHECK(n->next->key_len == 0 && n->next->child == NULL);
	CHECK(jdoc_member(jdoc_root(d), "t")->type == JDOC_TRUE);
	CHECK(jdoc_member(jdoc_root(d), "f")->type == JDOC_FALSE);
	CHECK(jdoc_member(jdoc_root(d), "n")->type == JDOC_NULL);
	CHECK(jdoc_member(jdoc_root(d), "a")->child == NULL); /* the last */
	CHECK(jdoc_member(jdoc_root(d), "b") == NULL);
	CHECK(jdoc_member(n->child, "b") == NULL);
}

static void
strings_are_unescaped(void)
{
	static const char text[] =
	    "\"\\u00e9\\u20ac\\ud83d\\ude00\\u0000\\\"\\\\\\/\\b\\f\\r\\t\"";
	static const char want[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0\"\\"
				   "/\b\f\r\t";
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *d = jdoc_parse(text, sizeof(text) - 1, &e);

	CHECK(d != NULL && jdoc_root(d)->len == sizeof(want) - 1 &&
	    memcmp(jdoc_root(d)->text, want, sizeof(want)) == 0);
}

static void
what_is_no_json_is_refused(void)
{
	char deep[200];

	REFUSED("", "no JSON: no value at byte 1");
	REFUSED("{\"a\":1,}", "no JSON: no key at byte 8");
	REFUSED("[1 2]", "no JSON: no ',' or ']' at byte 4");
	REFUSED("{\"a\" 1}", "no JSON: no ':' at byte 6");
	REFUSED("01", "no JSON: something behind the value at byte 2");
	REFUSED("1.", "no JSON: a number without a digit at byte 3");
	REFUSED("1e", "no JSON: a number without a digit at byte 3");
	REFUSED("-", "no JSON: no value at byte 2");
	REFUSED("+1", "no JSON: no value at byte 1");
	REFUSED("NaN", "no JSON: no value at byte 1");
	REFUSED("tru", "no JSON: no value at byte 1");
	REFUSED("\"x", "no JSON: a string without its end at byte 3");
	REFUSED("\"\n\"", "no JSON: a control character in a string at byte 2");
	REFUSED("\"\\x\"", "no JSON: unknown escape at byte 3");
	REFUSED("\"\\", "no JSON: unknown escape at byte 3");
	REFUSED("\"\\u12\"", "no JSON: \\u without four hex digits at byte 4");
	REFUSED("\"\\ud800\"",
	    "no JSON: half a surrogate pair before this at byte 8");
	REFUSED("\"\\udc00\"",
	    "no JSON: half a surrogate pair before this at byte 8");
	REFUSED("\"\xff\"", "no JSON: a string that isn't UTF-8 at byte 2");
	REFUSED("1\0", "no JSON: something behind the value at byte 2");
	REFUSED("\0", "no JSON: no value at byte 1");
	memset(deep, '[', sizeof(deep));
	CHECK_STR(refusal(deep, sizeof(deep)),
	    "no JSON: nested too deeply at byte 66");
}

static const struct jdoc_node *
at(const struct jdoc *d, const char *pointer)
{
	CHECK(jdoc_is_pointer(pointer));
	return jdoc_at(jdoc_root(d), pointer);
}

/* The document of https://www.rfc-editor.org/rfc/rfc6901#section-5, and some */
static void
pointers_find_what_they_name(void)
{
	static const char text[] =
	    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
	    "\"m~n\":8,\"x\":{\"y\":[[],[5]]},\"x\\u0000\":9,\"~1\":7}";
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *d = jdoc_parse(text, sizeof(text) - 1, &e);

	CHECK(at(d, "") == jdoc_root(d));
	CHECK(jdoc_is(at(d, "/foo/0"), "bar"));
	CHECK(jdoc_is(at(d, "/foo/1"), "baz"));
	CHECK(at(d, "/foo/2") == NULL && at(d, "/foo/01") == NULL);
	CHECK(at(d, "/foo/-") == NULL && at(d, "/foo/") == NULL);
	CHECK(at(d, "/foo/4294967296") == NULL);
	CHECK(at(d, "/")->text[0] == '0');
	CHECK(at(d, "/a~1b")->text[0] == '1');
	CHECK(at(d, "/c%d")->text[0] == '2');
	CHECK(at(d, "/m~0n")->text[0] == '8');
	CHECK(at(d, "/~01")->text[0] == '7');
	CHECK(at(d, "/x/y/1/0")->text[0] == '5');
	CHECK(at(d, "/x/y/1/0/z") == NULL && at(d, "/x/") == NULL);
	CHECK(at(d, "/fo") == NULL && at(d, "/fooo") == NULL);
	CHECK(!jdoc_is_pointer("foo") && !jdoc_is_pointer("/~"));
	CHECK(!jdoc_is_pointer("/~2") && !jdoc_is_pointer("/~0~"));
}

static void
what_was_read_is_written_again(void)
{
	static const char text[] =
	    "{\"a\\u0000\":[1.50,-0,1e400,{}],\"b\":{\"c\":[[],null,true,"
	    "false]},\"d\":\"\\\"\\\\\xc3\xa9\\n\",\"d\":\"\"}";
	static const char want[] =
	    "{\"a\\u0000\":[1.50,-0,1e400,{}],\"b\":{\"c\":[[],null,true,"
	    "false]},\"d\":\"\\\"\\\\\xc3\xa9\\u000a\",\"d\":\"\"}";
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *d = jdoc_parse(text, sizeof(text) - 1, &e);
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct json j;

	json_begin(&j, &out);
	json_array(&j, NULL);
	json_value(&j, NULL, jdoc_root(d));
	json_uint(&j, NULL, 1);
	CHECK(out.len == sizeof(want) + 2);
	CHECK(memcmp(out.data + 1, want, sizeof(want) - 1) == 0);
	CHECK_STR(out.data + sizeof(want), ",1");
}

int
main(void)
{
	RUN(values_come_as_a_tree);
	RUN(strings_are_unescaped);
	RUN(what_is_no_json_is_refused);
	RUN(pointers_find_what_they_name);
	RUN(what_was_read_is_written_again);
	return check_end();
}
