/* SPDX-License-Identifier: ISC */
/* A verification as a whole: two directories, or a directory and a store that
 * does what a test tells it to. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/ledger.h"
#include "agent/verify.h"
#include "tests/fakes/fakestore.h"
#include "tests/unit/check.h"
#include "tests/unit/store_at.h"
#include "tests/unit/tree.h"

#define KIB ((size_t)1 << 10)

struct rig {
	int fd, from_fd, to_fd;
	struct store *from, *to;
	struct options o;
	struct sample sample;
	struct run_stats stats;
	struct run_stats lacks; /* of an earlier run */
	atomic_bool stop_soon, stop_now;
	struct err why;
	char told[CHECK_STATUS_COUNT][400]; /* paths, a space behind each */
	struct err last;		    /* of what could not be told */
};

static void
rig_begin(struct rig *r, bool fake)
{
	char path[4200];

	memset(r, 0, sizeof(*r));
	r->fd = tree_begin();
	tree_dir(r->fd, "from");
	tree_dir(r->fd, "to");
	r->from_fd = openat(r->fd, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->to_fd = openat(r->fd, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/from", tree_path);
	r->from = store_at(path);
	snprintf(path, sizeof(path), "%s/to", tree_path);
	r->to = fake ? fake_open() : store_at(path);
	r->o = (struct options){.transfers = 4,
	    .concurrency = 3,
	    .part_bytes = 16 * KIB,
	    .threshold_bytes = 64 * KIB,
	    .memory_bytes = 4096 * KIB,
	    .retries = 3,
	    .links = SCAN_LINKS_KEEP,
	    .filter = filter_new(&r->why)};
}

static void
rig_end(struct rig *r)
{
	store_close(r->from);
	store_close(r->to);
	filter_free(r->o.filter);
	close(r->from_fd);
	close(r->to_fd);
	tree_end(r->fd);
}

static void
tell(void *arg, const struct verify_item *item)
{
	struct rig *r = arg;
	char *to = r->told[item->status];
	size_t n = strlen(to);

	snprintf(to + n, sizeof(r->told[0]) - n, "%.*s ", (int)item->path_len,
	    item->path_len > 0 ? item->path : ".");
	CHECK((item->err != NULL) == (item->status == CHECK_ERROR));
	if (item->err != NULL)
		r->last = *item->err;
}

static int
verify(struct rig *r)
{
	struct err e = ERR_INIT;
	char *aside;
	AUTO(ledger)
	struct ledger *l = ledger_open("", "", LEDGER_EMPTY, &aside, &e);
	struct verify_setup setup = {
	    .options = &r->o,
	    .source = r->from,
	    .target = r->to,
	    .ledger = l,
	    .sample = r->sample,
	    .lacks = &r->lacks,
	    .stats = &r->stats,
	    .tell = tell,
	    .arg = r,
	    .stop_soon = &r->stop_soon,
	    .stop_now = &r->stop_now,
	};

	memset(&r->stats, 0, sizeof(r->stats));
	memset(r->told, 0, sizeof(r->told));
	r->why = (struct err)ERR_INIT;
	return verify_run(&setup, &r->why);
}

static uint64_t
count(const struct rig *r, const char *name)
{
	struct stats_snapshot s = stats_snapshot(&r->stats);

#define COUNT(field)                   \
	if (strcmp(name, #field) == 0) \
		return s.field;
	STATS_COUNTERS(COUNT)
#undef COUNT
	return UINT64_MAX; /* no such counter */
}

static void
file(int fd, const char *name, size_t len, unsigned seed)
{
	unsigned char *p = malloc(len + 1);
	int to =
	    openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const struct timespec when[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (unsigned char)((seed += 0x9e3779b9) >> 24);
	CHECK(write(to, p, len) == (ssize_t)len);
	futimens(to, when);
	close(to);
	free(p);
}

static void
settle(int fd, const char *dir)
{
	const struct timespec when[2] = {{.tv_sec = 5}, {.tv_sec = 5}};

	utimensat(fd, dir, when, 0);
}

/* The same on both sides. */
static void
make_both(struct rig *r)
{
	const int fds[2] = {r->from_fd, r->to_fd};
	int i;

	for (i = 0; i < 2; i++) {
		tree_dir(fds[i], "d");
		file(fds[i], "d/small", 100, 1);
		file(fds[i], "d/empty", 0, 1);
		file(fds[i], "big", 200 * KIB + 1, 2);
		settle(fds[i], "d");
	}
}

/* Flips a byte and hides it. */
static void
flip(int fd, const char *name, off_t at)
{
	const struct timespec when[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	int to = openat(fd, name, O_RDWR | O_CLOEXEC);
	unsigned char c = 0;

	CHECK(pread(to, &c, 1, at) == 1);
	c ^= 0x10;
	CHECK(pwrite(to, &c, 1, at) == 1);
	futimens(to, when);
	close(to);
}

static void
what_is_equal_is_told_equal(void)
{
	struct rig r;

	rig_begin(&r, false);
	make_both(&r);
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "checked_equal"), 4);
	CHECK_UINT(count(&r, "checked_by_size"), 3);
	r.o.deep = true;
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "checked_by_size"), 0);
	CHECK_UINT(count(&r, "checked_by_reading"), 2);
	CHECK_UINT(count(&r, "checked_by_store"), 1); /* it is empty */
	rig_end(&r);
}

static void
a_flipped_byte_is_seen_by_reading_only(void)
{
	static const off_t at[] = {0, 16 * KIB, 100 * KIB, 200 * KIB};
	struct rig r;
	size_t i;

	rig_begin(&r, false);
	make_both(&r);
	flip(r.to_fd, "d/small", 99);
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	r.o.deep = true;
	CHECK(verify(&r) == 0);
	CHECK(!verify_is_equal(&r.o, &r.stats));
	CHECK_STR(r.told[CHECK_DIFFER], "d/small ");
	flip(r.to_fd, "d/small", 99);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		flip(r.to_fd, "big", at[i]);
		CHECK(verify(&r) == 0);
		CHECK_STR(r.told[CHECK_DIFFER], "big ");
		flip(r.to_fd, "big", at[i]);
	}
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	rig_end(&r);
}

static void
what_only_one_side_has_is_told(void)
{
	struct rig r;

	rig_begin(&r, false);
	make_both(&r);
	file(r.from_fd, "d/new", 1, 1);
	file(r.to_fd, "old", 1, 1);
	tree_dir(r.to_fd, "e");
	file(r.to_fd, "e/f", 1, 1);
	settle(r.from_fd, "d");
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_MISSING_ON_DST], "d/new ");
	CHECK_STR(r.told[CHECK_MISSING_ON_SRC], "e e/f old ");
	CHECK_STR(r.told[CHECK_DIFFER], "");
	CHECK(!verify_is_equal(&r.o, &r.stats));
	CHECK(unlinkat(r.from_fd, "d/new", 0) == 0);
	settle(r.from_fd, "d");
	CHECK(verify(&r) == 0);
	CHECK(!verify_is_equal(&r.o, &r.stats));
	r.o.one_way = true;
	CHECK(verify_is_equal(&r.o, &r.stats));
	r.o.one_way = false;
	filter_exclude(r.o.filter, "e/", &r.why);
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_MISSING_ON_SRC], "old ");
	rig_end(&r);
}

