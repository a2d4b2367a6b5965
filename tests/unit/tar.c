/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "transfer/attrs.h"
#include "transfer/pack/tar.h"

#define SECOND 1000000000

static struct item_stat
file_of(uint64_t size)
{
	return (struct item_stat){
	    .type = ITEM_FILE,
	    .mode = 0100640,
	    .uid = 1000,
	    .gid = 100,
	    .size = size,
	    .mtime_ns = (int64_t)1600000000 * SECOND,
	};
}

static void
add(struct buf *out, const char *name, const struct item_stat *st,
    const char *link)
{
	struct tar_member m = {
	    .name = name,
	    .name_len = strlen(name),
	    .st = st,
	    .size = link == NULL ? st->size : 0,
	    .link = link,
	    .link_len = link != NULL ? strlen(link) : 0,
	};

	buf_reset(out);
	tar_add_header(out, &m);
	CHECK(!buf_failed(out) && out->len % TAR_BLOCK == 0);
}

/* Whether the header at AT sums up to what it says. */
static bool
sums_up(const struct buf *b, size_t at)
{
	unsigned sum = 0, i;

	for (i = 0; i < TAR_BLOCK; i++)
		sum +=
		    i >= 148 && i < 156 ? ' ' : (unsigned char)b->data[at + i];
	return strtoul(b->data + at + 148, NULL, 8) == sum;
}

static bool
has(const struct buf *b, const char *record)
{
	return memmem(b->data, b->len, record, strlen(record)) != NULL;
}

static void
what_fits_is_one_ustar_header(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct item_stat st = file_of(12345);

	add(&b, "a/b", &st, NULL);
	CHECK_UINT(b.len, TAR_BLOCK);
	CHECK_STR(b.data, "a/b");
	CHECK_STR(b.data + 100, "0000640");
	CHECK_STR(b.data + 124, "00000030071");
	CHECK_STR(b.data + 136, "13727410000");
	CHECK(
	    b.data[156] == '0' && memcmp(b.data + 257, "ustar\00000", 8) == 0);
	CHECK(sums_up(&b, 0));
	CHECK_UINT(tar_padding(12345), 455);
	CHECK_UINT(tar_padding(0) + tar_padding(1024), 0);
}

static void
types_are_told(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct item_stat st = file_of(0);

	add(&b, "hard", &st, "a/b");
	CHECK(b.data[156] == '1');
	CHECK_STR(b.data + 157, "a/b");
	st.type = ITEM_DIR;
	add(&b, "d", &st, NULL);
	CHECK(b.data[156] == '5');
	CHECK_STR(b.data, "d/");
	add(&b, "", &st, NULL);
	CHECK_STR(b.data, "./");
	st.type = ITEM_SYMLINK;
	add(&b, "l", &st, "../x");
	CHECK(b.data[156] == '2');
	CHECK_STR(b.data + 157, "../x");
}

static void
long_names_are_split_or_extended(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct item_stat st = file_of(0);
	char name[400];

	memset(name, 'n', sizeof(name));
	name[155] = '/';
	name[256] = '\0';
	add(&b, name, &st, NULL);
	CHECK_UINT(b.len, TAR_BLOCK);
	CHECK(memcmp(b.data, name + 156, 100) == 0);
	CHECK(memcmp(b.data + 345, name, 155) == 0);
	/* A byte more, and no slash is in the right place. */
	name[155] = 'n';
	name[156] = '/';
	add(&b, name, &st, NULL);
	CHECK_UINT(b.len, 3 * TAR_BLOCK);
	CHECK(b.data[156] == 'x' && sums_up(&b, 0) && sums_up(&b, 1024));
	CHECK(has(&b, "266 path=nnn"));
	CHECK(!has(&b, "hdrcharset"));
	name[3] = '\xff';
	add(&b, name, &st, name);
	CHECK(has(&b, "hdrcharset=BINARY") && has(&b, "270 linkpath=nnn"));
}

static void
what_is_beyond_ustar_is_extended(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct item_stat st = file_of((uint64_t)8 << 30);

	st.mtime_ns += 5;
	st.uid = 3000000;
	st.gid = 4294967294;
	st.has_atime = true;
	st.atime_ns = -(SECOND / 4 * 5);
	add(&b, "a", &st, NULL);
	CHECK(has(&b, "30 mtime=1600000000.000000005\n"));
	CHECK(has(&b, "22 atime=-1.250000000\n"));
	CHECK(has(&b, "15 uid=3000000\n") && has(&b, "18 gid=4294967294\n"));
	CHECK(has(&b, "19 size=8589934592\n"));
	st = file_of(8589934591);
	add(&b, "a", &st, NULL);
	CHECK_UINT(b.len, TAR_BLOCK);
}

static void
attributes_and_acls_have_the_names_that_others_know(void)
{
	static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255,
	    255, 255, 2, 0, 4, 0, 210, 4, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
	    16, 0, 5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	AUTO(attrs) struct attrs *a = attrs_new(ATTRS_XATTRS | ATTRS_ACLS, &e);
	struct item_stat st = file_of(0);

	CHECK(attrs_add(a, "user.a=b%", "v\0w", 3, &e) == 0);
	CHECK(
	    attrs_add(a, "system.posix_acl_access", acl, sizeof(acl), &e) == 0);
	st.attrs = a;
	add(&b, "a", &st, NULL);
	CHECK(memmem(b.data, b.len, "34 SCHILY.xattr.user.a%3Db%25=v\0w\n",
		  34) != NULL);
	CHECK(has(&b,
	    "SCHILY.acl.access=user::rw-,user:1234:r--,group::r--,"
	    "mask::r-x,other::---\n"));
	/* Another name has those of the file. */
	add(&b, "b", &st, "a");
	CHECK_UINT(b.len, TAR_BLOCK);
}

static void
a_records_length_counts_its_own_digits(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct item_stat st = file_of(0);
	char name[1200], *end;
	size_t n;

	for (n = 257; n < 1100; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		add(&b, name, &st, NULL);
		CHECK_UINT(strtoul(b.data + TAR_BLOCK, &end, 10),
		    (size_t)((char *)memchr(
				 b.data + TAR_BLOCK, '\n', b.len - TAR_BLOCK) -
			(b.data + TAR_BLOCK)) +
			1);
		CHECK(*end == ' ');
	}
}

int
main(void)
{
	RUN(what_fits_is_one_ustar_header);
	RUN(types_are_told);
	RUN(long_names_are_split_or_extended);
	RUN(what_is_beyond_ustar_is_extended);
	RUN(attributes_and_acls_have_the_names_that_others_know);
	RUN(a_records_length_counts_its_own_digits);
	return check_end();
}
