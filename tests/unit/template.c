/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/template.h"
#include "tests/unit/check.h"

static const char event_text[] =
    "{\"id\":\"evt_1\",\"n\":42,\"yes\":true,\"none\":null,"
    "\"odd\":\"a\\\"b\\\\c\\n\xc3\xa9</"
    "x>\",\"data\":{\"list\":[1,{\"k\":\"v\"}]}}";
#define PATHS                                                     \
	"{\"id\":\"/id\",\"n\":\"/n\",\"yes\":\"/yes\","          \
	"\"none\":\"/none\",\"odd\":\"/odd\",\"data\":\"/data\"," \
	"\"k\":\"/data/list/1/k\",\"gone\":\"/data/nothing\"}"

/* What TEXT makes of the event, or why it doesn't. */
static const char *
filled(const char *text)
{
	static struct buf out = BUF_INIT(10000);
	static struct err e;
	AUTO(template) struct template *t = NULL;
	AUTO(template_paths) struct template_paths *p = NULL;
	AUTO(jdoc) struct jdoc *event = NULL, *made = NULL;

	e = (struct err)ERR_INIT;
	buf_reset(&out);
	t = template_new(text, strlen(text), &e);
	p = template_paths_new(PATHS, strlen(PATHS), &e);
	event = jdoc_parse(event_text, strlen(event_text), &e);
	CHECK(p != NULL && event != NULL);
	if (t == NULL || template_bind(t, p, &e) == -1)
		return e.msg;
	template_fill(t, jdoc_root(event), &out);
	made = jdoc_parse(buf_str(&out), out.len, &e);
	CHECK(made != NULL && !buf_failed(&out));
	return buf_str(&out);
}

static void
values_stand_as_json(void)
{
	CHECK_STR(filled("{\"a\": <n>, \"b\":[<id>,<yes>,<none>]}"),
	    "{\"a\": 42, \"b\":[\"evt_1\",true,null]}");
	CHECK_STR(filled("<data>"), "{\"list\":[1,{\"k\":\"v\"}]}");
	CHECK_STR(filled("[<k>]"), "[\"v\"]");
	CHECK_STR(filled("{\"e\":<event.json>}") + 5,
	    "{\"id\":\"evt_1\",\"n\":42,\"yes\":true,\"none\":null,"
	    "\"odd\":\"a\\\"b\\\\c\\u000a\xc3\xa9</x>\","
	    "\"data\":{\"list\":[1,{\"k\":\"v\"}]}}}");
}

static void
within_strings_they_are_escaped(void)
{
	CHECK_STR(filled("\"file <odd>!\""),
	    "\"file a\\\"b\\\\c\\u000a\xc3\xa9</x>!\"");
	CHECK_STR(filled("\"<n>/<yes>/<id><k>\""), "\"42/true/evt_1v\"");
	CHECK_STR(filled("{\"<k>\":\"<data>\"}"),
	    "{\"v\":\"{\\\"list\\\":[1,{\\\"k\\\":\\\"v\\\"}]}\"}");
	CHECK_STR(filled("\"\\\\<n>\\\"<n>\""), "\"\\\\42\\\"42\"");
}

static void
what_is_not_there_is_null_or_nothing(void)
{
	CHECK_STR(filled("[<gone>,\"-<gone>-\"]"), "[null,\"--\"]");
}

static void
signs_that_name_nothing_stay(void)
{
	CHECK_STR(filled("\"1 < 2, <>, <a b>, \\u003cn>, <n\""),
	    "\"1 < 2, <>, <a b>, \\u003cn>, <n\"");
	CHECK_STR(filled("\"<<n>>\""), "\"<42>\"");
	CHECK_STR(filled("[1, 2]"), "[1, 2]");
}

static void
what_could_fail_later_is_refused_at_once(void)
{
	static const char *const wrong[] = {"", "<n", "{<n>:1}", "{\"a\":1<n>}",
	    "[-<n>]", "[<n><n>]", "[<n>.5]", "tru<n>", "[<n>", "\"<n>",
	    "\"\\<n>\"", "\"\\ud83d<n>\\ude00\"", "\"\\u00<n>\"",
	    "{\"a\":<n>,}", "[< n>]", "[\"a\"<n>]", "<n> x", "\"\xff<n>\""};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(strstr(filled(wrong[i]), "for each value: no JSON: ") !=
		    NULL);
	CHECK_STR(filled("[<n>,]"),
	    "with \"text\" for each value: no JSON: no value at byte 9");
	CHECK_STR(filled("[<unknown>]"),
	    "paths doesn't say what <unknown> is (in a string, \\u003c is a "
	    "'<' that means nothing)");
}

static void
there_are_limits(void)
{
	char many[TEMPLATE_VALUES_MAX * 4 + 20] = "[<n>", *at = many + 4;
	unsigned i;

	for (i = 1; i < TEMPLATE_VALUES_MAX; i++)
		at = stpcpy(at, ",<n>");
	memcpy(at, "]", 2);
	CHECK_UINT(strlen(filled(many)), 3 * TEMPLATE_VALUES_MAX + 1);
	memcpy(at, ",<n>]", 6);
	CHECK_STR(filled(many), "more than 100 values");
}

static const char *
paths(const char *text)
{
	static struct err e;
	AUTO(template_paths) struct template_paths *p = NULL;

	e = (struct err)ERR_INIT;
	p = template_paths_new(text, strlen(text), &e);
	CHECK(p != NULL || e.kind == ERR_CONFIG);
	return p != NULL ? "" : e.msg;
}

static void
names_and_pointers_are_checked(void)
{
	CHECK_STR(paths("{}"), "");
	CHECK_STR(paths("{\"a.b-c_1\":\"\"}"), "");
	CHECK_STR(paths("[]"), "not a JSON object of names and JSON pointers");
	CHECK(strstr(paths("{"), "no JSON") != NULL);
	CHECK_STR(paths("{\"a\":\"data\"}"),
	    "\"a\" has no JSON pointer, as in \"/data/path\"");
	CHECK(strstr(paths("{\"a\":1}"), "no JSON pointer") != NULL);
	CHECK(strstr(paths("{\"a\":\"/~\"}"), "no JSON pointer") != NULL);
	CHECK(strstr(paths("{\"a\":\"/x\\u0000\"}"), "no JSON pointer"));
	CHECK(strstr(paths("{\"\":\"/a\"}"), "can't be a name") != NULL);
	CHECK(strstr(paths("{\"a b\":\"/a\"}"), "can't be a name") != NULL);
	CHECK(strstr(paths("{\"event.json\":\"/a\"}"), "can't be a name"));
}

int
main(void)
{
	RUN(values_stand_as_json);
	RUN(within_strings_they_are_escaped);
	RUN(what_is_not_there_is_null_or_nothing);
	RUN(signs_that_name_nothing_stay);
	RUN(what_could_fail_later_is_refused_at_once);
	RUN(there_are_limits);
	RUN(names_and_pointers_are_checked);
	return check_end();
}
