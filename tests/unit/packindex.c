/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "base/scratch.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/pack/index.h"

static struct pack_record
file(const char *path, uint64_t order)
{
	return (struct pack_record){
	    .path = path,
	    .path_len = strlen(path),
	    .st = {.type = ITEM_FILE, .size = order, .mtime_ns = 5},
	    .order = order,
	};
}

static bool
later(void *arg, struct pack_entry *kept, struct pack_entry *next)
{
	++*(unsigned *)arg;
	return next->record.order > kept->record.order;
}

/* An index of the N paths at PATHS, added in that order. */
static struct pack_index *
index_of(const char *const *paths, size_t n, size_t memory, unsigned *same)
{
	struct pack_sort_options o = {
	    .memory_bytes = memory,
	    .same = same != NULL ? later : NULL,
	    .arg = same,
	};
	struct err e = ERR_INIT;
	AUTO(pack_sort) struct pack_sort *s = pack_sort_new(&o, &e);
	struct pack_written written;
	int fd = scratch_open(&e);
	size_t i;

	CHECK(s != NULL && fd != -1);
	for (i = 0; i < n; i++) {
		struct pack_record r = file(paths[i], i + 1);

		CHECK(pack_sort_add(s, &r, &e) == 0);
	}
	CHECK(pack_sort_finish(s, fd, &written, &e) == 0);
	return pack_index_open(fd, &e);
}

struct seen {
	char text[4096];
	size_t n;
};

static int
see(void *arg, const struct pack_record *m, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	if (strlen(s->text) + m->path_len + 2 < sizeof(s->text)) {
		strncat(s->text, m->path, m->path_len);
		strncat(s->text, " ", 2);
	}
	s->n++;
	return 0;
}

static void
children_lie_together(void)
{
	static const char *const paths[] = {
	    "b/x", "a", "b", "b/c/d", "b-", "c", "b/a", "b/c"};
	AUTO(pack_index) struct pack_index *x = index_of(paths, 8, 0, NULL);
	struct seen all = {0}, root = {0}, b = {0}, none = {0};
	struct err e = ERR_INIT;

	CHECK(pack_index_each(x, see, &all, &e) == 0);
	CHECK_STR(all.text, "a b b- c b/a b/c b/x b/c/d ");
	CHECK(pack_index_list(x, "", see, &root, &e) == 0);
	CHECK_STR(root.text, "a b b- c ");
	CHECK(pack_index_list(x, "b", see, &b, &e) == 0);
	CHECK_STR(b.text, "b/a b/c b/x ");
	CHECK(pack_index_list(x, "zz", see, &none, &e) == 0 && none.n == 0);
}

static void
any_number_is_sorted_in_little_memory(void)
{
	enum { COUNT = 20000 };
	static char names[COUNT][16];
	static const char *paths[COUNT];
	AUTO(pack_index) struct pack_index *x = NULL;
	struct seen all = {0};
	struct err e = ERR_INIT;
	struct pack_entry m;
	size_t i;

	for (i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "d%zu/f%zu", i % 7,
		    i * 7919 % COUNT);
		paths[i] = names[i];
	}
	x = index_of(paths, COUNT, 100000, NULL);
	CHECK(pack_index_each(x, see, &all, &e) == 0);
	CHECK_UINT(all.n, COUNT);
	for (i = 0; i < COUNT; i += 97) {
		CHECK(pack_index_find(x, names[i], strlen(names[i]), &m, &e) ==
		    1);
		CHECK_UINT(m.record.order, i + 1);
		pack_entry_clear(&m);
	}
	CHECK(pack_index_find(x, "d0", 2, &m, &e) == 0);
	CHECK(pack_index_find(x, "d9/f1", 5, &m, &e) == 0);
	CHECK(pack_index_find(x, "", 0, &m, &e) == 0);
}

static void
of_one_path_one_stays(void)
{
	static const char *const paths[] = {"a", "b", "a", "c", "a", "b"};
	unsigned same = 0;
	AUTO(pack_index) struct pack_index *x = index_of(paths, 6, 0, &same);
	struct err e = ERR_INIT;
	struct seen all = {0};
	struct pack_entry m;

	CHECK(pack_index_each(x, see, &all, &e) == 0);
	CHECK_STR(all.text, "a b c ");
	CHECK_UINT(same, 3);
	CHECK(pack_index_find(x, "a", 1, &m, &e) == 1);
	CHECK_UINT(m.record.order, 5);
	pack_entry_clear(&m);
}

