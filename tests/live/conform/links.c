/* SPDX-License-Identifier: ISC */
/* Symbolic links. */
#include "config.h"

#include "tests/live/conform/conform.h"

#define TARGET_MAX 4096

static struct item_stat
a_link(void)
{
	struct item_stat st = a_file(0);

	st.type = ITEM_SYMLINK;
	st.mode = S_IFLNK | 0777;
	return st;
}

static int
link_to(const char *key, const char *target, struct err *e)
{
	struct item_stat st = a_link();

	st.size = strlen(target);
	return OPS->symlink(at.session, key, &st, target, strlen(target), e);
}

/* By readlink, or where links are objects that stand for them, as a file. */
static int
target_of(const char *key, char *out, size_t *len, struct item_stat *st,
    struct err *e)
{
	struct store_file *f;
	int rc;

	if (OPS->readlink != NULL)
		return OPS->readlink(
		    at.session, key, st, out, TARGET_MAX, len, e);
	f = OPS->open_file(at.session, key, 1, e);
	if (f == NULL)
		return -1;
	*st = f->meta;
	*len = (size_t)f->state.size;
	rc = OPS->read_file(f, 0, out, *len, e);
	OPS->close_file(f);
	return rc;
}

static bool
leads_to(const char *key, const char *target)
{
	char got[TARGET_MAX];
	struct item_stat st = {0};
	struct err e = ERR_INIT;
	size_t len = 0;

	return WORKS(target_of(key, got, &len, &st, &e), &e) &&
	    CLAIM(st.type == ITEM_SYMLINK) && CLAIM(len == strlen(target)) &&
	    CLAIM(memcmp(got, target, len) == 0);
}

static void
links_lead_where_they_did(void)
{
	static char longest[4096];
	const char *targets[] = {"x", "../x y", "/nonexistent", "/etc", ".",
	    "..", "loop", "\xff\xfe\n%2F", "a//b/", " ", "-", longest};
	struct store_stat st = {0};
	struct err e = ERR_INIT;
	struct listed l;
	size_t i;

	memset(longest, 't', sizeof(longest) - 1);
	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (link_to("d/loop", targets[i], &e) == -1) {
			not_held(
			    "a symlink to %s: %s", shown(targets[i]), e.msg);
			FAILS(-1, &e, KIND(ERR_NAME) | KIND(ERR_UNSUPPORTED));
			continue;
		}
		leads_to("d/loop", targets[i]);
		if (stat_of("d/loop", &st))
			CLAIM(st.type == ITEM_SYMLINK);
	}
	l = list_of("d", true);
	CLAIM(l.n == 1);
	if (HAS(STORE_LIST_META) && l.n == 1)
		CLAIM(l.entries[0].st.type == ITEM_SYMLINK);
	listed_free(&l);
	remove_key("d/loop");
	CLAIM(is_absent("d/loop"));
}

static void
links_and_files_replace_each_other(void)
{
	struct err e = ERR_INIT;

	put_text("victim", "untouched");
	put_text("a", "file");
	if (link_to("a", "victim", &e) == -1) {
		not_applicable("no symlinks");
		return;
	}
	leads_to("a", "victim");
	WORKS(link_to("a", "other", &e), &e);
	leads_to("a", "other");
	WORKS(link_to("a", "victim", &e), &e);
	put_text("a", "a file again");
	holds_text("a", "a file again");
	holds_text("victim", "untouched");
	put_text("dir/in it", "x");
	if (HAS(STORE_HAS_DIRS))
		FAILS(link_to("dir", "victim", &e), &e, KIND(ERR_EXISTS));
	holds_text("dir/in it", "x");
	/* the link goes, not what it leads to */
	WORKS(link_to("l", "victim", &e), &e);
	remove_key("l");
	CLAIM(is_absent("l"));
	holds_text("victim", "untouched");
}

static void
metadata_is_the_links_own(void)
{
	struct item_stat st = a_link();
	struct store_receipt r;
	struct store_stat was = {0}, got = {0};
	struct err e = ERR_INIT;

	put_text("victim", "x");
	stat_of("victim", &was);
	if (link_to("l", "victim", &e) == -1) {
		not_applicable("no symlinks");
		return;
	}
	st.mtime_ns = 1500000000000000000;
	st.size = 6;
	if (OPS->set_metadata(at.session, "l", &st, NULL, &r, &e) == -1) {
		not_held("metadata of symlinks: %s", e.msg);
		FAILS(-1, &e, KIND(ERR_UNSUPPORTED));
	} else if (stat_of("l", &got) && got.has_source_mtime &&
	    got.mtime_ns != st.mtime_ns) {
		not_held("the mtime of symlinks");
	}
	leads_to("l", "victim");
	if (stat_of("victim", &got))
		CLAIM(got.mtime_ns == was.mtime_ns && got.mode == was.mode);
}

/* What stands at the target may be anybody's. */
static void
nothing_is_written_through_a_link(void)
{
	struct item_stat st = a_file(1), dir = a_dir();
	const char *keys[] = {"link/victim"};
	struct err results[1], e = ERR_INIT;

	if (!HAS(STORE_HAS_DIRS)) {
		not_applicable("links lead nowhere in this store");
		return;
	}
	put_text("real/victim", "untouched");
	if (link_to("link", "real", &e) == -1) {
		not_applicable("no symlinks");
		return;
	}
	FAILS(put_by(at.session, "link/victim", &st, "x", 1, &e), &e,
	    KIND(ERR_EXISTS));
	FAILS(put_by(at.session, "link/sub/new", &st, "x", 1, &e), &e,
	    KIND(ERR_EXISTS));
	FAILS(OPS->mkdir(at.session, "link", &dir, &e), &e, KIND(ERR_EXISTS));
	OPS->remove(at.session, keys, 1, results, &e);
	holds_text("real/victim", "untouched");
	CLAIM(is_absent("link/victim"));
	CLAIM(is_absent("real/sub/"));
}

const struct conform_case link_cases[] = {
    CASE(links_lead_where_they_did),
    CASE(links_and_files_replace_each_other),
    CASE(metadata_is_the_links_own),
    CASE(nothing_is_written_through_a_link),
    {0},
};
