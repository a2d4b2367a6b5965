/* SPDX-License-Identifier: ISC */
/* Files and directories as the target's: put, list, read, remove. */
#include "config.h"

#include "tests/live/conform/conform.h"
#include "transfer/retry.h"

static void
files_of_all_sizes_come_back(void)
{
	static const size_t sizes[] = {
	    0, 1, 4095, 4096, 32768, 65537, 150 * 1024 + 3};
	struct err e = ERR_INIT;
	char key[40];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(key, sizeof(key), "of %zu", sizes[i]);
		put(key, at.bytes, sizes[i]);
		holds(key, at.bytes, sizes[i]);
		WORKS(OPS->read(at.session, key, 0, NULL, 0, &e), &e);
	}
}

static void
ranges_are_read_and_no_more_than_there_is(void)
{
	static const struct {
		size_t offset, len;
		bool fits;
	} ranges[] = {{0, 1, true}, {0, 100000, true}, {99999, 1, true},
	    {32767, 2, true}, {12345, 65536, true}, {99999, 2, false},
	    {100000, 1, false}, {0, 100001, false}, {1 << 30, 1, false}};
	AUTO(free) unsigned char *got = malloc(100001);
	struct err e = ERR_INIT;
	size_t i;

	put("a/b/c", at.bytes, 100000);
	for (i = 0; got != NULL && i < sizeof(ranges) / sizeof(ranges[0]);
	     i++) {
		size_t from = ranges[i].offset, n = ranges[i].len;
		int rc = OPS->read(at.session, "a/b/c", from, got, n, &e);

		if (!ranges[i].fits)
			FAILS(rc, &e, KIND(ERR_MISMATCH));
		else if (WORKS(rc, &e))
			CLAIM(memcmp(got, at.bytes + from, n) == 0);
	}
}

static void
a_new_item_replaces_the_old_one_whole(void)
{
	struct item_stat st = a_file(5);
	struct store_stat got;
	struct err e = ERR_INIT;

	put("d/f", at.bytes, 100000);
	st.mtime_ns = 1000000000000000000;
	WORKS(put_by(at.session, "d/f", &st, "short", 5, &e), &e);
	holds_text("d/f", "short");
	if (stat_of("d/f", &got) && got.has_source_mtime)
		CLAIM(got.mtime_ns == st.mtime_ns);
	put("d/f", "", 0);
	holds("d/f", "", 0);
}

static void
a_wrong_checksum_is_refused_and_nothing_is_seen(void)
{
	struct digest d = digest_of(at.bytes, 1000);
	struct item_stat st = a_file(1000);
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (OPS->digests(at.store) == 0) {
		not_applicable("the store verifies no checksum");
		return;
	}
	put_text("old", "old");
	d.crc64nvme ^= 1;
	d.crc32c ^= 1;
	d.md5[0] ^= 1;
	d.sha256[0] ^= 1;
	FAILS(OPS->put(at.session, "wrong", &st, at.bytes, 1000, &d, &r, &e),
	    &e, KIND(ERR_MISMATCH));
	FAILS(OPS->put(at.session, "old", &st, at.bytes, 1000, &d, &r, &e), &e,
	    KIND(ERR_MISMATCH));
	CLAIM(is_absent("wrong"));
	holds_text("old", "old");
}

/* What a reader and a writer share. */
struct swap {
	atomic_bool done;
	atomic_uint reads;
};
#define SHORT_SIZE (60 * KIB)
#define LONG_SIZE (90 * KIB)

static bool
is_all(const unsigned char *p, size_t n, unsigned char c)
{
	return p[0] == c && memcmp(p, p + 1, n - 1) == 0;
}

