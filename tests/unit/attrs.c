/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/attrs.h"
#include "transfer/s3/attrtext.h"

/* All but one of the digits of a digest. */
#define ZEROS "000000000000000000000000000000000000000000000000000000000000000"
#define ACL "system.posix_acl_access"

static struct attrs *
make(unsigned kinds)
{
	struct err e = ERR_INIT;

	return attrs_new(kinds, &e);
}

static void
add(struct attrs *a, const char *name, const void *value, size_t len)
{
	struct err e = ERR_INIT;

	CHECK_UINT(attrs_add(a, name, value, len, &e), 0);
}

/* Some of each kind, the values not text. */
static struct attrs *
some(void)
{
	struct attrs *a = make(ATTRS_XATTRS | ATTRS_ACLS);

	add(a, "user.b", "\0\xff\n", 3);
	add(a, ACL, "acl", 3);
	add(a, "user.a", "", 0);
	add(a, "trusted.\xff", "x", 1);
	return a;
}

static bool
same(const struct attrs *a, const struct attrs *b)
{
	size_t i;

	if (a == NULL || b == NULL || a->n != b->n || a->kinds != b->kinds)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->each[i].name, b->each[i].name) != 0 ||
		    a->each[i].len != b->each[i].len ||
		    memcmp(a->each[i].value, b->each[i].value,
			a->each[i].len) != 0)
			return false;
	return true;
}

static void
names_have_kinds(void)
{
	CHECK_UINT(attrs_kind("user.x"), ATTRS_XATTRS);
	CHECK_UINT(attrs_kind("trusted.x"), ATTRS_XATTRS);
	CHECK_UINT(attrs_kind("security.capability"), ATTRS_XATTRS);
	CHECK_UINT(attrs_kind(ACL), ATTRS_ACLS);
	CHECK_UINT(attrs_kind("system.posix_acl_default"), ATTRS_ACLS);
	CHECK_UINT(attrs_kind("user."), 0);
	CHECK_UINT(attrs_kind("system.nfs4_acl"), 0);
	CHECK_UINT(attrs_kind(""), 0);
}

static void
they_are_sorted_and_found(void)
{
	AUTO(attrs) struct attrs *a = some();
	const struct attr *one = attrs_find(a, "user.b");

	CHECK_UINT(a->n, 4);
	CHECK_STR(a->each[0].name, ACL);
	CHECK_STR(a->each[3].name, "user.b");
	CHECK(one != NULL && one->len == 3 &&
	    memcmp(one->value, "\0\xff\n", 3) == 0);
	CHECK(attrs_find(a, "user.c") == NULL);
	CHECK(attrs_any(a, ATTRS_ACLS) && attrs_any(a, ATTRS_XATTRS));
	CHECK(!attrs_any(NULL, ATTRS_ACLS));
	attrs_keep(a, ATTRS_XATTRS);
	CHECK(a->n == 3 && a->kinds == ATTRS_XATTRS);
	CHECK(attrs_find(a, ACL) == NULL && !attrs_any(a, ATTRS_ACLS));
}

static void
bytes_bring_them_back(void)
{
	AUTO(attrs) struct attrs *a = some();
	AUTO(attrs) struct attrs *back = NULL;
	AUTO(attrs) struct attrs *copy = NULL;
	AUTO(buf) struct buf bytes = BUF_INIT(ATTRS_BYTES_MAX);
	struct err e = ERR_INIT;
	size_t i;

	attrs_format(a, &bytes);
	CHECK_UINT(bytes.len, a->bytes);
	back = attrs_parse(bytes.data, bytes.len, a->kinds, &e);
	CHECK(same(a, back));
	copy = attrs_copy(a, &e);
	CHECK(same(a, copy));
	/* Any part of it is something else, or nothing. */
	for (i = 1; i < bytes.len; i++) {
		AUTO(attrs)
		struct attrs *cut = attrs_parse(bytes.data, i, a->kinds, &e);

		CHECK(cut == NULL || cut->n < a->n);
	}
}

