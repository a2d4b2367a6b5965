/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "agent/manifest.h"
#include "agent/place.h"
#include "tests/unit/check.h"

static const struct manifest_item an_item = {
    .path = "a/b\xff\n",
    .path_len = 5,
    .st = {.type = ITEM_FILE,
	.size = UINT64_MAX,
	.mtime_ns = -1,
	.mode = S_IFREG | 04755,
	.uid = UINT32_MAX - 1,
	.gid = 5},
    .part_bytes = 16 << 20,
    .digest = {.have = DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_SHA256,
	.xxh3 = {1, 2, 255},
	.crc64nvme = 0xae8b14860a799888,
	.sha256 = {9, [31] = 7}},
    .etag = "abc-2",
    .version = "3/L4kq",
    .key = "p/a",
    .key_len = 3,
};

/* What OUT, one line, says. */
static int
parse(struct manifest_entry *m, const struct buf *out)
{
	struct err e = ERR_INIT;

	CHECK(out->len > 0 && out->data[out->len - 1] == '\n');
	CHECK(memchr(out->data, '\n', out->len - 1) == NULL);
	return manifest_parse(m, out->data, out->len - 1, &e);
}

static void
an_item_comes_back_as_it_was(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	const struct manifest_item *want = &an_item, *got;
	struct manifest_entry m;

	manifest_add_item(&out, want);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK_UINT(m.kind, MANIFEST_ITEM);
	got = &m.item;
	CHECK_UINT(got->path_len, want->path_len);
	CHECK(memcmp(got->path, want->path, want->path_len) == 0);
	CHECK_UINT(got->st.type, want->st.type);
	CHECK_UINT(got->st.size, want->st.size);
	CHECK(got->st.mtime_ns == -1);
	CHECK_UINT(got->st.mode, want->st.mode);
	CHECK_UINT(got->st.uid, want->st.uid);
	CHECK_UINT(got->st.gid, want->st.gid);
	CHECK_UINT(got->part_bytes, want->part_bytes);
	CHECK_UINT(got->digest.have, want->digest.have);
	CHECK(memcmp(got->digest.xxh3, want->digest.xxh3, 16) == 0);
	CHECK(memcmp(got->digest.sha256, want->digest.sha256, 32) == 0);
	CHECK_UINT(got->digest.crc64nvme, want->digest.crc64nvme);
	CHECK_STR(got->etag, want->etag);
	CHECK_STR(got->version, want->version);
	manifest_entry_clear(&m);
}

static void
attributes_links_and_times_come_back(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;
	AUTO(attrs) struct attrs *a = attrs_new(ATTRS_XATTRS | ATTRS_ACLS, &e);
	struct manifest_item item = {.path = "f",
	    .path_len = 1,
	    .st = {.type = ITEM_FILE,
		.mtime_ns = INT64_MIN + 1,
		.has_atime = true,
		.atime_ns = -7,
		.attrs = a},
	    .link = "12ab-1"};
	const struct manifest_head head = {.task = "t",
	    .source = "/s",
	    .target = "/d",
	    .root = {
		.type = ITEM_DIR, .mtime_ns = 5, .mode = 040700, .attrs = a}};
	struct manifest_entry m;

	CHECK_UINT(attrs_add(a, "user.\xff=", "\0\n", 2, &e), 0);
	CHECK_UINT(attrs_add(a, "user.none", "", 0, &e), 0);
	manifest_add_item(&out, &item);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK(m.item.st.mtime_ns == INT64_MIN + 1);
	CHECK(m.item.st.has_atime && m.item.st.atime_ns == -7);
	CHECK_STR(m.item.link, "12ab-1");
	CHECK(m.item.st.attrs != NULL && m.item.st.attrs->kinds == a->kinds);
	CHECK(attrs_mark(m.item.st.attrs, 3) == attrs_mark(a, 3));
	manifest_entry_clear(&m);
	buf_reset(&out);
	manifest_add_head(&out, &head);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK(m.head.root.type == ITEM_DIR && m.head.root.mtime_ns == 5 &&
	    m.head.root.mode == 040700 && !m.head.root.has_atime);
	CHECK(attrs_mark(m.head.root.attrs, 3) == attrs_mark(a, 3));
	manifest_entry_clear(&m);
}