/* One of the two versions, whole, is opened. */
static bool
one_is_opened(struct session *c, unsigned char *got)
{
	struct err e = ERR_INIT;
	struct store_file *f = OPS->open_file(c, "d/f", LONG_SIZE, &e);
	size_t n = f != NULL ? (size_t)f->state.size : 0;
	bool fine;

	/* What passes is tried again by the engine. */
	if (f == NULL)
		return CLAIM(retry_makes_sense(e.kind));
	if (n != SHORT_SIZE && n != LONG_SIZE)
		fine = false;
	else if (OPS->read_file(f, 0, got, n, &e) == 0 &&
	    OPS->check_file(f, &e) == 0)
		fine = is_all(got, n, n == SHORT_SIZE ? 's' : 'l');
	else
		fine = e.kind == ERR_CHANGED || e.kind == ERR_VANISHED ||
		    retry_makes_sense(e.kind);
	OPS->close_file(f);
	return CLAIM(fine);
}

static bool
one_is_read(struct session *c, unsigned char *got)
{
	struct err e = ERR_INIT;

	if (OPS->read(c, "d/f", 0, got, SHORT_SIZE, &e) == -1)
		return CLAIM(retry_makes_sense(e.kind));
	return CLAIM(
	    is_all(got, SHORT_SIZE, 's') || is_all(got, SHORT_SIZE, 'l'));
}

static bool
swap_or_look(struct session *c, unsigned number, void *arg)
{
	AUTO(free) unsigned char *p = malloc(LONG_SIZE);
	struct swap *swap = arg;
	struct err e = ERR_INIT;
	unsigned i;
	bool all = p != NULL;

	if (number > 0) {
		while (all && !atomic_load(&swap->done)) {
			all = one_is_opened(c, p) && one_is_read(c, p);
			atomic_fetch_add(&swap->reads, 1);
		}
		return all;
	}
	for (i = 0;
	     all && (i < 60 || atomic_load(&swap->reads) < 20) && i < 1000;
	     i++) {
		size_t n = i % 2 == 0 ? LONG_SIZE : SHORT_SIZE;
		struct item_stat st = a_file(n);

		st.mtime_ns += i;
		memset(p, i % 2 == 0 ? 'l' : 's', n);
		all = WORKS(put_by(c, "d/f", &st, p, n, &e), &e);
	}
	atomic_store(&swap->done, true);
	return all;
}

static void
a_reader_never_sees_half_an_item(void)
{
	AUTO(free) unsigned char *p = malloc(SHORT_SIZE);
	struct swap swap;

	atomic_init(&swap.done, false);
	atomic_init(&swap.reads, 0);
	if (p == NULL)
		return;
	memset(p, 's', SHORT_SIZE);
	put("d/f", p, SHORT_SIZE);
	CLAIM(in_threads(2, swap_or_look, &swap));
	remark("%u reads", atomic_load(&swap.reads));
}

static void
what_is_set_aside_is_whole_and_takes_the_place(void)
{
	struct err e = ERR_INIT;
	bool keep = false;

	if (OPS->set_aside == NULL) {
		not_applicable("nothing is set aside");
		return;
	}
	put_text("a", "one");
	put_text("x/old", "before");
	WORKS(OPS->set_aside(at.session, "a", "x/old", &keep, &e), &e);
	holds_text("x/old", "one");
	if (keep)
		holds_text("a", "one");
	else
		CLAIM(is_absent("a"));
	keep = true;
	put_text("b/b", "two");
	WORKS(OPS->set_aside(at.session, "b/b", "x/old", &keep, &e), &e);
	holds_text("x/old", "two");
	if (keep)
		holds_text("b/b", "two");
	else
		CLAIM(is_absent("b/b"));
	/* Once more: both may be one file already. */
	keep = true;
	put_text("b/b", "three");
	WORKS(OPS->set_aside(at.session, "b/b", "x/old", &keep, &e), &e);
	if (keep)
		WORKS(
		    OPS->set_aside(at.session, "b/b", "x/old", &keep, &e), &e);
	holds_text("x/old", "three");
	keep = true;
	FAILS(OPS->set_aside(at.session, "none", "x/old", &keep, &e), &e,
	    KIND(ERR_NOTFOUND));
	holds_text("x/old", "three");
}

