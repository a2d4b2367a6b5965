/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/check.h"
#include "tests/unit/check.h"

static int
no_link(struct session *c, const char *key, struct item_stat *st, char *out,
    size_t size, size_t *len, struct err *e)
{
	(void)c;
	(void)key;
	(void)st;
	(void)out;
	(void)size;
	(void)len;
	(void)e;
	return -1;
}

static const struct store_driver directory = {
    .features = STORE_HAS_DIRS, .readlink = no_link};
static const struct store_driver objects = {.mtime_unit_ns = 1};
static const struct store_driver seconds = {.mtime_unit_ns = 1000000000};

static const struct item_stat a_file = {.type = ITEM_FILE,
    .size = 5,
    .mode = S_IFREG | 0640,
    .uid = 1,
    .gid = 2,
    .mtime_ns = 1999999999};

static struct store_stat
the_same(void)
{
	return (struct store_stat){.type = ITEM_FILE,
	    .size = 5,
	    .has_source_mtime = true,
	    .mtime_ns = 1999999999,
	    .has_owner = true,
	    .mode = S_IFREG | 0640,
	    .uid = 1,
	    .gid = 2};
}

#define ALL (CHECK_TYPE | CHECK_SIZE | CHECK_MTIME | CHECK_MODE | CHECK_OWNER)

static void
each_aspect_is_compared_and_told(void)
{
	const struct check_rules r = {.target = &directory};
	struct store_stat now = the_same();
	unsigned compared = 0;

	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared), 0);
	CHECK_UINT(compared, ALL);
	now.size = 6;
	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared), CHECK_SIZE);
	now = the_same();
	now.mtime_ns++;
	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared), CHECK_MTIME);
	now = the_same();
	now.mode = S_IFREG | 0641;
	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared), CHECK_MODE);
	now = the_same();
	now.gid = 3;
	now.size = 7;
	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared),
	    CHECK_OWNER | CHECK_SIZE);
	now.type = ITEM_DIR;
	CHECK_UINT(check_metadata(&r, &a_file, &now, &compared), CHECK_TYPE);
	CHECK_UINT(compared, CHECK_TYPE);
}

static void
what_is_not_known_or_not_kept_is_no_difference(void)
{
	struct check_rules r = {.target = &seconds};
	struct store_stat now = the_same();
	struct item_stat want = a_file;
	unsigned compared;

	now.mtime_ns = 1000000000; /* the same second */
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	now.mtime_ns = 2000000000;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), CHECK_MTIME);
	r.not_held.mtime = true;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	CHECK_UINT(compared, ALL & ~(unsigned)CHECK_MTIME);
	r.not_held.mtime = false;
	now.has_source_mtime = now.has_owner = false;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	CHECK_UINT(compared, CHECK_TYPE | CHECK_SIZE);
	now = the_same();
	now.uid = 9;
	now.mode = 0;
	r.not_held.owner = r.not_held.mode = true;
	now.mtime_ns = want.mtime_ns;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	want.mode = 0;
	want.mtime_ns = ITEM_TIME_UNKNOWN;
	r.not_held = (struct check_lacks){.owner = false};
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	CHECK_UINT(compared, CHECK_TYPE | CHECK_SIZE);
}

static void
a_link_is_listed_as_a_file_where_there_are_none(void)
{
	struct check_rules r = {.target = &objects};
	struct item_stat want = a_file;
	struct store_stat now = the_same();
	unsigned compared;

	want.type = ITEM_SYMLINK;
	now.has_owner = false; /* as listed */
	now.size = 0;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	now.has_owner = true; /* as it says itself */
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), CHECK_TYPE);
	now.type = ITEM_SYMLINK;
	now.mode = S_IFLNK | 0777; /* which means nothing */
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), 0);
	r.target = &directory;
	now = the_same();
	now.has_owner = false;
	CHECK_UINT(check_metadata(&r, &want, &now, &compared), CHECK_TYPE);
}

static void
digests_are_compared_by_all_that_both_have(void)
{
	struct digest a = {.have = DIGEST_XXH3 | DIGEST_CRC64NVME,
	    .xxh3 = {1},
	    .crc64nvme = 2};
	struct digest b = a;

	CHECK(check_digests(&a, &b) == 1);
	b.crc64nvme = 3;
	CHECK(check_digests(&a, &b) == 0);
	b.have = DIGEST_XXH3;
	CHECK(check_digests(&a, &b) == 1);
	b.xxh3[15] = 1;
	CHECK(check_digests(&a, &b) == 0);
	b.have = DIGEST_MD5 | DIGEST_SHA256 | DIGEST_CRC32C;
	CHECK(check_digests(&a, &b) == -1);
	a = b;
	CHECK(check_digests(&a, &b) == 1);
	a.sha256[31] = 1;
	CHECK(check_digests(&a, &b) == 0);
	a = b;
	a.md5[0] = 1;
	CHECK(check_digests(&a, &b) == 0);
	a = b;
	a.crc32c = 1;
	CHECK(check_digests(&a, &b) == 0);
}

static struct attrs *
attrs(unsigned kinds, const char *const *pairs)
{
	struct err e = ERR_INIT;
	struct attrs *a = attrs_new(kinds, &e);

	for (; *pairs != NULL; pairs += 2)
		CHECK(attrs_add(a, pairs[0], pairs[1], strlen(pairs[1]), &e) ==
		    0);
	return a;
}
#define BOTH (ATTRS_XATTRS | ATTRS_ACLS)
#define ATTRS(kinds, ...) attrs(kinds, (const char *const[]){__VA_ARGS__, NULL})