static void
what_makes_no_sense_is_refused(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {{"user.a", 6}, {"user.a\0\0\0\0\1", 11},
	    {"user.a\0\0\0\0\0user.a\0\0\0\0", 22},
	    {"user.a\0\xff\xff\xff\xff", 11}, {"\0\0\0\0\0", 5},
	    {"system.x\0\0\0\0", 13}, {ACL "\0\0\0\0", sizeof(ACL) + 4},
	    {"user.a\0\0\1\0\1", 11}};
	AUTO(attrs) struct attrs *a = make(ATTRS_XATTRS);
	char name[300];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(attrs_parse(cases[i].bytes, cases[i].n, ATTRS_XATTRS,
			  &e) == NULL);
		CHECK_UINT(e.kind, ERR_PROTOCOL);
	}
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = '\0';
	{
		struct err e = ERR_INIT;

		CHECK_UINT(attrs_add(a, name, "", 0, &e), -1);
		name[255] = '\0';
		CHECK_UINT(attrs_add(a, name, "", 0, &e), 0);
		CHECK_UINT(attrs_add(a, name, "", 0, &e), -1);
		CHECK_UINT(
		    attrs_add(a, "user.x", "", ATTRS_VALUE_MAX + 1, &e), -1);
		CHECK_UINT(e.kind, ERR_PROTOCOL);
	}
}

static void
all_together_have_a_limit(void)
{
	AUTO(attrs) struct attrs *a = make(ATTRS_XATTRS);
	AUTO(free) char *value = calloc(1, ATTRS_VALUE_MAX);
	struct err e = ERR_INIT;
	char name[20];
	int i;

	for (i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		add(a, name, value, ATTRS_VALUE_MAX);
	}
	CHECK_UINT(attrs_add(a, "user.more", value, ATTRS_VALUE_MAX, &e), -1);
	CHECK_UINT(a->n, 15);
}

static void
marks_tell_them_apart(void)
{
	const unsigned all = ATTRS_XATTRS | ATTRS_ACLS;
	AUTO(attrs) struct attrs *a = some();
	AUTO(attrs) struct attrs *b = some();
	AUTO(attrs) struct attrs *none = make(all);

	CHECK_UINT(attrs_mark(a, all), attrs_mark(b, all));
	CHECK_UINT(attrs_mark_kinds(attrs_mark(a, all)), all);
	CHECK_UINT(attrs_mark(NULL, ATTRS_ACLS), ATTRS_ACLS);
	CHECK_UINT(attrs_mark(none, all), all);
	CHECK_UINT(attrs_mark(a, 0), 0);
	CHECK(attrs_mark(a, all) != attrs_mark(none, all));
	CHECK(attrs_mark(a, ATTRS_XATTRS) != attrs_mark(a, all));
	((char *)b->each[3].value)[0] = 1;
	CHECK(attrs_mark(a, all) != attrs_mark(b, all));
	CHECK_UINT(attrs_mark(a, ATTRS_ACLS), attrs_mark(b, ATTRS_ACLS));
}

static void
what_is_not_known_is_taken_over(void)
{
	AUTO(attrs) struct attrs *a = make(ATTRS_XATTRS);
	AUTO(attrs) struct attrs *b = some();
	struct err e = ERR_INIT;

	add(a, "user.new", "n", 1);
	CHECK_UINT(attrs_merge(a, NULL, &e), 0);
	CHECK_UINT(a->kinds, ATTRS_XATTRS);
	CHECK_UINT(attrs_merge(a, b, &e), 0);
	CHECK_UINT(a->kinds, ATTRS_XATTRS | ATTRS_ACLS);
	CHECK(a->n == 2 && attrs_find(a, ACL) != NULL);
}

static struct attrs *
through_text(const struct attrs *a, const char **digest, struct buf *text)
{
	AUTO(buf) struct buf bytes = BUF_INIT(ATTRS_BYTES_MAX);
	struct err e = ERR_INIT;
	char hex[65];
	unsigned kinds = 0;
	struct attrs *back;

	memset(hex, 'a', 64);
	hex[64] = '\0';
	attrs_format(a, &bytes);
	attrtext_format(a->kinds, &bytes, hex, text);
	back = attrtext_parse(buf_str(text), &kinds, digest, &e);
	CHECK_UINT(kinds, a->kinds);
	CHECK(back != NULL || *digest != NULL);
	return back;
}