/* As many as an item can have. */
static void
the_longest_line_is_read(void)
{
	AUTO(buf) struct buf out = BUF_INIT(MANIFEST_LINE_MAX);
	AUTO(free) char *value = calloc(1, ATTRS_VALUE_MAX);
	struct err e = ERR_INIT;
	AUTO(attrs) struct attrs *a = attrs_new(ATTRS_XATTRS, &e);
	struct manifest_item item = {
	    .path = "f", .path_len = 1, .st = {.type = ITEM_FILE, .attrs = a}};
	struct manifest_entry m;
	char name[20];
	int i;

	for (i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		CHECK_UINT(attrs_add(a, name, value, ATTRS_VALUE_MAX, &e), 0);
	}
	manifest_add_item(&out, &item);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK(attrs_mark(m.item.st.attrs, 1) == attrs_mark(a, 1));
	manifest_entry_clear(&m);
}

static void
what_is_not_known_is_not_told(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct manifest_item item = {.path = "d",
	    .path_len = 1,
	    .st = {.type = ITEM_DIR, .mtime_ns = ITEM_TIME_UNKNOWN}};
	struct manifest_entry m;

	manifest_add_item(&out, &item);
	CHECK_STR(buf_str(&out),
	    "{\"type\":\"directory\",\"path\":\"d\",\"status\":\"done\"}\n");
	CHECK_UINT(parse(&m, &out), 0);
	CHECK(m.item.st.mode == 0 && m.item.st.mtime_ns == ITEM_TIME_UNKNOWN &&
	    m.item.digest.have == 0 && m.item.etag[0] == '\0');
	manifest_entry_clear(&m);
}

static void
head_and_tail_come_back(void)
{
	const struct manifest_head head = {.task = "t",
	    .source = "/s\xff",
	    .target = "s3://b",
	    .run_id = 7,
	    .not_held = {.owner = true, .mtime = true, .acls = true}};
	const struct manifest_tail tail = {
	    .items = 3, .bytes = UINT64_MAX, .sha256 = {1}};
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct manifest_entry m;

	manifest_add_head(&out, &head);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK_UINT(m.kind, MANIFEST_HEAD);
	CHECK_STR(m.head.task, "t");
	CHECK_STR(m.head.target, "s3://b");
	CHECK_UINT(m.head.run_id, 7);
	CHECK(m.head.not_held.owner && m.head.not_held.mtime &&
	    !m.head.not_held.mode && m.head.not_held.acls &&
	    !m.head.not_held.xattrs && !m.head.not_held.links);
	manifest_entry_clear(&m);
	buf_reset(&out);
	manifest_add_tail(&out, &tail);
	CHECK_UINT(parse(&m, &out), 0);
	CHECK_UINT(m.kind, MANIFEST_TAIL);
	CHECK_UINT(m.tail.items, 3);
	CHECK_UINT(m.tail.bytes, UINT64_MAX);
	CHECK(memcmp(m.tail.sha256, tail.sha256, 32) == 0);
	manifest_entry_clear(&m);
}