static void
what_is_in_the_way_stays(void)
{
	struct item_stat st = a_file(1), dir = a_dir();
	struct err e = ERR_INIT;

	put_text("file", "f");
	put_text("dir/in it", "i");
	if (!HAS(STORE_HAS_DIRS)) {
		put_text("file/below", "b");
		put_text("dir", "d");
		holds_text("file/below", "b");
		holds_text("dir", "d");
	} else {
		FAILS(put_by(at.session, "file/below", &st, "x", 1, &e), &e,
		    KIND(ERR_EXISTS));
		FAILS(put_by(at.session, "dir", &st, "x", 1, &e), &e,
		    KIND(ERR_EXISTS));
		FAILS(OPS->mkdir(at.session, "file", &dir, &e), &e,
		    KIND(ERR_EXISTS));
		FAILS(OPS->mkdir(at.session, "file/sub", &dir, &e), &e,
		    KIND(ERR_EXISTS));
		CLAIM(is_absent("file/below"));
	}
	holds_text("file", "f");
	holds_text("dir/in it", "i");
}

static void
directories_are_made_with_all_above_them(void)
{
	struct item_stat st = a_dir();
	struct store_stat got;
	struct err e = ERR_INIT;

	make_dir("a/b/c");
	if (stat_of("a/b/c/", &got))
		CLAIM(got.type == ITEM_DIR);
	if (HAS(STORE_HAS_DIRS) && stat_of("a/b/", &got))
		CLAIM(got.type == ITEM_DIR);
	if (OPS->stat(at.session, "a/b/c", &got, &e) == 0)
		CLAIM(got.type == ITEM_DIR);
	else
		CLAIM(e.kind == ERR_NOTFOUND);
	put_text("a/b/c/f", "x");
	st.mtime_ns += 1000000000;
	WORKS(OPS->mkdir(at.session, "a/b/c", &st, &e), &e);
	holds_text("a/b/c/f", "x");
	WORKS(OPS->mkdir(at.session, "", &st, &e), &e);
	if (stat_of("", &got))
		CLAIM(got.type == ITEM_DIR);
	put_text("f", "x");
	FAILS(OPS->stat(at.session, "f/", &got, &e), &e, KIND(ERR_NOTFOUND));
}

static void
listings_are_whole_and_relative(void)
{
	const struct listed_entry *found;
	struct listed l;

	make_dir("d");
	make_dir("d/empty");
	put_text("d/x", "123");
	put_text("d/sub/y", "1");
	put_text("d.z", "12");
	put_text("top", "");
	l = list_of("", false);
	CLAIM(l.n == 3 && listed_find(&l, "d") != NULL &&
	    listed_find(&l, "d.z") != NULL && listed_find(&l, "top") != NULL);
	listed_free(&l);
	l = list_of("d", false);
	CLAIM(l.n == 3 && listed_find(&l, "d/sub") != NULL &&
	    listed_find(&l, "d/empty") != NULL);
	found = listed_find(&l, "d/x");
	CLAIM(found != NULL && found->st.type == ITEM_FILE &&
	    found->st.size == 3);
	found = listed_find(&l, "d/empty");
	CLAIM(found != NULL && found->st.type == ITEM_DIR);
	listed_free(&l);
	l = list_of("d", true);
	/* d/sub is there by itself only where directories are items */
	CLAIM(l.n == (HAS(STORE_HAS_DIRS) ? 4 : 3) &&
	    listed_find(&l, "d/sub/y") != NULL &&
	    listed_find(&l, "d/x") != NULL &&
	    listed_find(&l, "d/empty") != NULL);
	listed_free(&l);
	l = list_of("", true);
	CLAIM(l.n == (HAS(STORE_HAS_DIRS) ? 7 : 6));
	listed_free(&l);
	l = list_of("d/empty", true);
	CLAIM(l.n == 0);
	listed_free(&l);
	l = list_of("no/such", true);
	CLAIM(l.n == 0);
	listed_free(&l);
	l = list_of("top", true);
	CLAIM(l.n == 0);
	listed_free(&l);
}

