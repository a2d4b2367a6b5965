/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/check.h"

static struct err e;

static void
only_valid_utf8_counts(void)
{
	static const struct {
		const char *s;
		size_t length; /* of the first sequence */
	} cases[] = {{"", 0}, {"a", 1}, {"\x7f", 1}, {"\xc3\xa9", 2},
	    {"\xe2\x82\xac", 3}, {"\xf0\x9f\x98\x80", 4},
	    {"\xf4\x8f\xbf\xbf", 4}, {"\x80", 0}, {"\xc0\x80", 0},
	    {"\xc1\xbf", 0}, {"\xc3", 0}, {"\xc3(", 0}, {"\xe0\x9f\xbf", 0},
	    {"\xed\xa0\x80", 0}, {"\xf0\x8f\xbf\xbf", 0},
	    {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xff", 0},
	    {"\xe2\x82", 0}, {"\xf0\x9f\x98", 0}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_UINT(text_utf8_length(cases[i].s, strlen(cases[i].s)),
		    cases[i].length);
	CHECK(text_is_utf8("a\xc3\xa9z", 4) && text_is_utf8("", 0));
	CHECK(!text_is_utf8("a\xc3", 2));
}

static void
odd_names_are_shown_safely(void)
{
	char out[40], cut[10];

	CHECK_STR(text_escaped("a\tb\nc\\\x1b\xff", 8, out, sizeof(out)),
	    "a\\tb\\nc\\\\\\x1b\\xff");
	CHECK_STR(text_escaped("\xc3\xa9\xc2\x9b", 4, out, sizeof(out)),
	    "\xc3\xa9\\xc2\\x9b");
	CHECK_STR(text_escaped("abcdefghijklmnop", 16, cut, sizeof(cut)),
	    "abcdef...");
	CHECK_STR(text_escaped("a\0b", 3, out, sizeof(out)), "a\\x00b");
}

static void
sizes_are_read(void)
{
	static const struct {
		const char *s;
		uint64_t want;
	} right[] = {{"0", 0}, {"1", 1024}, {"7B", 7}, {"64M", 64 << 20},
	    {"64m", 64 << 20}, {"64MiB", 64 << 20}, {"64MB", 64 << 20},
	    {"1.5G", 3ULL << 29}, {"2T", 2ULL << 40}, {"1P", 1ULL << 50}};
	static const char *const wrong[] = {"", "-1", "M", "1X", "1MM", "1 M",
	    " 1", "1Mi", "99999999P", "1e400", "0x", "nan", "inf"};
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		CHECK(text_parse_size(right[i].s, 1024, &v, &e) == 0);
		CHECK_UINT(v, right[i].want);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		v = 42;
		CHECK(text_parse_size(wrong[i], 1, &v, &e) == -1 &&
		    e.kind == ERR_USAGE && v == 42);
	}
}

static void
durations_are_read(void)
{
	static const struct {
		const char *s;
		uint64_t want;
	} right[] = {{"0", 0}, {"90", 90000}, {"90s", 90000}, {"15m", 900000},
	    {"1h30m", 5400000}, {"2d", 172800000}, {"250ms", 250},
	    {"1m500ms", 60500}, {"1.5s", 1500}};
	static const char *const wrong[] = {
	    "", "s", "-1s", "1x", "1h30", "1sm", "1 s", "1e300d", "1s "};
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		CHECK(text_parse_duration(right[i].s, &v, &e) == 0);
		CHECK_UINT(v, right[i].want);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(text_parse_duration(wrong[i], &v, &e) == -1);
		CHECK(e.kind == ERR_USAGE);
	}
}

static void
numbers_keep_to_their_range(void)
{
	uint64_t v = 0;

	CHECK(text_parse_uint("10", 1, 10, &v, &e) == 0 && v == 10);
	CHECK(text_parse_uint("18446744073709551615", 0, UINT64_MAX, &v, &e) ==
		0 &&
	    v == UINT64_MAX);
	CHECK(text_parse_uint("18446744073709551616", 0, UINT64_MAX, &v, &e) ==
	    -1);
	CHECK(text_parse_uint("11", 1, 10, &v, &e) == -1);
	CHECK(text_parse_uint("0", 1, 10, &v, &e) == -1);
	CHECK(text_parse_uint("", 0, 10, &v, &e) == -1);
	CHECK(text_parse_uint("-1", 0, 10, &v, &e) == -1);
	CHECK(text_parse_uint("+1", 0, 10, &v, &e) == -1);
	CHECK(text_parse_uint("1x", 0, 10, &v, &e) == -1);
}