static void
nonsense_is_refused_and_named(void)
{
	static const struct {
		const char *line, *says;
	} bad[] = {
	    {"", "byte"},
	    {"[]", "\"type\""},
	    {"{}", "\"type\""},
	    {"{\"type\":\"socket\",\"path\":\"a\"}", "\"type\""},
	    {"{\"type\":\"file\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"/a\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"a/\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"a/../b\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"..\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"a//b\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"./a\",\"size\":1}", "\"path\""},
	    {"{\"type\":\"file\",\"path\":\"a\\u0000\",\"size\":1}",
		"\"path\""},
	    /* "../x" */
	    {"{\"type\":\"file\",\"path\":\"a\",\"path_base64\":\"Li4veA==\","
	     "\"size\":1}",
		"\"path\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"path_base64\":\"L\","
	     "\"size\":1}",
		"\"path_base64\""},
	    {"{\"type\":\"file\",\"path\":\"a\"}", "\"size\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":-1}", "\"size\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1.5}", "\"size\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":"
	     "18446744073709551616}",
		"\"size\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"mode\":\"8\"}",
		"\"mode\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"mode\":\"7\"}",
		"\"uid\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"xxh3\":\"12\"}",
		"\"xxh3\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"xattrs\":5}",
		"\"xattrs\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"xattrs\":\"\"}",
		"\"xattrs\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"xattrs\":\"x:="
	     "\"}",
		"\"xattrs\""},
	    /* "user.a" and no more */
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,"
	     "\"xattrs\":\"x:dXNlci5h\"}",
		"\"xattrs\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"link\":\"\"}",
		"\"link\""},
	    {"{\"type\":\"directory\",\"path\":\"a\",\"link\":\"1\"}",
		"\"link\""},
	    {"{\"type\":\"file\",\"path\":\"a\",\"size\":1,"
	     "\"atime_ns\":\"1\"}",
		"\"atime_ns\""},
	    {"{\"type\":\"manifest\"}", "\"format\""},
	    {"{\"type\":\"manifest\",\"format\":2}", "format 2"},
	    {"{\"type\":\"manifest\",\"format\":1,\"task\":5}", "\"task\""},
	    {"{\"type\":\"end\"}", "\"items\""},
	    {"{\"type\":\"end\",\"items\":1,\"bytes\":1,\"sha256\":\"zz\"}",
		"\"sha256\""},
	};
	struct manifest_entry m;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(manifest_parse(
			  &m, bad[i].line, strlen(bad[i].line), &e) == -1);
		CHECK_UINT(e.kind, ERR_PROTOCOL);
		if (strstr(e.msg, bad[i].says) == NULL) {
			fprintf(stderr, "%s: %s\n", bad[i].line, e.msg);
			check_failures++;
		}
		manifest_entry_clear(&m);
	}
}

static void
a_place_is_a_directory_and_a_name(void)
{
	static const struct {
		const char *where, *directory, *name;
	} good[] = {{"m", ".", "m"}, {"d/m", "d", "m"}, {"/m", "/", "m"},
	    {"/a/b/m", "/a/b", "m"}, {"s3://bkt/m", "s3://bkt/", "m"},
	    {"s3://bkt/p/q/m.jsonl", "s3://bkt/p/q", "m.jsonl"},
	    {"sftp://u@h:22/m", "sftp://u@h:22/", "m"},
	    {"sftp://h/~/m", "sftp://h/~", "m"},
	    {"nfs://h/e/m?version=3", "nfs://h/e?version=3", "m"},
	    {"file:///m", "file:///", "m"}};
	static const char *const bad[] = {
	    "", "d/", "s3://bkt", "s3://bkt/", "sftp://h", "/", "ftp://h/m"};
	char *directory, *name;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(place_split(good[i].where, &directory, &name, &e) == 0);
		CHECK_STR(directory, good[i].directory);
		CHECK_STR(name, good[i].name);
		free(directory);
		free(name);
		CHECK(place_check(good[i].where, &e) == 0);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(place_check(bad[i], &e) == -1 && e.kind == ERR_USAGE);
}

int
main(void)
{
	RUN(an_item_comes_back_as_it_was);
	RUN(attributes_links_and_times_come_back);
	RUN(the_longest_line_is_read);
	RUN(what_is_not_known_is_not_told);
	RUN(head_and_tail_come_back);
	RUN(nonsense_is_refused_and_named);
	RUN(a_place_is_a_directory_and_a_name);
	return check_end();
}