/* Compares and explains; frees A and B. */
static void
told_of_attrs(struct attrs *a, struct attrs *b, unsigned kinds,
    unsigned compared, const char *told)
{
	const struct check_rules r = {.attrs = kinds};
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct check *c = check_new(&e);

	CHECK(check_attrs(c, &r, a, b, &e) == 0);
	CHECK_UINT(c->compared, compared);
	check_explain(&out, c);
	CHECK_STR(buf_str(&out), told);
	attrs_free(a);
	attrs_free(b);
	check_free(c);
}

static void
the_first_attribute_that_differs_is_named(void)
{
	const char *acl = "system.posix_acl_access";
	const unsigned aspects = CHECK_XATTRS | CHECK_ACLS;

	told_of_attrs(ATTRS(BOTH, "user.a", "1", acl, "x"),
	    ATTRS(BOTH, "user.a", "1", acl, "x"), BOTH, aspects, "");
	told_of_attrs(ATTRS(BOTH, "user.a", "1", "user.b", "2"),
	    ATTRS(BOTH, "user.a", "1", "user.b", "3", "user.c", ""), BOTH,
	    aspects, "extended attribute user.b differs");
	told_of_attrs(ATTRS(BOTH, "user.b", "1"),
	    ATTRS(BOTH, "user.a", "", "user.b", "12"), BOTH, aspects,
	    "extended attribute user.a is not at the source");
	told_of_attrs(ATTRS(BOTH, "user.a", "1", acl, "x"),
	    ATTRS(BOTH, "user.b", "1"), BOTH, aspects,
	    "extended attribute user.a is missing; "
	    "ACL system.posix_acl_access is missing");
	told_of_attrs(ATTRS(BOTH, "user.\n", "1"), NULL, BOTH, aspects,
	    "extended attribute user.\\n is missing");
}

static void
attributes_that_nobody_asks_for_or_knows_are_no_difference(void)
{
	const char *acl = "system.posix_acl_access";

	told_of_attrs(ATTRS(BOTH, "user.a", "1", acl, "x"),
	    ATTRS(BOTH, "user.a", "2", acl, "x"), ATTRS_ACLS, CHECK_ACLS, "");
	told_of_attrs(ATTRS(ATTRS_XATTRS, "user.a", "1"),
	    ATTRS(BOTH, "user.a", "1", acl, "x"), BOTH, CHECK_XATTRS, "");
	told_of_attrs(NULL, ATTRS(BOTH, "user.a", "1"), BOTH, 0, "");
}

static void
attributes_that_can_not_be_held_may_be_missing_but_not_others(void)
{
	const struct check_rules r = {
	    .attrs = BOTH, .not_held = {.xattrs = true}};
	AUTO(attrs)
	struct attrs *want = ATTRS(BOTH, "trusted.a", "1", "user.b", "2");
	AUTO(attrs) struct attrs *less = ATTRS(BOTH, "user.b", "2");
	AUTO(attrs) struct attrs *other = ATTRS(BOTH, "user.b", "3");
	struct err e = ERR_INIT;
	struct check c = {.differs = 0};

	CHECK(check_attrs(&c, &r, want, less, &e) == 0);
	CHECK_UINT(c.differs, 0);
	CHECK_UINT(c.compared, CHECK_XATTRS | CHECK_ACLS);
	CHECK(check_attrs(&c, &r, want, other, &e) == 0);
	CHECK_UINT(c.differs, CHECK_XATTRS);
	CHECK_STR(c.xattr.name, "user.b");
	free(c.xattr.name);
}

static void
a_difference_is_explained(void)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct check c = {.want = a_file,
	    .now = the_same(),
	    .differs = CHECK_SIZE | CHECK_MTIME | CHECK_MODE | CHECK_OWNER};

	c.now.size = 6;
	c.now.mtime_ns = 1999999998;
	c.now.mode = S_IFREG | 0755;
	c.now.uid = 0;
	check_explain(&out, &c);
	CHECK_STR(buf_str(&out),
	    "size 6, not 5; mtime 1999999998 ns, not 1999999999; mode 0755, "
	    "not 0640; owner 0:2, not 1:2");
	buf_reset(&out);
	c.differs = CHECK_CONTENT;
	c.proof = BY_READING;
	c.bad_part = 2;
	c.part_bytes = 4;
	check_explain(&out, &c);
	CHECK_STR(
	    buf_str(&out), "content differs, first in bytes 4 to 6 (read)");
	buf_reset(&out);
	c.differs = CHECK_TYPE;
	c.now.type = ITEM_DIR;
	c.moved = true;
	check_explain(&out, &c);
	CHECK_STR(buf_str(&out),
	    "is a directory, not a file (the source changed since it was "
	    "sent)");
	buf_reset(&out);
	c.moved = false;
	c.differs = CHECK_LINKS;
	c.other = strdup("a\nb");
	c.other_len = 3;
	check_explain(&out, &c);
	c.joined = true;
	buf_adds(&out, "; ");
	check_explain(&out, &c);
	CHECK_STR(buf_str(&out),
	    "is not one file with a\\nb; is one file with a\\nb");
	free(c.other);
	CHECK(check_symbol(CHECK_MISSING_ON_SRC) == '-');
	CHECK(check_symbol(CHECK_MISSING_ON_DST) == '+');
}

int
main(void)
{
	RUN(each_aspect_is_compared_and_told);
	RUN(what_is_not_known_or_not_kept_is_no_difference);
	RUN(a_link_is_listed_as_a_file_where_there_are_none);
	RUN(digests_are_compared_by_all_that_both_have);
	RUN(the_first_attribute_that_differs_is_named);
	RUN(attributes_that_nobody_asks_for_or_knows_are_no_difference);
	RUN(attributes_that_can_not_be_held_may_be_missing_but_not_others);
	RUN(a_difference_is_explained);
	return check_end();
}
