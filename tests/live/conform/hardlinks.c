/* SPDX-License-Identifier: ISC */
/* Several names of one file. */
#include "config.h"

#include "tests/live/conform/conform.h"

/* What a file with two names is to carry. */
static struct item_stat
one_of_two(size_t size)
{
	struct item_stat st = a_file(size);

	st.nlink = 2;
	st.dev = 0xfd01;
	st.ino = 0x123456789abcdef;
	return st;
}

static int
put_one(const char *key, const char *text, struct err *e)
{
	struct item_stat st = one_of_two(strlen(text));

	return put_by(at.session, key, &st, text, strlen(text), e);
}

static int
link_was(const char *key, const char *existing, const struct store_stat *was,
    struct store_receipt *r, struct err *e)
{
	struct item_stat st = one_of_two((size_t)was->size);

	if (OPS->link == NULL)
		return err_set(e, ERR_UNSUPPORTED, "no links");
	return OPS->link(at.session, key, existing, &st, was, r, e);
}

/* KEY becomes another name of EXISTING as it is now. */
static int
link_to(const char *key, const char *existing, struct err *e)
{
	struct store_receipt r;
	struct store_stat was = {0};

	if (OPS->stat(at.session, existing, &was, e) == -1)
		return -1;
	return link_was(key, existing, &was, &r, e);
}

/* False, and the case is over, if there is no such thing. */
static bool
can_link(void)
{
	struct err e = ERR_INIT;

	WORKS(put_one("can", "x", &e), &e);
	if (link_to("could", "can", &e) == -1) {
		FAILS(-1, &e, KIND(ERR_UNSUPPORTED));
		not_applicable("no hard links");
		return false;
	}
	remove_key("can");
	remove_key("could");
	return true;
}

/* Whether KEY says of itself that it is of the group of one_of_two(). */
static void
is_marked(const char *key)
{
	struct item_stat st = one_of_two(0);
	struct err e = ERR_INIT;
	struct store_file *f = OPS->open_file(at.session, key, 1, &e);

	if (!WORKS(f != NULL ? 0 : -1, &e))
		return;
	CLAIM(f->meta.nlink > 1 && f->meta.ino == st.ino &&
	    f->meta.dev == st.dev);
	CLAIM(f->state.nlink <= 1);
	OPS->close_file(f);
}

static void
names_of_a_file_are_told(void)
{
	struct store_stat a = {0}, b = {0};
	struct err e = ERR_INIT;

	if (!can_link())
		return;
	WORKS(put_one("a", "text", &e), &e);
	WORKS(link_to("d/e/b", "a", &e), &e);
	holds_text("a", "text");
	holds_text("d/e/b", "text");
	if (!stat_of("a", &a) || !stat_of("d/e/b", &b))
		return;
	CLAIM(b.mtime_ns == a.mtime_ns && b.mode == a.mode && b.uid == a.uid);
	if (HAS(STORE_LIST_LINKS)) {
		CLAIM(a.nlink == 2 && b.nlink == 2);
		CLAIM(a.ino == b.ino && a.dev == b.dev);
	} else if (!HAS(STORE_LIST_META)) {
		is_marked("a");
		is_marked("d/e/b");
	}
	put_text("alone", "x");
	if (stat_of("alone", &a))
		CLAIM(a.nlink <= 1);
}

/* A new file takes one name; metadata is of all, where there is one file. */
static void
what_replaces_one_name_leaves_the_others(void)
{
	struct item_stat st = one_of_two(4);
	struct store_receipt r;
	struct store_stat b = {0};
	struct err e = ERR_INIT;

	if (!can_link())
		return;
	WORKS(put_one("a", "text", &e), &e);
	WORKS(link_to("b", "a", &e), &e);
	st.mode = S_IFREG | 0600;
	WORKS(OPS->set_metadata(at.session, "a", &st, NULL, &r, &e), &e);
	if (HAS(STORE_HAS_LINKS) && HAS(STORE_HAS_MODES) && stat_of("b", &b))
		CLAIM((b.mode & 07777) == 0600);
	put_text("a", "another");
	holds_text("a", "another");
	holds_text("b", "text");
	remove_key("a");
	holds_text("b", "text");
}

