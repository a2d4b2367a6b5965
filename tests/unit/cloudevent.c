/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/events/cloudevent.h"
#include "base/jdoc.h"
#include "tests/unit/check.h"

#define CHECK_TEXT(in, want, was_encoded)                           \
	do {                                                        \
		AUTO(buf) struct buf out_ = BUF_INIT(1000);         \
		CHECK(cloudevent_text(&out_, in, sizeof(in) - 1) == \
		    (was_encoded));                                 \
		CHECK_STR(buf_str(&out_), want);                    \
	} while (0)

static void
names_are_written_as_attributes_may_be(void)
{
	CHECK_TEXT("a b/100%.txt", "a b/100%.txt", false);
	CHECK_TEXT("caf\xc3\xa9 \xf0\x9f\x98\x80",
	    "caf\xc3\xa9 \xf0\x9f\x98\x80", false);
	CHECK_TEXT("caf\xe9\n%.txt", "caf%E9%0A%25.txt", true);
	CHECK_TEXT("a\0b", "a%00b", true);
	CHECK_TEXT("\x7f", "%7F", true);
	CHECK_TEXT("\xc2\x80", "%C2%80", true);	       /* U+0080 */
	CHECK_TEXT("\xef\xb7\x90", "%EF%B7%90", true); /* U+FDD0 */
	CHECK_TEXT("\xef\xbf\xbf", "%EF%BF%BF", true); /* U+FFFF */
	CHECK_TEXT("\xf4\x8f\xbf\xbe", "%F4%8F%BF%BE", true);
	CHECK_TEXT("\xed\xa0\x80", "%ED%A0%80", true); /* a surrogate */
}

static void
an_event_is_a_cloudevent(void)
{
	AUTO(buf) struct buf out = BUF_INIT(10000);
	AUTO(buf) struct buf key = BUF_INIT(10000);
	struct cloudevent c = {
	    .seq = 1795409998000042,
	    .source = "urn:uuid:x",
	    .type = "file.completed",
	    .subject = "caf\xe9",
	    .subject_len = 4,
	    .time_ns = 1795409998123456789,
	};
	struct json j;

	cloudevent_key(&key, "nightly", c.subject, c.subject_len);
	c.key = buf_str(&key);
	json_begin(&j, &out);
	cloudevent_begin(&j, &c);
	json_uint(&j, "size", 7);
	cloudevent_end(&j);
	CHECK_STR(buf_str(&out),
	    "{\"specversion\":\"1.0\",\"id\":\"evt_00001795409998000042\","
	    "\"source\":\"urn:uuid:x\",\"type\":\"dray.file.completed.v1\","
	    "\"subject\":\"caf%E9\",\"subjectencoding\":\"percent\","
	    "\"time\":\"2026-11-23T04:59:58.123Z\","
	    "\"datacontenttype\":\"application/json\","
	    "\"sequence\":\"00001795409998000042\","
	    "\"partitionkey\":\"nightly/caf%E9\",\"data\":{\"size\":7}}");
}

static void
an_id_tells_its_number(void)
{
	char id[CLOUDEVENT_ID_MAX];

	cloudevent_id(UINT64_MAX, id);
	CHECK_STR(id, "evt_18446744073709551615");
	CHECK(cloudevent_seq(id) == UINT64_MAX);
	CHECK_UINT(cloudevent_seq("evt_00000000000000000017"), 17);
	CHECK_UINT(cloudevent_seq("evt_17"), 0);
	CHECK_UINT(cloudevent_seq("evt_000000000000000000170"), 0);
	CHECK_UINT(cloudevent_seq("evt_0000000000000000001x"), 0);
	CHECK_UINT(cloudevent_seq("evx_00000000000000000017"), 0);
	CHECK_UINT(cloudevent_seq(""), 0);
}

static void
times_have_their_milliseconds(void)
{
	static const struct {
		int64_t ns;
		const char *want;
	} cases[] = {{0, "\"1970-01-01T00:00:00Z\""},
	    {1000000, "\"1970-01-01T00:00:00.001Z\""},
	    {999999999, "\"1970-01-01T00:00:00.999Z\""},
	    {86400000000000, "\"1970-01-02T00:00:00Z\""}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) struct buf out = BUF_INIT(100);
		struct json j;

		json_begin(&j, &out);
		cloudevent_time(&j, NULL, cases[i].ns);
		CHECK_STR(buf_str(&out), cases[i].want);
	}
}

static void
an_event_gets_another_id_and_keeps_all_else(void)
{
	static const char body[] = "{\"specversion\":\"1.0\",\"id\":\"evt_1\","
				   "\"data\":{\"id\":\"x\"}}";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	char id[CLOUDEVENT_ID_MAX];

	cloudevent_new_id(42, 1795409998000042, id);
	CHECK_STR(id, "evt_00000000000000000042_1795409998000042");
	CHECK_UINT(cloudevent_seq(id), 42);
	CHECK_UINT(cloudevent_seq("evt_00000000000000000042_"), 42);
	CHECK_UINT(cloudevent_seq("evt_00000000000000000042_x"), 0);
	cloudevent_reissue(&out, body, strlen(body), "new");
	CHECK_STR(buf_str(&out),
	    "{\"specversion\":\"1.0\",\"id\":\"new\",\"causationid\":\"evt_1\","
	    "\"data\":{\"id\":\"x\"}}");
	buf_reset(&out);
	cloudevent_reissue(&out, "{\"id\":\"", 7, "new");
	CHECK_STR(buf_str(&out), "{\"id\":\"");
}

int
main(void)
{
	RUN(names_are_written_as_attributes_may_be);
	RUN(an_event_is_a_cloudevent);
	RUN(an_id_tells_its_number);
	RUN(times_have_their_milliseconds);
	RUN(an_event_gets_another_id_and_keeps_all_else);
	return check_end();
}