static void
text_of_an_object_brings_them_back(void)
{
	AUTO(attrs) struct attrs *a = some();
	AUTO(attrs) struct attrs *none = make(ATTRS_ACLS);
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(attrs) struct attrs *back = NULL;
	AUTO(attrs) struct attrs *empty = NULL;
	const char *digest;
	char big[1400] = "";

	back = through_text(a, &digest, &text);
	CHECK(same(a, back));
	buf_reset(&text);
	empty = through_text(none, &digest, &text);
	CHECK_STR(buf_str(&text), "a:");
	CHECK(same(none, empty));
	add(a, "user.big", big, sizeof(big));
	buf_reset(&text);
	CHECK(through_text(a, &digest, &text) == NULL);
	CHECK(digest != NULL && strlen(digest) == 64);
	CHECK(text.len < 100);
}

static void
hostile_text_is_refused(void)
{
	static const char *const cases[] = {"", "x", ":", "xa", "b:", "x:!",
	    "x:AAA", "x:AAAA", "x:=", "x:====", "x:sha256:", "x:sha256:abc",
	    "x:sha256:../x", "x:sha256:" ZEROS "g", "x:sha256:" ZEROS "00",
	    "a:dXNlci5hAAAAAAA=", "x:dXNlci5hAP////8="};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		const char *digest;
		unsigned kinds;

		CHECK(attrtext_parse(cases[i], &kinds, &digest, &e) == NULL);
		CHECK(digest == NULL);
		CHECK_UINT(e.kind, ERR_PROTOCOL);
	}
}

static void
what_s3fs_wrote_is_read(void)
{
	static const char *const wrong[] = {"", "{", "%7B", "%7B%22", "[]",
	    "%7B%22user.a%22%3A%22AA%22%7D", "%7B%22user.a%22%7D",
	    "%7B%22user.a%22%3A%22AA%3D%3D%22%2C%7D", "%00", "%7B%7Dx",
	    "%7B%22user.a%22%3A%22%22%2C%22user.a%22%3A%22%22%7D", "%7"};
	struct err e = ERR_INIT;
	AUTO(attrs)
	struct attrs *a = attrtext_parse_s3fs("%7B%22user.a%22%3A%22AAEC%22%2C%"
					      "22user.b%22%3A%22%22%2c%22odd%"
					      "22%3A%22%22%7D",
	    &e);
	AUTO(attrs)
	struct attrs *plain = attrtext_parse_s3fs(
	    "{ \"user.a\" : \"AAEC\", \"" ACL "\":\"AA==\" }", &e);
	AUTO(attrs) struct attrs *none = attrtext_parse_s3fs("{}", &e);
	size_t i;

	/* what isn't carried is passed over */
	CHECK(a != NULL && a->n == 2 && a->kinds == ATTRS_XATTRS);
	CHECK(plain != NULL && plain->n == 2);
	CHECK(plain != NULL && plain->kinds == (ATTRS_XATTRS | ATTRS_ACLS));
	CHECK(plain != NULL &&
	    memcmp(attrs_find(plain, "user.a")->value, "\0\1\2", 3) == 0);
	CHECK(none != NULL && none->n == 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(attrtext_parse_s3fs(wrong[i], &e) == NULL);
		CHECK_UINT(e.kind, ERR_PROTOCOL);
	}
}

int
main(void)
{
	RUN(names_have_kinds);
	RUN(they_are_sorted_and_found);
	RUN(bytes_bring_them_back);
	RUN(what_makes_no_sense_is_refused);
	RUN(all_together_have_a_limit);
	RUN(marks_tell_them_apart);
	RUN(what_is_not_known_is_taken_over);
	RUN(text_of_an_object_brings_them_back);
	RUN(hostile_text_is_refused);
	RUN(what_s3fs_wrote_is_read);
	return check_end();
}
