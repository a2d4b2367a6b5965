/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/bundle/manifest.h"

#define ID "0123456789abcdef0123456789abcdef"
#define SHA ID ID

static void
fill(struct bundle_manifest *m)
{
	struct err e = ERR_INIT;
	struct bundle_volume *v;

	*m = (struct bundle_manifest){
	    .state = BUNDLE_CLOSED,
	    .id = ID,
	    .disk = 2,
	    .created_ns = (int64_t)1700000000 * 1000000000,
	    .items = 5,
	    .bytes = 1234567890123,
	    .index_bytes = 77,
	    .index_sha256 = SHA,
	};
	v = bundle_manifest_add(m, &e);
	*v = (struct bundle_volume){.number = 1,
	    .disk = 1,
	    .bytes = 2048,
	    .tar_bytes = 2048,
	    .index_bytes = 3,
	    .index_sha256 = SHA};
	v = bundle_manifest_add(m, &e);
	*v = (struct bundle_volume){.number = 5,
	    .disk = 2,
	    .bytes = 10240,
	    .index_bytes = 4,
	    .index_sha256 = SHA};
}

static void
what_was_written_is_read(void)
{
	int dir = tree_begin();
	struct bundle_manifest m, is = {0};
	const struct bundle_volume *v;
	struct err e = ERR_INIT;

	CHECK(bundle_manifest_read(dir, &is, &e) == 0);
	fill(&m);
	CHECK(bundle_manifest_write(dir, &m, &e) == 0);
	CHECK(bundle_manifest_read(dir, &is, &e) == 1);
	CHECK_STR(is.digest, m.digest);
	CHECK_STR(is.id, ID);
	CHECK_STR(is.base, "");
	CHECK(is.state == BUNDLE_CLOSED && is.disk == 2 && is.n == 2);
	CHECK(is.bytes == m.bytes && is.created_ns == m.created_ns);
	v = bundle_manifest_volume(&is, 5);
	CHECK(v != NULL && v->bytes == 10240 && v->disk == 2);
	CHECK(bundle_manifest_volume(&is, 4) == NULL);
	bundle_manifest_clear(&is);
	bundle_manifest_clear(&m);
	tree_end(dir);
}

/* A byte of the file, whichever, makes it another one. */
static void
a_flipped_bit_is_found(void)
{
	int dir = tree_begin(), fd;
	struct bundle_manifest m, is;
	struct err e = ERR_INIT;
	off_t at, size;
	char c;

	fill(&m);
	CHECK(bundle_manifest_write(dir, &m, &e) == 0);
	fd = openat(dir, "bundle.json", O_RDWR | O_CLOEXEC);
	size = lseek(fd, 0, SEEK_END);
	for (at = 0; at < size; at++) {
		CHECK(pread(fd, &c, 1, at) == 1);
		c ^= 1;
		CHECK(pwrite(fd, &c, 1, at) == 1);
		CHECK(bundle_manifest_read(dir, &is, &e) == -1);
		c ^= 1;
		CHECK(pwrite(fd, &c, 1, at) == 1);
	}
	CHECK(bundle_manifest_read(dir, &is, &e) == 1);
	bundle_manifest_clear(&is);
	unlinkat(dir, "bundle.json.sha256", 0);
	CHECK(bundle_manifest_read(dir, &is, &e) == -1);
	CHECK(e.kind == ERR_MISMATCH);
	close(fd);
	bundle_manifest_clear(&m);
	tree_end(dir);
}

static void
nonsense_is_refused_by_name(void)
{
	static const struct {
		const char *from, *to, *named;
	} cases[] = {
	    {"dray-bundle-1", "dray-bundle-9", "dray-bundle-1"},
	    {"\"created\":\"2", "\"created\":\"3", "created"},
	    {"\"disk\":2", "\"disk\":0", "disk"},
	    {"\"disk\":2", "\"disk\":-2", "disk"},
	    {"\"id\":\"0", "\"id\":\"g", "\"id\""},
	    {"\"state\":\"closed\"", "\"state\":\"what\"", "state"},
	    {"\"volume\":5", "\"volume\":1", "volume"},
	    {"\"volume\":1", "\"volume\":0", "volume"},
	    {"\"bytes\":2048", "\"bytes\":1e9", "bytes"},
	    {"\"bytes\":2048", "\"bytes\":18446744073709551615", "bytes"},
	    {"\"volumes\":[", "\"tomes\":[", "volumes"},
	};
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	struct bundle_manifest m, is;
	size_t i;

	fill(&m);
	bundle_manifest_format(&m, &text);
	bundle_manifest_clear(&m);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) struct buf bad = BUF_INIT(1 << 16);
		const char *at = strstr(buf_str(&text), cases[i].from);
		struct err e = ERR_INIT;

		CHECK(at != NULL);
		if (at == NULL)
			continue;
		buf_add(&bad, text.data, (size_t)(at - text.data));
		buf_adds(&bad, cases[i].to);
		buf_adds(&bad, at + strlen(cases[i].from));
		CHECK(bundle_manifest_parse(&is, buf_str(&bad), bad.len, &e) ==
		    -1);
		CHECK(e.kind == ERR_PROTOCOL &&
		    strstr(e.msg, cases[i].named) != NULL);
	}
}

int
main(void)
{
	RUN(what_was_written_is_read);
	RUN(a_flipped_bit_is_found);
	RUN(nonsense_is_refused_by_name);
	return check_end();
}