static void
a_link_is_where_it_leads(void)
{
	struct rig r;

	rig_begin(&r, false);
	tree_link(r.from_fd, "l", "one");
	tree_link(r.to_fd, "l", "two");
	tree_link(r.to_fd, "extra", "one");
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_DIFFER], "l ");
	CHECK_STR(r.told[CHECK_MISSING_ON_SRC], "extra ");
	r.o.links = SCAN_LINKS_SKIP;
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "checked_items"), 0);
	rig_end(&r);
}

static void
name(int fd, const char *old, const char *new)
{
	CHECK(linkat(fd, old, fd, new, 0) == 0);
}

static void
names_are_of_one_file_on_both_sides_or_on_none(void)
{
	struct rig r;

	rig_begin(&r, false);
	file(r.from_fd, "a", 10, 1);
	name(r.from_fd, "a", "b");
	name(r.from_fd, "a", "c");
	file(r.from_fd, "y", 10, 1);
	file(r.from_fd, "z", 10, 1);
	file(r.to_fd, "a", 10, 1);
	name(r.to_fd, "a", "b");
	file(r.to_fd, "c", 10, 1);
	file(r.to_fd, "y", 10, 1);
	name(r.to_fd, "y", "z");
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "checked_links"), 0);
	r.o.hard_links = true;
	CHECK(verify(&r) == 0);
	CHECK(!verify_is_equal(&r.o, &r.stats));
	CHECK_STR(r.told[CHECK_DIFFER], "c z ");
	CHECK_UINT(count(&r, "checked_links"), 5);
	stats_add(&r.lacks, lack_link_items, 1);
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_DIFFER], "z ");
	stats_sub(&r.lacks, lack_link_items, 1);
	/* What has further names elsewhere is no difference. */
	CHECK(unlinkat(r.to_fd, "c", 0) == 0);
	name(r.to_fd, "a", "c");
	CHECK(unlinkat(r.to_fd, "z", 0) == 0);
	file(r.to_fd, "z", 10, 1);
	name(r.fd, "from/z", "elsewhere");
	name(r.fd, "to/y", "elsewhere too");
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	rig_end(&r);
}