static void
a_link_takes_the_place_of_what_is_there(void)
{
	struct item_stat st = a_file(1);
	struct store_stat b = {0};
	struct store_receipt r = {.etag = ""};
	struct err e = ERR_INIT;
	struct listed l;

	if (!can_link())
		return;
	WORKS(put_one("a", "text", &e), &e);
	put_text("b", "a file");
	WORKS(link_to("b", "a", &e), &e);
	holds_text("b", "text");
	/* Once more; and from the other side. */
	stat_of("a", &b);
	if (WORKS(link_was("b", "a", &b, &r, &e), &e) && HAS(STORE_LIST_LINKS))
		CLAIM(r.was_there);
	WORKS(link_to("a", "b", &e), &e);
	holds_text("a", "text");
	holds_text("b", "text");
	st.type = ITEM_SYMLINK;
	st.mode = S_IFLNK | 0777;
	if (OPS->symlink(at.session, "c", &st, "a", 1, &e) == 0) {
		WORKS(link_to("c", "a", &e), &e);
		holds_text("c", "text");
		remove_key("c");
	}
	if (HAS(STORE_HAS_DIRS)) {
		put_text("dir/in it", "x");
		FAILS(link_to("dir", "a", &e), &e, KIND(ERR_EXISTS));
		holds_text("dir/in it", "x");
		remove_key("dir/in it");
		remove_key("dir/");
	}
	l = list_of("", true);
	CLAIM(l.n == 2);
	listed_free(&l);
}

static void
a_link_is_made_to_what_is_known_only(void)
{
	struct store_stat was = {0}, now = {0};
	struct item_stat st;
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (!can_link())
		return;
	WORKS(put_one("a", "text", &e), &e);
	stat_of("a", &was);
	st = one_of_two(6);
	st.mtime_ns += (int64_t)5000000000;
	WORKS(put_by(at.session, "a", &st, "others", 6, &e), &e);
	FAILS(link_was("b", "a", &was, &r, &e), &e, KIND(ERR_MISMATCH));
	CLAIM(is_absent("b"));
	FAILS(link_was("b", "missing", &was, &r, &e), &e, KIND(ERR_NOTFOUND));
	FAILS(link_was("b", "missing/below", &was, &r, &e), &e,
	    KIND(ERR_NOTFOUND));
	stat_of("a", &now);
	WORKS(link_was("b", "a", &now, &r, &e), &e);
	holds_text("b", "others");
	/* Another kind of item. */
	remove_key("a");
	st = a_file(3);
	st.type = ITEM_SYMLINK;
	st.mode = S_IFLNK | 0777;
	if (OPS->symlink(at.session, "a", &st, "etc", 3, &e) == 0)
		FAILS(link_was("c", "a", &now, &r, &e), &e, KIND(ERR_MISMATCH));
	CLAIM(is_absent("c"));
}

/* WAS is what was sent, and not every store holds all of a time. */
static void
files_of_any_time_can_be_linked_to(void)
{
	const int64_t times[] = {-2208988800000000000, -1500000001, 0,
	    1595002920987654321, 4294967296000000005};
	struct item_stat st = one_of_two(4);
	struct store_stat was = {0};
	struct store_receipt r;
	struct err e = ERR_INIT;
	size_t i;

	if (!can_link())
		return;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		st.mtime_ns = times[i];
		WORKS(put_by(at.session, "a", &st, "text", 4, &e), &e);
		stat_of("a", &was);
		was.mtime_ns = times[i];
		WORKS(link_was("b", "a", &was, &r, &e), &e);
		holds_text("b", "text");
	}
}

/* What stands at the target may be anybody's. */
static void
no_link_leads_astray(void)
{
	struct item_stat st = a_file(4);
	struct store_stat was = {0};
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (!HAS(STORE_HAS_DIRS)) {
		not_applicable("links lead nowhere in this store");
		return;
	}
	if (!can_link())
		return;
	WORKS(put_one("real/a", "text", &e), &e);
	stat_of("real/a", &was);
	st.type = ITEM_SYMLINK;
	st.mode = S_IFLNK | 0777;
	if (OPS->symlink(at.session, "link", &st, "real", 4, &e) == -1) {
		not_applicable("no symlinks");
		return;
	}
	FAILS(link_was("link/b", "real/a", &was, &r, &e), &e, KIND(ERR_EXISTS));
	CLAIM(is_absent("real/b"));
	FAILS(link_was("b", "link/a", &was, &r, &e), &e, KIND(ERR_NOTFOUND));
	CLAIM(is_absent("b"));
}

const struct conform_case hardlink_cases[] = {
    CASE(names_of_a_file_are_told),
    CASE(what_replaces_one_name_leaves_the_others),
    CASE(a_link_takes_the_place_of_what_is_there),
    CASE(a_link_is_made_to_what_is_known_only),
    CASE(files_of_any_time_can_be_linked_to),
    CASE(no_link_leads_astray),
    {0},
};
