/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "tests/unit/check.h"
#include "transfer/s3/reply.h"
#include "transfer/s3/xml.h"

static int
on_element(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	buf_addf(arg, "%s=%s|", path, text);
	return 0;
}

static void
elements_come_with_path_and_text(void)
{
	static const char text[] = "<?xml version=\"1.0\"?><n:a xmlns:n=\"u\">"
				   "<b c=\"d\">x&amp;y<!-- - --></b><e/></n:a>";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct err e = ERR_INIT;

	CHECK(xml_parse(text, sizeof(text) - 1, on_element, &out, &e) == 0);
	CHECK_STR(buf_str(&out), "/a/b=x&y|/a/e=|/a=|");
}

static int
parse(const char *text, size_t n, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);

	return xml_parse(text, n, on_element, &out, e);
}

static void
bombs_depth_and_foreign_charsets_are_refused(void)
{
	static const char *const bad[] = {
	    "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<!DOCTYPE a><a/>",
	    "<?xml version=\"1.0\" encoding=\"koi8-r\"?><a>x</a>",
	    "<a><b></a></b>", "<a>", "", "text", "<a>\xff</a>", "<a/><b/>",
	    "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"};
	AUTO(free) char *long_text = malloc(XML_TEXT_MAX + 100);
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct err)ERR_INIT;
		CHECK(parse(bad[i], strlen(bad[i]), &e) == -1);
		CHECK(e.kind == ERR_PROTOCOL);
	}
	memset(long_text, 'x', XML_TEXT_MAX + 100);
	memcpy(long_text, "<a>", 3);
	memcpy(long_text + XML_TEXT_MAX + 96, "</a>", 4);
	CHECK(parse(long_text, XML_TEXT_MAX + 100, &e) == -1);
	CHECK(strstr(e.msg, "too much text") != NULL);
}

static void
an_error_is_read_and_made_safe(void)
{
	static const char text[] =
	    "<Error><Code>SlowDown</Code><Message>a\x1b[1m</Message>"
	    "<Region>eu</Region><RequestId>9</RequestId></Error>";
	static const char clean[] = "<Error><Code>Slow&#10;Down</Code>"
				    "<Message>a&#9;b</Message></Error>";
	struct reply_error r;

	reply_error(text, sizeof(text) - 1, &r);
	CHECK_STR(r.code, "SlowDown");
	CHECK_STR(r.message, "");
	reply_error(clean, sizeof(clean) - 1, &r);
	CHECK_STR(r.code, "Slow\\nDown");
	CHECK_STR(r.message, "a\\tb");
	reply_error("not XML", 7, &r);
	CHECK_STR(r.code, "");
}

static void
etags_lose_their_quotes(void)
{
	static const char *const forms[] = {
	    "abc", "\"abc\"", "&quot;abc&quot;", "&#34;abc&#34;", " \"abc\"\n"};
	char etag[STORE_ETAG_MAX], big[500];
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		reply_etag(forms[i], strlen(forms[i]), etag);
		CHECK_STR(etag, "abc");
	}
	memset(big, 'e', sizeof(big));
	reply_etag(big, sizeof(big), etag);
	CHECK(strlen(etag) == STORE_ETAG_MAX - 1);
	reply_etag("\"", 1, etag);
	CHECK_STR(etag, "");
}

static void
an_error_under_200_is_no_success(void)
{
	static const char error[] =
	    "<Error><Code>InternalError</Code><Message>m</Message></Error>";
	static const char done[] = "<CompleteMultipartUploadResult><ETag>"
				   "\"x-2\"</ETag>"
				   "</CompleteMultipartUploadResult>";
	struct reply_error r;
	struct err e = ERR_INIT;
	char etag[STORE_ETAG_MAX];

	CHECK(reply_result(error, sizeof(error) - 1, etag, &r, &e) == 1);
	CHECK_STR(r.code, "InternalError");
	CHECK(reply_result(done, sizeof(done) - 1, etag, &r, &e) == 0);
	CHECK_STR(etag, "x-2");
	CHECK(reply_result(" ", 1, etag, &r, &e) == -1);
}

static int
on_object(void *arg, const struct reply_object *o, struct err *e)
{
	(void)e;
	buf_addf(arg, "%s%s,%llu,%s,%lld|", o->is_prefix ? "P:" : "", o->key,
	    (unsigned long long)o->size, o->etag,
	    (long long)(o->modified_ns / 1000000));
	return 0;
}