static int
never_called(void *arg, const struct store_list_entry *entry, struct err *e)
{
	(void)arg;
	(void)entry;
	return err_set(e, ERR_BUSY, "nothing is there");
}

/* A source's that vanished is not one of which nothing is missing. */
static void
a_directory_that_is_not_there_is_no_empty_one(void)
{
	static const char *const none[] = {
	    "none", "no/such", "d/none", "d/f", "d/f/g", "link", "link/d"};
	struct item_stat st = {
	    .type = ITEM_SYMLINK, .mode = S_IFLNK | 0777, .mtime_ns = 1};
	struct err e = ERR_INIT;
	size_t i;

	put_text("d/f", "x");
	WORKS(OPS->symlink(at.session, "link", &st, ".", 1, &e), &e);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		int rc = OPS->list(
		    at.session, none[i], false, never_called, NULL, &e);

		if (HAS(STORE_HAS_DIRS)) {
			if (!FAILS(rc, &e, KIND(ERR_NOTFOUND)))
				remark("%s", none[i]);
		} else {
			WORKS(rc, &e);
		}
		rc = OPS->list(
		    at.session, none[i], true, never_called, NULL, &e);
		CLAIM(rc == -1 || e.kind == ERR_NONE);
		WORKS(rc, &e);
	}
}

static void
the_listing_says_what_stat_says(void)
{
	struct store_stat st = {0};
	const struct listed_entry *found;
	struct listed l;

	put("d/f", at.bytes, 4321);
	make_dir("d/sub");
	l = list_of("d", false);
	found = listed_find(&l, "d/f");
	if (CLAIM(found != NULL) && stat_of("d/f", &st)) {
		CLAIM(found->st.type == st.type && found->st.size == st.size);
		CLAIM(strcmp(found->st.etag, st.etag) == 0);
		CLAIM(found->st.ino == st.ino);
		CLAIM(found->st.ctime_ns == st.ctime_ns);
		if (HAS(STORE_LIST_MTIME))
			CLAIM(found->st.has_source_mtime &&
			    found->st.mtime_ns == st.mtime_ns);
		if (HAS(STORE_LIST_META))
			CLAIM(found->st.has_owner == st.has_owner &&
			    found->st.mode == st.mode &&
			    found->st.uid == st.uid && found->st.gid == st.gid);
	}
	found = listed_find(&l, "d/sub");
	if (CLAIM(found != NULL) && HAS(STORE_LIST_META) &&
	    stat_of("d/sub/", &st))
		CLAIM(found->st.mode == st.mode &&
		    found->st.mtime_ns == st.mtime_ns);
	listed_free(&l);
}

static int
end_it(void *arg, const struct store_list_entry *entry, struct err *e)
{
	unsigned *calls = arg;

	(void)entry;
	(*calls)++;
	return err_set(e, ERR_BUSY, "that will do");
}

static void
the_caller_ends_a_listing(void)
{
	unsigned calls = 0;
	struct err e = ERR_INIT;

	put_text("d/a", "x");
	put_text("d/b", "x");
	FAILS(OPS->list(at.session, "", true, end_it, &calls, &e), &e,
	    KIND(ERR_BUSY));
	CLAIM(calls == 1);
	holds_text("d/a", "x");
}

/* More than S3 lists in two pages and removes in one request. */
#define MANY 2500u

static bool
put_some(struct session *c, unsigned number, void *arg)
{
	struct item_stat st = a_file(1);
	struct err e = ERR_INIT;
	char key[40];
	unsigned i;

	(void)arg;
	for (i = number; i < MANY; i += 4) {
		snprintf(key, sizeof(key), "many/%04u", i);
		if (!WORKS(put_by(c, key, &st, "x", 1, &e), &e))
			return false;
	}
	return true;
}