static void
only_the_sample_is_looked_at(void)
{
	struct rig r;
	char name[20];
	uint64_t all = 0;
	int i;

	rig_begin(&r, false);
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file(r.from_fd, name, 1, 1);
		snprintf(name, sizeof(name), "g%d", i);
		file(r.to_fd, name, 1, 1);
	}
	r.sample.slices = 4;
	for (i = 0; i < 4; i++) {
		CHECK(verify(&r) == 0);
		all +=
		    count(&r, "checked_missing") + count(&r, "checked_extra");
		CHECK(count(&r, "checked_items") < 60);
		r.sample = sample_next(&r.sample);
	}
	CHECK_UINT(all, 80);
	rig_end(&r);
}

/* As an upload by somebody else left it: the store tells a checksum. */
static void
put_fake(struct rig *r, const char *name)
{
	static unsigned char data[300 * KIB];
	int fd = openat(r->from_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	CHECK(n >= 0);
	fake_put(r->to, name, data, (size_t)n, (int64_t)5 * 1000000000);
	close(fd);
}

static void
a_failure_of_the_store_is_tried_again_then_told(void)
{
	struct rig r;

	rig_begin(&r, true);
	file(r.from_fd, "a", 10, 1);
	file(r.from_fd, "b", 10, 2);
	put_fake(&r, "a");
	put_fake(&r, "b");
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "checked_by_store"), 2);

	fake_fault(r.to,
	    &(struct fake_fault){
		.op = FAKE_STAT, .key = "a", .times = 2, .kind = ERR_SERVER});
	CHECK(verify(&r) == 0);
	CHECK(verify_is_equal(&r.o, &r.stats));
	CHECK_UINT(count(&r, "retries"), 2);

	fake_fault(r.to,
	    &(struct fake_fault){
		.op = FAKE_STAT, .key = "a", .times = 3, .kind = ERR_SERVER});
	CHECK(verify(&r) == 0);
	CHECK(!verify_is_equal(&r.o, &r.stats));
	CHECK_STR(r.told[CHECK_ERROR], "a ");
	CHECK_STR(r.told[CHECK_MATCH], "b ");
	CHECK_UINT(r.last.kind, ERR_SERVER);
	fake_forget_faults(r.to);

	fake_fault(r.to,
	    &(struct fake_fault){
		.op = FAKE_LIST, .times = 5, .kind = ERR_DENIED});
	CHECK(verify(&r) == -1);
	CHECK_UINT(r.why.kind, ERR_DENIED);
	rig_end(&r);
}

