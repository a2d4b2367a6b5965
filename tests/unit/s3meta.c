/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/s3/error.h"
#include "transfer/s3/meta.h"

static struct store_stat
parse(const char *const *lines)
{
	struct http_headers h;
	struct store_stat st = {.type = ITEM_FILE};

	http_headers_init(&h);
	for (; *lines != NULL; lines++)
		CHECK(http_headers_add(&h, *lines, strlen(*lines)) == 0);
	meta_parse(&h, &st);
	buf_free(&h.lines);
	return st;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void
metadata_is_written_as_fsx_does(void)
{
	struct item_stat st = {.mode = S_IFREG | 0664,
	    .uid = 4294967295,
	    .gid = 0,
	    .mtime_ns = 1595002920000000000};
	struct meta_text m;

	meta_format(&st, &m);
	CHECK_STR(m.permissions, "0100664");
	CHECK_STR(m.owner, "4294967295");
	CHECK_STR(m.group, "0");
	CHECK_STR(m.mtime, "1595002920000000000ns");
	st.mode = S_IFDIR | 0755;
	st.mtime_ns = INT64_MIN;
	meta_format(&st, &m);
	CHECK_STR(m.permissions, "0040755");
	CHECK_STR(m.mtime, "-9223372036854775808ns");
}

static void
groups_of_hard_links_are_written_and_read(void)
{
	struct item_stat st = {.mode = S_IFREG | 0664,
	    .nlink = 3,
	    .dev = 0xfd00,
	    .ino = UINT64_MAX};
	struct store_stat got;
	struct meta_text m;

	meta_format(&st, &m);
	CHECK_STR(m.hardlink, "fd00-ffffffffffffffff");
	st.dev = UINT64_MAX;
	meta_format(&st, &m);
	CHECK_STR(m.hardlink, "ffffffffffffffff-ffffffffffffffff");
	st.nlink = 1;
	meta_format(&st, &m);
	CHECK_STR(m.hardlink, "");
	got = PARSE("x-amz-meta-dray-hardlink: fd00-ffffffffffffffff");
	CHECK(got.nlink > 1 && got.dev == 0xfd00 && got.ino == UINT64_MAX);
	got = PARSE("X-Amz-Meta-Dray-Hardlink: 0-1");
	CHECK(got.nlink > 1 && got.dev == 0 && got.ino == 1);
	CHECK(PARSE("x-amz-meta-dray-hardlink: 1").nlink == 0);
	CHECK(PARSE("x-amz-meta-dray-hardlink: -1").nlink == 0);
	CHECK(PARSE("x-amz-meta-dray-hardlink: 1-").nlink == 0);
	CHECK(PARSE("x-amz-meta-dray-hardlink: 1-2-3").nlink == 0);
	CHECK(PARSE("x-amz-meta-dray-hardlink: 0x1-2").nlink == 0);
	CHECK(PARSE("x-amz-meta-dray-hardlink: 1- 2").nlink == 0);
	CHECK(
	    PARSE("x-amz-meta-dray-hardlink: 1-fffffffffffffffff").nlink == 0);
}

static void
all_dialects_of_permissions_are_read(void)
{
	struct store_stat st = PARSE("X-Amz-Meta-File-Permissions: 0100664",
	    "x-amz-meta-file-owner:7", "x-amz-meta-file-group:  8 \r\n");

	CHECK(st.has_owner && st.mode == 0100664 && st.uid == 7 && st.gid == 8);
	st = PARSE("x-amz-meta-file-permissions: 100755",
	    "x-amz-meta-file-owner: 1", "x-amz-meta-file-group: 2");
	CHECK(st.mode == 0100755);
	st = PARSE("x-amz-meta-mode: 100644", "x-amz-meta-uid: 1",
	    "x-amz-meta-gid: 2");
	CHECK(st.has_owner && st.mode == 0100644 && st.gid == 2);
	st = PARSE(
	    "x-amz-meta-mode: 33188", "x-amz-meta-uid: 1", "x-amz-meta-gid: 2");
	CHECK(st.mode == 0100644);
	st = PARSE(
	    "x-amz-meta-mode: 33204", "x-amz-meta-uid: 1", "x-amz-meta-gid: 2");
	CHECK(st.mode == 0100664);
	st = PARSE("x-amz-meta-mode: 16877");
	CHECK(st.type == ITEM_DIR && !st.has_owner);
	st = PARSE("x-amz-meta-mode: 41471");
	CHECK(st.type == ITEM_SYMLINK);
	st = PARSE("x-amz-meta-file-permissions: 0120777");
	CHECK(st.type == ITEM_SYMLINK);
	st = PARSE("x-amz-meta-file-permissions: 0x1ff",
	    "x-amz-meta-file-owner: -1", "x-amz-meta-file-group: 4294967296");
	CHECK(!st.has_owner && st.type == ITEM_FILE);
}

static int64_t
mtime_of(const char *line)
{
	struct store_stat st = PARSE(line);

	return st.has_source_mtime ? st.mtime_ns : -42;
}

static void
all_dialects_of_time_are_read(void)
{
	CHECK(mtime_of("x-amz-meta-file-mtime: 1595002920000000001ns") ==
	    1595002920000000001);
	CHECK(mtime_of("x-amz-meta-file-mtime: 5ns") == 5);
	CHECK(mtime_of("x-amz-meta-file-mtime: -5ns") == -5);
	CHECK(mtime_of("x-amz-meta-file-mtime: 1734968895000") ==
	    1734968895000000000);
	CHECK(mtime_of("x-amz-meta-file-mtime: 1734968895") ==
	    1734968895000000000);
	CHECK(mtime_of("x-amz-meta-mtime: 1734968895.123456789") ==
	    1734968895123456789);
	CHECK(
	    mtime_of("x-amz-meta-mtime: 1734968895.5") == 1734968895500000000);
	CHECK(mtime_of("x-amz-meta-mtime: -1.5") == -1500000000);
	CHECK(mtime_of("x-amz-meta-mtime: now") == -42);
	CHECK(mtime_of("x-amz-meta-mtime: 99999999999999999999") == -42);
	CHECK(mtime_of("x-amz-meta-mtime: 99999999999") == -42);
	CHECK(mtime_of("x-amz-meta-mtime:") == -42);
}

static void
dates_and_retry_after_are_read(void)
{
	struct http_headers h;
	int64_t ns;

	CHECK(http_parse_date("Sun, 06 Nov 1994 08:49:37 GMT", &ns));
	CHECK(ns == 784111777000000000);
	CHECK(http_parse_date("1994-11-06T08:49:37.25Z", &ns));
	CHECK(ns == 784111777250000000);
	CHECK(!http_parse_date("Sun, 06 Now 1994 08:49:37 GMT", &ns));
	CHECK(!http_parse_date("yesterday", &ns));
	CHECK(!http_parse_date("9999-11-06T08:49:37Z", &ns));
	http_headers_init(&h);
	CHECK(http_retry_after_ms(&h, 0) == 0);
	http_headers_add(&h, "Retry-After: 7", 14);
	CHECK_UINT(http_retry_after_ms(&h, 0), 7000);
	buf_reset(&h.lines);
	http_headers_add(&h, "Retry-After: 99999999999", 24);
	CHECK_UINT(http_retry_after_ms(&h, 0), 3600000);
	buf_reset(&h.lines);
	http_headers_add(&h, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", 42);
	CHECK_UINT(http_retry_after_ms(&h, 784111774000000000), 3000);
	CHECK_UINT(http_retry_after_ms(&h, 784111778000000000), 0);
	buf_free(&h.lines);
}

static void
headers_are_bounded_and_those_of_1xx_forgotten(void)
{
	static const char line[] =
	    "x: 0123456789012345678901234567890123456789";
	struct http_headers h;
	size_t n = 0;

	http_headers_init(&h);
	CHECK(http_headers_add(&h, "HTTP/1.1 100 Continue\r\n", 23) == 0);
	CHECK(http_headers_add(&h, "ETag: old\r\n", 11) == 0);
	CHECK(h.status == 100);
	CHECK(http_headers_add(&h, "HTTP/1.1 200\r\n", 14) == 0);
	CHECK(h.status == 200 && http_header(&h, "etag") == NULL);
	CHECK(http_headers_add(&h, "eTaG:new", 8) == 0);
	CHECK_STR(http_header(&h, "etag"), "new");
	CHECK(http_header(&h, "eta") == NULL);
	CHECK(http_headers_add(&h, "HTTP/1.1 xyz", 12) == -1);
	while (http_headers_add(&h, line, sizeof(line) - 1) == 0)
		n++;
	CHECK(n > 1000 && n < HTTP_HEADERS_MAX / 40);
	buf_free(&h.lines);
}

static void
errors_read_like_sentences(void)
{
	struct reply_error r = {.code = "SlowDown", .message = "less"};
	struct http_headers h;
	struct err e = ERR_INIT;

	http_headers_init(&h);
	http_headers_add(&h, "x-amz-request-id: X\x1b", 20);
	http_headers_add(&h, "Retry-After: 2", 14);
	CHECK(s3_error("PUT", 503, &r, &h, &e) == -1);
	CHECK(e.kind == ERR_THROTTLE && e.retry_after_ms == 2000);
	CHECK_STR(e.msg, "PUT: HTTP 503 SlowDown: less (request id X\\x1b)");
	buf_free(&h.lines);
}

static void
codes_and_statuses_have_kinds(void)
{
	static const struct {
		int status;
		const char *code;
		enum err_kind kind;
	} cases[] = {{503, "", ERR_THROTTLE}, {500, "", ERR_SERVER},
	    {400, "RequestTimeout", ERR_SERVER},
	    {400, "ExpiredToken", ERR_EXPIRED},
	    {403, "RequestTimeTooSkewed", ERR_SKEW},
	    {400, "BadDigest", ERR_MISMATCH}, {404, "", ERR_NOTFOUND},
	    {404, "NoSuchUpload", ERR_GONE}, {412, "", ERR_EXISTS},
	    {400, "KeyTooLongError", ERR_NAME}, {429, "", ERR_THROTTLE},
	    {418, "", ERR_PROTOCOL}, {501, "", ERR_UNSUPPORTED},
	    {200, "InternalError", ERR_SERVER}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_UINT(s3_error_kind(cases[i].status, cases[i].code),
		    cases[i].kind);
}

int
main(void)
{
	RUN(metadata_is_written_as_fsx_does);
	RUN(groups_of_hard_links_are_written_and_read);
	RUN(all_dialects_of_permissions_are_read);
	RUN(all_dialects_of_time_are_read);
	RUN(dates_and_retry_after_are_read);
	RUN(headers_are_bounded_and_those_of_1xx_forgotten);
	RUN(errors_read_like_sentences);
	RUN(codes_and_statuses_have_kinds);
	return check_end();
}