static void
figures_are_readable(void)
{
	char out[32];

	CHECK_STR(text_size(0, out, sizeof(out)), "0 B");
	CHECK_STR(text_size(1023, out, sizeof(out)), "1023 B");
	CHECK_STR(text_size(1536, out, sizeof(out)), "1.5 KiB");
	CHECK_STR(text_size((1 << 20) - 1, out, sizeof(out)), "1.0 MiB");
	CHECK_STR(text_size(UINT64_MAX, out, sizeof(out)), "16.0 EiB");
	CHECK_STR(text_duration(0, out, sizeof(out)), "0.0s");
	CHECK_STR(text_duration(4200, out, sizeof(out)), "4.2s");
	CHECK_STR(text_duration(59999, out, sizeof(out)), "1m00s");
	CHECK_STR(text_duration(3725000, out, sizeof(out)), "1h02m05s");
	CHECK_STR(text_count(0, out, sizeof(out)), "0");
	CHECK_STR(text_count(999, out, sizeof(out)), "999");
	CHECK_STR(text_count(1234567, out, sizeof(out)), "1,234,567");
	CHECK_STR(text_count(UINT64_MAX, out, sizeof(out)),
	    "18,446,744,073,709,551,615");
}

static void
bytes_survive_hex_and_base64(void)
{
	static const char *const base64[] = {
	    "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[40], back[20];
	uint8_t all[20];
	size_t n, i;

	for (n = 0; n <= 6; n++) {
		text_base64("foobar", n, text);
		CHECK_STR(text, base64[n]);
		CHECK(text_unbase64(text, strlen(text), back, n));
		CHECK(memcmp(back, "foobar", n) == 0);
	}
	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 13 + 240);
	for (n = 0; n < sizeof(all); n++) {
		text_hex(all, n, text);
		CHECK(text_unhex(text, 2 * n, back, n) &&
		    memcmp(back, all, n) == 0);
		text_base64(all, n < 18 ? n : 18, text);
		CHECK(text_unbase64(text, strlen(text), back, n < 18 ? n : 18));
	}
	CHECK(text_unhex("aB", 2, back, 1) && (uint8_t)back[0] == 0xab);
	CHECK(!text_unhex("a", 1, back, 1) && !text_unhex("ag", 2, back, 1));
	CHECK(!text_unhex("abcd", 4, back, 1));
	CHECK(!text_unbase64("Zm9v", 4, back, 2));
	CHECK(!text_unbase64("Zg==", 4, back, 3));
	CHECK(!text_unbase64("Z=g=", 4, back, 1));
	CHECK(!text_unbase64("Zm9*", 4, back, 3));
	CHECK(!text_unbase64("Zm9", 3, back, 2));
	CHECK(!text_unbase64("====", 4, back, 1));
}

static void
json_has_its_commas_and_quotes(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct json j;

	json_begin(&j, &out);
	json_object(&j, NULL);
	json_str(&j, "a\"b", "x\\\n\x01");
	json_array(&j, "list");
	json_uint(&j, NULL, UINT64_MAX);
	json_int(&j, NULL, INT64_MIN);
	json_object(&j, NULL);
	json_object_end(&j);
	json_bool(&j, NULL, true);
	json_array_end(&j);
	json_array(&j, "none");
	json_array_end(&j);
	json_double(&j, "d", 1.5);
	json_double(&j, "nan", NAN);
	json_name(&j, "n", "ok", 2);
	json_name(&j, "m", "\xff", 1);
	json_string(&j, "nul", "a\0b", 3);
	json_object_end(&j);
	CHECK_STR(buf_str(&out),
	    "{\"a\\\"b\":\"x\\\\\\u000a\\u0001\",\"list\":"
	    "[18446744073709551615,-9223372036854775808,{},true],"
	    "\"none\":[],\"d\":1.500,\"nan\":null,\"n\":\"ok\","
	    "\"m\":\"\\ufffd\",\"m_base64\":\"/w==\","
	    "\"nul\":\"a\\u0000b\"}");
	CHECK(!buf_failed(&out));
}

int
main(void)
{
	RUN(only_valid_utf8_counts);
	RUN(odd_names_are_shown_safely);
	RUN(sizes_are_read);
	RUN(durations_are_read);
	RUN(numbers_keep_to_their_range);
	RUN(figures_are_readable);
	RUN(bytes_survive_hex_and_base64);
	RUN(json_has_its_commas_and_quotes);
	return check_end();
}
