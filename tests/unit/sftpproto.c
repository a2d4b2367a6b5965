/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "transfer/sftp/proto.h"

static struct err e;

/* The packet that is being made up. */
static struct buf b = BUF_INIT(1 << 20);

static void
begin(uint8_t type)
{
	buf_reset(&b);
	buf_addc(&b, (char)type);
	proto_u32(&b, 77);
}

static int
read_reply(struct proto_reply *r)
{
	return proto_reply((const uint8_t *)buf_str(&b), b.len, r, &e);
}

static void
requests_have_length_type_and_id(void)
{
	struct proto_attrs a = {
	    .have = PROTO_ATTR_MODE | PROTO_ATTR_TIMES,
	    .mode = 0644,
	    .atime = 1,
	    .mtime = 2,
	};
	static const uint8_t want[] = {0, 0, 0, 29, PROTO_SETSTAT, 1, 2, 3, 4,
	    0, 0, 0, 4, '/', 'a', '/', 'b', 0, 0, 0, 12, 0, 0, 1, 0244, 0, 0, 0,
	    1, 0, 0, 0, 2};
	size_t start;

	buf_reset(&b);
	start = proto_begin(&b, PROTO_SETSTAT);
	proto_string(&b, "/a/b", 4);
	proto_attrs(&b, &a);
	proto_end(&b, start, 0);
	proto_set_id(b.data + start, 0x01020304);
	CHECK(!buf_failed(&b));
	CHECK_UINT(b.len, sizeof(want));
	CHECK(b.len == sizeof(want) && memcmp(b.data, want, b.len) == 0);
}

static void
lengths_are_bounded(void)
{
	static const uint8_t huge[] = {0x40, 0, 0, 0};
	static const uint8_t tiny[] = {0, 0, 0, 4};
	static const uint8_t fine[] = {0, 0, 0, 5};
	size_t n = 1;

	CHECK(proto_length(fine, 3, &n, &e) == 0 && n == 0);
	CHECK(proto_length(fine, 4, &n, &e) == 0 && n == 5);
	CHECK(proto_length(huge, 4, &n, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
	CHECK(proto_length(tiny, 4, &n, &e) == -1);
	CHECK(proto_length((const uint8_t *)"Welc", 4, &n, &e) == -1);
	CHECK(strstr(e.msg, "login script") != NULL);
}

static void
replies_are_read(void)
{
	struct proto_reply r;

	begin(PROTO_STATUS);
	proto_u32(&b, PROTO_FAILURE);
	proto_string(&b, "why", 3);
	proto_string(&b, "en", 2);
	CHECK(read_reply(&r) == 0);
	CHECK(r.id == 77 && r.status == PROTO_FAILURE && r.len == 3);
	begin(PROTO_STATUS); /* as old servers do */
	proto_u32(&b, PROTO_OK);
	CHECK(read_reply(&r) == 0 && r.status == PROTO_OK);
	begin(PROTO_DATA);
	proto_string(&b, "bytes", 5);
	CHECK(read_reply(&r) == 0 && r.len == 5);
	CHECK(memcmp(r.data, "bytes", 5) == 0);
}

/* Each reply cut at each byte is refused, or has nothing beyond its end. */
static void
what_is_cut_off_is_refused(void)
{
	static const uint8_t types[] = {
	    PROTO_STATUS, PROTO_HANDLE, PROTO_DATA, PROTO_ATTRS};
	struct proto_reply r;
	size_t i, len;

	for (i = 0; i < sizeof(types); i++) {
		begin(types[i]);
		if (types[i] == PROTO_STATUS)
			proto_u32(&b, PROTO_EOF);
		if (types[i] == PROTO_ATTRS)
			proto_attrs(&b,
			    &(struct proto_attrs){
				.have = PROTO_ATTR_SIZE | PROTO_ATTR_OWNER});
		else
			proto_string(&b, "abcdef", 6);
		CHECK(read_reply(&r) == 0);
		for (len = 0; len < b.len; len++) {
			/* a status needs no message */
			if (types[i] == PROTO_STATUS && len == 9)
				continue;
			CHECK(proto_reply(
				  (const uint8_t *)b.data, len, &r, &e) == -1);
			CHECK(e.kind == ERR_PROTOCOL);
		}
	}
}

static void
handles_are_bounded(void)
{
	static char big[PROTO_HANDLE_MAX + 1];
	struct proto_reply r;

	begin(PROTO_HANDLE);
	proto_string(&b, big, sizeof(big) - 1);
	CHECK(read_reply(&r) == 0 && r.len == PROTO_HANDLE_MAX);
	begin(PROTO_HANDLE);
	proto_string(&b, big, sizeof(big));
	CHECK(read_reply(&r) == -1 && e.kind == ERR_PROTOCOL);
	begin(PROTO_HANDLE);
	proto_string(&b, big, 0);
	CHECK(read_reply(&r) == -1);
	begin(99);
	CHECK(read_reply(&r) == -1 && e.kind == ERR_PROTOCOL);
}

static void
names_come_one_after_another(void)
{
	struct proto_attrs a = {.have = PROTO_ATTR_SIZE, .size = 1ULL << 40};
	struct proto_reply r;
	struct proto_name n;

	begin(PROTO_NAME);
	proto_u32(&b, 2);
	proto_string(&b, "one", 3);
	proto_string(&b, "-rw one", 7);
	proto_attrs(&b, &a);
	proto_string(&b, "two", 3);
	proto_string(&b, "", 0);
	proto_u32(&b, 0x80000000); /* extended: one pair */
	proto_u32(&b, 1);
	proto_string(&b, "x@y", 3);
	proto_string(&b, "z", 1);
	CHECK(read_reply(&r) == 0 && r.n == 2);
	CHECK(proto_next_name(&r.rest, &n, &e) == 0);
	CHECK(n.len == 3 && memcmp(n.name, "one", 3) == 0);
	CHECK_UINT(n.attrs.size, 1ULL << 40);
	CHECK(proto_next_name(&r.rest, &n, &e) == 0);
	CHECK(memcmp(n.name, "two", 3) == 0 && r.rest.left == 0);
	CHECK(proto_next_name(&r.rest, &n, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
}

static void
greetings_tell_what_there_is(void)
{
	unsigned features = 0;

	buf_reset(&b);
	buf_addc(&b, PROTO_VERSION);
	proto_u32(&b, 3);
	CHECK(proto_version((uint8_t *)b.data, b.len, &features, &e) == 0);
	CHECK_UINT(features, 0);
	proto_string(&b, "posix-rename@openssh.com", 24);
	proto_string(&b, "1", 1);
	proto_string(&b, "fsync@openssh.com", 17);
	proto_string(&b, "9", 1); /* another version of it */
	CHECK(proto_version((uint8_t *)b.data, b.len, &features, &e) == 0);
	CHECK_UINT(features, PROTO_HAS_POSIX_RENAME);
	CHECK(proto_version((uint8_t *)b.data, b.len - 1, &features, &e) == -1);
	b.data[4] = 2;
	CHECK(proto_version((uint8_t *)b.data, b.len, &features, &e) == -1);
	CHECK(e.kind == ERR_UNSUPPORTED);
}

int
main(void)
{
	RUN(requests_have_length_type_and_id);
	RUN(lengths_are_bounded);
	RUN(replies_are_read);
	RUN(what_is_cut_off_is_refused);
	RUN(handles_are_bounded);
	RUN(names_come_one_after_another);
	RUN(greetings_tell_what_there_is);
	buf_free(&b);
	return check_end();
}