static void
a_store_that_is_gone_ends_it(void)
{
	struct rig r;
	char name[20];
	int i;

	rig_begin(&r, true);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file(r.from_fd, name, 10, 1);
		put_fake(&r, name);
	}
	r.o.retries = 1;
	fake_fault(r.to,
	    &(struct fake_fault){
		.op = FAKE_STAT, .times = 1000, .kind = ERR_NET});
	CHECK(verify(&r) == -1);
	CHECK_UINT(r.why.kind, ERR_NET);
	CHECK(strstr(r.why.msg, "given up") != NULL);
	CHECK(count(&r, "checked_errors") < 60);
	rig_end(&r);
}

static void
another_content_is_told_by_the_stores_checksum(void)
{
	struct rig r;

	rig_begin(&r, true);
	file(r.from_fd, "a", 10, 1);
	put_fake(&r, "a");
	fake_put(r.to, "a", "0123456789", 10, (int64_t)5 * 1000000000);
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_DIFFER], "a ");
	CHECK_UINT(count(&r, "checked_by_store"), 1);
	fake_prove_nothing(r.to);
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_MATCH], "a ");
	CHECK_UINT(count(&r, "checked_by_size"), 1); /* and says so */
	rig_end(&r);
}

/* A run may be going on: what the listing says is asked again. */
static void
replace(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	if (op == FAKE_STAT && strcmp(key, "a") == 0)
		put_fake(r, "a");
}

static void
a_difference_is_looked_at_again(void)
{
	struct rig r;

	rig_begin(&r, true);
	file(r.from_fd, "a", 10, 1);
	fake_put(r.to, "a", "short", 5, 7);
	fake_on_call(r.to, replace, &r);
	CHECK(verify(&r) == 0);
	CHECK_STR(r.told[CHECK_MATCH], "a ");
	rig_end(&r);
}

static void
stop_it(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	(void)key;
	if (op == FAKE_STAT)
		atomic_store(&r->stop_soon, true);
}

static void
it_can_be_stopped(void)
{
	struct rig r;
	char name[20];
	int i;

	rig_begin(&r, true);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file(r.from_fd, name, 10, 1);
		put_fake(&r, name);
	}
	fake_on_call(r.to, stop_it, &r);
	CHECK(verify(&r) == -1);
	CHECK_UINT(r.why.kind, ERR_STOPPED);
	rig_end(&r);
}

static void
put_listed(struct ledger *l, const char *path, enum item_type type)
{
	const struct store_stat st = {.type = type,
	    .size = 7,
	    .has_source_mtime = type == ITEM_FILE,
	    .mtime_ns = -5,
	    .has_owner = true,
	    .mode = 0100644,
	    .uid = UINT32_MAX,
	    .etag = "e"};
	struct err e = ERR_INIT;

	CHECK(ledger_listed_put(l, path, strlen(path), &st, &e) == 0);
}

/* 1, or 0 and the name of the first in TOLD. */
static int
take(struct ledger *l, enum ledger_side side, uint64_t ino, uint64_t other,
    const char *path, char **told)
{
	const struct ledger_pair p = {
	    .side = side,
	    .file = {.nlink = 2, .dev = UINT64_MAX, .ino = ino},
	    .other = {.nlink = other != 0 ? 2 : 1, .dev = 1, .ino = other},
	    .path = path,
	    .path_len = strlen(path),
	};
	struct err e = ERR_INIT;
	size_t len;

	return ledger_pair_take(l, &p, told, &len, &e);
}