/* What was written says the same when it is read. */
static void
a_record_survives(void)
{
	struct pack_piece pieces[] = {{1, 512, 70, 9}, {2, 1024, 30, 0}};
	struct pack_extent data[] = {{0, 40}, {100, 60}};
	struct pack_record r = {
	    .path = "d/odd\xff\nname",
	    .path_len = 11,
	    .st = {.type = ITEM_FILE,
		.size = 200,
		.mode = 0100640,
		.uid = 7,
		.gid = 8,
		.mtime_ns = -5,
		.nlink = 3,
		.sparse = true},
	    .order = 77,
	    .group = 5,
	    .part_bytes = 10,
	    .digest = {.have = DIGEST_CRC64NVME, .crc64nvme = 0x123},
	    .pieces = pieces,
	    .pieces_n = 2,
	    .extents = data,
	    .extents_n = 2,
	};
	AUTO(buf) struct buf line = BUF_INIT(1 << 16);
	AUTO(buf) struct buf again = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;
	struct pack_entry m;

	pack_record_add(&line, &r);
	CHECK(pack_record_parse(&m, line.data, line.len - 1, &e) == 0);
	CHECK(
	    m.record.path_len == 11 && memcmp(m.record.path, r.path, 11) == 0);
	CHECK(m.record.pieces_n == 2 && m.record.pieces[1].offset == 1024 &&
	    m.record.pieces[0].frame == 9);
	CHECK(m.record.extents_n == 2 && m.record.st.sparse);
	CHECK(m.record.group == 5 && m.record.st.nlink == 3 &&
	    m.record.st.mtime_ns == -5);
	pack_record_add(&again, &m.record);
	CHECK_STR(buf_str(&again), buf_str(&line));
	pack_entry_clear(&m);
}

static void
nonsense_is_refused(void)
{
	static const char *const lines[] = {
	    "{\"type\":\"file\",\"path\":\"../a\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"/a\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"a//b\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"a/./b\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"a\"}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":-1}",
	    "{\"type\":\"device\",\"path\":\"a\",\"size\":0}",
	    "{\"type\":\"symlink\",\"path\":\"a\",\"size\":0}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":5,\"at\":[[1,2,4,0]]}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":5,\"at\":[[1,2,5]]}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":5,"
	    "\"at\":[[1,18446744073709551615,5,0]]}",
	    "{\"type\":\"directory\",\"path\":\"a\",\"at\":[[1,2,5,0]]}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":0,\"same_as\":\"../"
	    "b\"}",
	    "{\"type\":\"file\",\"path\":\"a\",\"size\":9,\"data\":[[4,9]]}",
	    "[]",
	    "",
	};
	struct err e;
	struct pack_entry m;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int rc = pack_record_parse(&m, lines[i], strlen(lines[i]), &e);

		CHECK(rc == -1 && e.kind == ERR_PROTOCOL);
		if (rc == 0)
			fprintf(stderr, "taken: %s\n", lines[i]);
		pack_entry_clear(&m);
	}
}

/* Whether an index of TEXT is read to its end. */
static bool
is_read(const char *text, struct err *e)
{
	int fd = scratch_open(e);
	AUTO(pack_index) struct pack_index *x = NULL;

	CHECK(scratch_write(fd, text, strlen(text), e) == 0);
	x = pack_index_open(fd, e);
	return pack_index_each(x, NULL, NULL, e) == 0;
}

#define LINE(path) "{\"type\":\"file\",\"path\":\"" path "\",\"size\":0}\n"

static void
what_is_out_of_order_is_named(void)
{
	struct err e = ERR_INIT;

	CHECK(is_read("", &e));
	CHECK(is_read(LINE("a") LINE("b") LINE("a/x"), &e));
	CHECK(!is_read(LINE("a") LINE("c") LINE("b"), &e));
	CHECK(strstr(e.msg, "line 3") != NULL);
	CHECK(!is_read(LINE("a") LINE("b") LINE("b"), &e));
	CHECK(strstr(e.msg, "line 3") != NULL);
	CHECK(!is_read(LINE("a") "{\"type\":", &e));
}

int
main(void)
{
	RUN(children_lie_together);
	RUN(any_number_is_sorted_in_little_memory);
	RUN(of_one_path_one_stays);
	RUN(a_record_survives);
	RUN(nonsense_is_refused);
	RUN(what_is_out_of_order_is_named);
	return check_end();
}
