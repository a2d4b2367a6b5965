/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/s3/uri.h"

static void
all_but_unreserved_bytes_are_encoded_once(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1000);

	s3_encode(&out, "aZ09-._~/ +%?\xc3\xa4\n", 16, true);
	CHECK_STR(buf_str(&out), "aZ09-._~/%20%2B%25%3F%C3%A4%0A");
	buf_reset(&out);
	s3_encode(&out, "a/b=", 4, false);
	CHECK_STR(buf_str(&out), "a%2Fb%3D");
}

static void
what_was_encoded_is_decoded(void)
{
	char text[] = "a%2Fb+c%C3%a4", broken[] = "a%2", nul[] = "a%00b";

	CHECK(s3_decode(text, strlen(text)) == 7);
	CHECK(memcmp(text, "a/b c\xc3\xa4", 7) == 0);
	CHECK(s3_decode(broken, 3) == -1);
	CHECK(s3_decode(nul, 5) == -1);
}

static struct s3_place
place(const char *endpoint, const char *region, const char *bucket,
    const char *addressing)
{
	struct s3_place p = {0};
	struct err e = ERR_INIT;

	CHECK(s3_place_of(endpoint, region, bucket, addressing, &p, &e) == 0);
	return p;
}

static void
amazon_is_addressed_by_virtual_host(void)
{
	struct s3_place p = place(NULL, "eu-west-1", "buck-et", NULL);

	CHECK_STR(p.origin, "https://buck-et.s3.eu-west-1.amazonaws.com");
	CHECK_STR(p.host, "buck-et.s3.eu-west-1.amazonaws.com");
	CHECK_STR(p.base, "");
	CHECK(p.virtual_host && p.aws && p.https);
	p = place(NULL, "cn-north-1", "b-b", NULL);
	CHECK_STR(p.host, "b-b.s3.cn-north-1.amazonaws.com.cn");
}

static void
a_bucket_with_a_dot_and_other_stores_are_addressed_by_path(void)
{
	struct s3_place p = place(NULL, "eu-west-1", "a.b", "auto");

	CHECK_STR(p.origin, "https://s3.eu-west-1.amazonaws.com");
	CHECK_STR(p.base, "/a.b");
	p = place("http://Store.local:9000/s3 x/", "r", "b_b", NULL);
	CHECK_STR(p.origin, "http://store.local:9000");
	CHECK_STR(p.base, "/s3%20x/b_b");
	CHECK(!p.https && !p.virtual_host && !p.aws);
	p = place("https://h:443", "r", "bbb", "virtual");
	CHECK_STR(p.host, "bbb.h");
	p = place("http://[::1]:80", "r", "bbb", "path");
	CHECK_STR(p.origin, "http://[::1]");
	p = place("https://evil.example/amazonaws.com", "r", "bbb", NULL);
	CHECK(!p.aws);
}

static void
what_is_no_endpoint_is_refused(void)
{
	static const char *const bad[] = {"ftp://x", "host:9000", "http://",
	    "http://a b", "http://u@h", "http://h/?q", "https:///x",
	    "http://h\r\nX: y"};
	struct s3_place p;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(s3_place_of(bad[i], "r", "bbb", NULL, &p, &e) == -1);
		CHECK(e.kind == ERR_CONFIG);
	}
	CHECK(s3_place_of(NULL, "r/../x", "bbb", NULL, &p, &e) == -1);
	CHECK(s3_place_of(NULL, "", "bbb", NULL, &p, &e) == -1);
	CHECK(s3_place_of(NULL, "r", "bbb", "both", &p, &e) == -1);
	CHECK(s3_place_of("http://127.0.0.1:9000", "r", "bbb", "virtual", &p,
		  &e) == -1);
}

int
main(void)
{
	RUN(all_but_unreserved_bytes_are_encoded_once);
	RUN(what_was_encoded_is_decoded);
	RUN(amazon_is_addressed_by_virtual_host);
	RUN(a_bucket_with_a_dot_and_other_stores_are_addressed_by_path);
	RUN(what_is_no_endpoint_is_refused);
	return check_end();
}