static int
stop_it(void *arg, const struct store_list_entry *entry, struct err *e)
{
	unsigned *calls = arg;

	(void)entry;
	(void)e;
	(*calls)++;
	atomic_store(&at.stop, true);
	return 0;
}

static void
remove_many(unsigned from, unsigned n)
{
	static char names[MANY][20];
	static const char *keys[MANY];
	unsigned i;

	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "many/%04u", from + i);
		keys[i] = names[i];
	}
	remove_keys(keys, n);
}

static void
many_items_are_listed_and_removed(void)
{
	unsigned calls = 0;
	struct err e = ERR_INIT;
	struct listed l;

	if (!CLAIM(in_threads(4, put_some, NULL)))
		return;
	l = list_of("many", false);
	CLAIM(l.n == MANY && listed_find(&l, "many/1234") != NULL);
	listed_free(&l);
	l = list_of("", true);
	CLAIM(l.n == MANY + (HAS(STORE_HAS_DIRS) ? 1 : 0));
	listed_free(&l);
	FAILS(OPS->list(at.session, "many", false, stop_it, &calls, &e), &e,
	    KIND(ERR_STOPPED));
	CLAIM(calls < MANY);
	atomic_store(&at.stop, false);
	remove_many(0, 1500);
	l = list_of("many", true);
	CLAIM(l.n == MANY - 1500 && listed_find(&l, "many/1499") == NULL &&
	    listed_find(&l, "many/1500") != NULL);
	listed_free(&l);
	/* Some of these are gone. */
	remove_many(1400, MANY - 1400);
	l = list_of("many", true);
	CLAIM(l.n == 0);
	listed_free(&l);
}

static void
only_what_is_named_is_removed(void)
{
	const char *keys[] = {
	    "d/e/f", "none", "no/such", "none/", "d/e/", "file/none", "d/g"};
	struct err results[2], e = ERR_INIT;

	put_text("d/e/f", "x");
	put_text("d/g", "x");
	put_text("d/g2", "x");
	put_text("file", "x");
	make_dir("d/e");
	if (HAS(STORE_HAS_DIRS)) {
		const char *full[] = {"d/e/", "d/g2"};

		FAILS(OPS->remove(at.session, full, 2, results, &e), &e,
		    ~KIND(ERR_NONE));
		CLAIM(results[0].kind != ERR_NONE && results[0].msg[0] != '\0');
		CLAIM(results[1].kind == ERR_NONE);
		CLAIM(is_absent("d/g2"));
		put_text("d/g2", "x");
	}
	remove_keys(keys, sizeof(keys) / sizeof(keys[0]));
	CLAIM(is_absent("d/e/f") && is_absent("d/e/") && is_absent("d/g"));
	holds_text("d/g2", "x");
	/* "file/" is no directory, and there is none of that name */
	keys[0] = "file/";
	OPS->remove(at.session, keys, 1, results, &e);
	holds_text("file", "x");
	remove_keys(keys, 0);
}

const struct conform_case item_cases[] = {
    CASE(files_of_all_sizes_come_back),
    CASE(ranges_are_read_and_no_more_than_there_is),
    CASE(a_new_item_replaces_the_old_one_whole),
    CASE(a_wrong_checksum_is_refused_and_nothing_is_seen),
    CASE(a_reader_never_sees_half_an_item),
    CASE(what_is_set_aside_is_whole_and_takes_the_place),
    CASE(what_is_in_the_way_stays),
    CASE(directories_are_made_with_all_above_them),
    CASE(listings_are_whole_and_relative),
    CASE(a_directory_that_is_not_there_is_no_empty_one),
    CASE(the_listing_says_what_stat_says),
    CASE(the_caller_ends_a_listing),
    CASE(many_items_are_listed_and_removed),
    CASE(only_what_is_named_is_removed),
    {0},
};