static void
the_first_name_of_a_file_says_what_the_others_are(void)
{
	struct err e = ERR_INIT;
	char *aside, *told = NULL;
	AUTO(ledger)
	struct ledger *l = ledger_open("", "", LEDGER_EMPTY, &aside, &e);

	CHECK(ledger_pairs_begin(l, &e) == 0);
	CHECK(take(l, LEDGER_AT_SOURCE, 5, 7, "gone", &told) == 1);
	CHECK(ledger_pairs_begin(l, &e) == 0);
	CHECK(take(l, LEDGER_AT_SOURCE, 5, 8, "a\xff", &told) == 1);
	CHECK(take(l, LEDGER_AT_SOURCE, 5, 8, "b", &told) == 1);
	CHECK(told == NULL);
	CHECK(take(l, LEDGER_AT_SOURCE, 5, 9, "c", &told) == 0);
	CHECK_STR(told, "a\xff");
	CHECK(take(l, LEDGER_AT_SOURCE, 5, 0, "d", &told) == 0);
	CHECK(take(l, LEDGER_AT_TARGET, 5, 0, "e", &told) == 1);
	CHECK(take(l, LEDGER_AT_TARGET, 5, 0, "f", &told) == 0);
	CHECK_STR(told, "e");
	free(told);
}

static void
a_listing_has_each_item_once(void)
{
	struct err e = ERR_INIT;
	struct store_stat st;
	char *aside;
	AUTO(ledger)
	struct ledger *l = ledger_open("", "", LEDGER_EMPTY, &aside, &e);
	const char *path;
	size_t len;

	CHECK(ledger_listed_begin(l, &e) == 0);
	put_listed(l, "gone", ITEM_FILE);
	CHECK(ledger_listed_begin(l, &e) == 0);
	put_listed(l, "a", ITEM_FILE);
	put_listed(l, "a", ITEM_DIR);
	put_listed(l, "a/b", ITEM_FILE);
	put_listed(l, "a-", ITEM_FILE);
	put_listed(l, "a0", ITEM_FILE);
	put_listed(l, "b\xff/c", ITEM_FILE);
	CHECK(ledger_listed_take(l, "gone", 4, false, &st, &e) == 0);
	CHECK(ledger_listed_take(l, "a", 1, true, &st, &e) == 1);
	CHECK(st.type == ITEM_DIR && !st.has_source_mtime);
	CHECK(ledger_listed_take(l, "a", 1, false, &st, &e) == 1);
	CHECK(st.type == ITEM_FILE && st.has_source_mtime &&
	    st.mtime_ns == -5 && st.has_owner && st.uid == UINT32_MAX &&
	    st.size == 7 && strcmp(st.etag, "e") == 0);
	/* Rather of that kind, else of another. */
	CHECK(ledger_listed_take(l, "a0", 2, true, &st, &e) == 1);
	CHECK(st.type == ITEM_FILE);
	CHECK(ledger_listed_below(l, "b\xff", 2, &e) == 1);
	CHECK(ledger_listed_below(l, "a0", 2, &e) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 1);
	CHECK(len == 2 && memcmp(path, "a-", 2) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 1);
	CHECK(len == 3 && memcmp(path, "a/b", 3) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 1);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 0);
	CHECK(ledger_listed_pass(l, "a", 1, &e) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 1);
	CHECK(len == 2 && memcmp(path, "a-", 2) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 1);
	CHECK(len == 4 && memcmp(path, "b\xff/c", 4) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 0);
	CHECK(ledger_listed_pass(l, "", 0, &e) == 0);
	CHECK(ledger_listed_next(l, &path, &len, &st, &e) == 0);
}

int
main(void)
{
	RUN(a_listing_has_each_item_once);
	RUN(the_first_name_of_a_file_says_what_the_others_are);
	RUN(names_are_of_one_file_on_both_sides_or_on_none);
	RUN(what_is_equal_is_told_equal);
	RUN(a_flipped_byte_is_seen_by_reading_only);
	RUN(what_only_one_side_has_is_told);
	RUN(a_link_is_where_it_leads);
	RUN(only_the_sample_is_looked_at);
	RUN(a_failure_of_the_store_is_tried_again_then_told);
	RUN(a_store_that_is_gone_ends_it);
	RUN(another_content_is_told_by_the_stores_checksum);
	RUN(a_difference_is_looked_at_again);
	RUN(it_can_be_stopped);
	return check_end();
}