static void
a_listing_is_decoded_and_goes_on(void)
{
	static const char text[] =
	    "<ListBucketResult><IsTruncated>true</IsTruncated>"
	    "<NextContinuationToken>t+1</NextContinuationToken>"
	    "<Contents><Key>a%2Fb+c%0A</Key><Size>7</Size>"
	    "<LastModified>2009-10-12T17:50:30.500Z</LastModified>"
	    "<ETag>&quot;e&quot;</ETag><Owner><ID>x</ID></Owner></Contents>"
	    "<Contents><Key>z</Key></Contents>"
	    "<CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes>"
	    "<EncodingType>url</EncodingType></ListBucketResult>";
	static const char plain[] =
	    "<ListBucketResult><Contents><Key>a%2Fb+c</Key><Size>1</Size>"
	    "</Contents></ListBucketResult>";
	static const char stuck[] =
	    "<ListBucketResult><IsTruncated>true</IsTruncated>"
	    "</ListBucketResult>";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	static struct reply_page page;
	struct err e = ERR_INIT;

	CHECK(reply_list(text, sizeof(text) - 1, on_object, &out, &page, &e) ==
	    0);
	CHECK_STR(buf_str(&out), "a/b c\n,7,e,1255369830500|z,0,,0|P:d/,0,,0|");
	CHECK(page.truncated);
	CHECK_STR(page.token, "t+1");
	buf_reset(&out);
	CHECK(reply_list(
		  plain, sizeof(plain) - 1, on_object, &out, &page, &e) == 0);
	CHECK_STR(buf_str(&out), "a%2Fb+c,1,,0|");
	CHECK(!page.truncated);
	CHECK(reply_list(
		  stuck, sizeof(stuck) - 1, on_object, &out, &page, &e) == -1);
}

static int
on_part(void *arg, const struct reply_part *p, struct err *e)
{
	(void)e;
	buf_addf(arg, "%u,%llu,%s,%x,%llx|", p->number,
	    (unsigned long long)p->size, p->etag, p->digest.have,
	    (unsigned long long)p->digest.crc64nvme);
	return 0;
}

static void
parts_come_with_their_checksums(void)
{
	static const char text[] =
	    "<ListPartsResult><ChecksumType>FULL_OBJECT</ChecksumType>"
	    "<IsTruncated>true</IsTruncated>"
	    "<NextPartNumberMarker>2</NextPartNumberMarker>"
	    "<Part><PartNumber>2</PartNumber><Size>5</Size><ETag>\"q\"</ETag>"
	    "<ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></Part>"
	    "</ListPartsResult>";
	static const char wrong[] =
	    "<ListPartsResult><Part><PartNumber>x</PartNumber></Part>"
	    "</ListPartsResult>";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	static struct reply_page page;
	struct err e = ERR_INIT;

	CHECK(
	    reply_parts(text, sizeof(text) - 1, on_part, &out, &page, &e) == 0);
	CHECK_STR(buf_str(&out), "2,5,q,2,ae8b14860a799888|");
	CHECK(page.truncated && page.part_marker == 2 && page.full_object);
	CHECK(reply_parts(wrong, sizeof(wrong) - 1, on_part, &out, &page, &e) ==
	    -1);
}

static int
on_upload(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	(void)e;
	buf_addf(arg, "%s,%s,%lld|", key, id, (long long)begun_ns);
	return 0;
}

static void
uploads_are_decoded_even_where_ceph_does_not_say_so(void)
{
	static const char text[] =
	    "<ListMultipartUploadsResult><NextKeyMarker>a b</NextKeyMarker>"
	    "<NextUploadIdMarker>i</NextUploadIdMarker>"
	    "<Upload><Key>a%20b%2B</Key><UploadId>i</UploadId>"
	    "<Initiated>1970-01-01T00:00:01Z</Initiated></Upload>"
	    "<Upload><Key>50% off</Key><UploadId>j</UploadId></Upload>"
	    "</ListMultipartUploadsResult>";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	static struct reply_page page;
	struct err e = ERR_INIT;

	CHECK(reply_uploads(
		  text, sizeof(text) - 1, on_upload, &out, &page, &e) == 0);
	CHECK_STR(buf_str(&out), "a b+,i,1000000000|50% off,j,0|");
	CHECK_STR(page.token, "a b");
	CHECK_STR(page.id_marker, "i");
}

static int
on_deleted(
    void *arg, const char *key, const struct reply_error *error, struct err *e)
{
	(void)e;
	buf_addf(arg, "%s:%s|", key, error != NULL ? error->code : "-");
	return 0;
}

static void
each_removal_has_its_answer(void)
{
	static const char text[] =
	    "<DeleteResult><Deleted><Key>a&amp;</Key></Deleted>"
	    "<Error><Key>b</Key><Code>AccessDenied</Code></Error>"
	    "<Deleted><Key>c</Key></Deleted></DeleteResult>";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct err e = ERR_INIT;

	CHECK(reply_deleted(text, sizeof(text) - 1, on_deleted, &out, &e) == 0);
	CHECK_STR(buf_str(&out), "a&:-|b:AccessDenied|c:-|");
}

static void
an_upload_id_must_be_there(void)
{
	static const char text[] =
	    "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
	    "</InitiateMultipartUploadResult>";
	char id[STORE_ID_MAX];
	struct err e = ERR_INIT;

	CHECK(reply_upload_id(text, sizeof(text) - 1, id, &e) == 0);
	CHECK_STR(id, "u/1");
	CHECK(reply_upload_id("<a/>", 4, id, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
}

int
main(void)
{
	RUN(elements_come_with_path_and_text);
	RUN(bombs_depth_and_foreign_charsets_are_refused);
	RUN(an_error_is_read_and_made_safe);
	RUN(etags_lose_their_quotes);
	RUN(an_error_under_200_is_no_success);
	RUN(a_listing_is_decoded_and_goes_on);
	RUN(parts_come_with_their_checksums);
	RUN(uploads_are_decoded_even_where_ceph_does_not_say_so);
	RUN(each_removal_has_its_answer);
	RUN(an_upload_id_must_be_there);
	return check_end();
}
