/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/daemon/watch_wire.h"
#include "agent/daemon/watchtree.h"
#include "tests/unit/check.h"

static uint32_t
put(struct watchtree *t, int wd, uint32_t parent, const char *name)
{
	struct err e = ERR_INIT;
	uint32_t id = WATCHTREE_NONE;

	CHECK(watchtree_put(t, wd, parent, name, &id, &e) == 0);
	return id;
}

static struct watchtree *
make(void)
{
	struct err e = ERR_INIT;
	struct watchtree *t = watchtree_new(&e);

	CHECK(t != NULL && put(t, 1, WATCHTREE_NONE, ".") == WATCHTREE_ROOT);
	return t;
}

/* The path of what WD watches; "LOST". */
static const char *
path(const struct watchtree *t, int wd)
{
	static char text[1000];
	AUTO(buf) struct buf out = BUF_INIT(1000);
	uint32_t id = watchtree_find(t, wd);

	if (id == WATCHTREE_NONE)
		return "NONE";
	if (!watchtree_path(t, id, &out))
		return "LOST";
	snprintf(text, sizeof(text), "%s", buf_str(&out));
	return text;
}

static void
a_path_is_spelled_from_the_names(void)
{
	AUTO(watchtree) struct watchtree *t = make();
	uint32_t a = put(t, 2, WATCHTREE_ROOT, "a");
	uint32_t b = put(t, 3, a, "bb");

	put(t, 7, b, "c");
	CHECK_STR(path(t, 1), "");
	CHECK_STR(path(t, 2), "a");
	CHECK_STR(path(t, 7), "a/bb/c");
	CHECK_STR(path(t, 4), "NONE");
	CHECK_UINT(watchtree_count(t), 4);
}

static void
what_is_moved_takes_what_is_below_with_it(void)
{
	AUTO(watchtree) struct watchtree *t = make();
	uint32_t a = put(t, 2, WATCHTREE_ROOT, "a");
	uint32_t b = put(t, 3, a, "b");
	uint32_t c = put(t, 4, WATCHTREE_ROOT, "c");

	put(t, 5, b, "deep");
	CHECK(put(t, 3, c, "new") == b);
	CHECK_STR(path(t, 5), "c/new/deep");
	/* Not below itself. */
	put(t, 4, b, "circle");
	CHECK_STR(path(t, 5), "LOST");
	put(t, 4, WATCHTREE_ROOT, "c2");
	CHECK_STR(path(t, 5), "c2/new/deep");
	CHECK_UINT(watchtree_count(t), 5);
}

static void
what_has_left_is_found_and_may_come_back(void)
{
	AUTO(watchtree) struct watchtree *t = make();
	uint32_t a = put(t, 2, WATCHTREE_ROOT, "a"), from = 0;
	uint32_t b = put(t, 3, a, "b");

	put(t, 4, WATCHTREE_ROOT, "stays");
	CHECK(watchtree_lost(t, &from) == -1);
	watchtree_detach(t, a);
	CHECK_STR(path(t, 2), "LOST");
	CHECK_STR(path(t, 3), "LOST");
	CHECK_STR(path(t, 4), "stays");
	from = 0;
	CHECK(watchtree_lost(t, &from) == 2);
	CHECK(watchtree_lost(t, &from) == 3);
	CHECK(watchtree_lost(t, &from) == -1);
	put(t, 2, WATCHTREE_ROOT, "back");
	CHECK_STR(path(t, 3), "back/b");
	/* The upper one first, as after an unmount. */
	watchtree_remove(t, a);
	CHECK_STR(path(t, 2), "NONE");
	CHECK_STR(path(t, 3), "LOST");
	watchtree_remove(t, b);
	CHECK_UINT(watchtree_count(t), 2);
	CHECK(put(t, 9, WATCHTREE_ROOT, "again") <= b);
	CHECK_STR(path(t, 9), "again");
}

static void
what_is_left_of_a_directory_goes_with_the_last_in_it(void)
{
	AUTO(watchtree) struct watchtree *t = make();
	uint32_t a = put(t, 2, WATCHTREE_ROOT, "a");

	put(t, 3, a, "b");
	watchtree_remove(t, a);
	CHECK(put(t, 4, WATCHTREE_ROOT, "x") != a);
	put(t, 3, WATCHTREE_ROOT, "moved");
	CHECK_STR(path(t, 3), "moved");
	CHECK(put(t, 5, WATCHTREE_ROOT, "y") == a);
}

static void
those_without_a_watch_are_kept_to_be_counted(void)
{
	AUTO(watchtree) struct watchtree *t = make();
	uint32_t a = put(t, -1, WATCHTREE_ROOT, "a");
	uint32_t b = put(t, -1, a, "b");

	CHECK(a != b);
	CHECK_UINT(watchtree_count(t), 1);
	watchtree_remove(t, b);
	watchtree_remove(t, a);
	CHECK(put(t, 2, WATCHTREE_ROOT, "x") <= b);
}

enum { DIRS = 3000, STEPS = 60000 };

/* What it should be: parents and names by watch descriptor; 0: not there. */
struct model {
	int parent[DIRS];
	int name[DIRS];
};

static void
model_path(const struct model *m, int wd, char *out, size_t size)
{
	char below[1000] = "";

	out[0] = '\0';
	for (; wd != 1; wd = m->parent[wd]) {
		snprintf(out, size, "%d%s%s", m->name[wd],
		    below[0] != '\0' ? "/" : "", below);
		snprintf(below, sizeof(below), "%.900s", out);
	}
}

static bool
has_children(const struct model *m, int wd)
{
	int i;

	for (i = 0; i < DIRS; i++)
		if (m->parent[i] == wd)
			return true;
	return false;
}

static bool
is_above(const struct model *m, int above, int wd)
{
	while (wd != 1 && wd != above)
		wd = m->parent[wd];
	return wd == above;
}

static int
depth(const struct model *m, int wd)
{
	int n = 0;

	for (; wd != 1; wd = m->parent[wd])
		n++;
	return n;
}

static unsigned
next(void)
{
	static unsigned seed = 7;

	seed = seed * 1103515245 + 12345;
	return seed >> 8;
}

static void
it_is_right_whatever_happens(void)
{
	static struct model m;
	AUTO(watchtree) struct watchtree *t = make();
	char want[1000];
	int i, wd;

	m.parent[1] = -1;
	for (i = 0; i < STEPS; i++) {
		int to = (int)(next() % (DIRS - 2)) + 1;

		wd = (int)(next() % (DIRS - 2)) + 2;
		if (m.parent[to] == 0)
			to = 1;
		if (m.parent[wd] != 0 && next() % 3 == 0 &&
		    !has_children(&m, wd)) {
			watchtree_remove(t, watchtree_find(t, wd));
			m.parent[wd] = 0;
			continue;
		}
		if (depth(&m, to) > 20 ||
		    (m.parent[wd] != 0 && is_above(&m, wd, to)))
			continue;
		m.parent[wd] = to;
		m.name[wd] = i;
		snprintf(want, sizeof(want), "%d", i);
		put(t, wd, watchtree_find(t, to), want);
	}
	for (wd = 2; wd < DIRS; wd++) {
		if (m.parent[wd] == 0) {
			CHECK_STR(path(t, wd), "NONE");
			continue;
		}
		model_path(&m, wd, want, sizeof(want));
		CHECK_STR(path(t, wd), want);
	}
}

struct heard {
	char text[200];
};

static void
hear(void *arg, enum watch_kind kind, const char *bytes, size_t len)
{
	struct heard *h = arg;
	size_t at = strlen(h->text);

	snprintf(h->text + at, sizeof(h->text) - at, "%d:%.*s|", (int)kind,
	    (int)len, bytes);
}

static void
records_come_in_any_pieces(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1000);
	AUTO(buf) struct buf in = BUF_INIT(1000);
	struct heard h = {.text = ""};
	struct err e = ERR_INIT;
	size_t i;

	watch_wire_put(&out, WATCH_TREE, "a\nb", 3);
	watch_wire_put(&out, WATCH_TREE, "", 0);
	watch_wire_put(&out, WATCH_ALONE, "d", 1);
	for (i = 0; i < out.len; i++) {
		buf_addc(&in, out.data[i]);
		CHECK(watch_wire_take(&in, hear, &h, &e) == 0);
	}
	CHECK_UINT(in.len, 0);
	CHECK_STR(h.text, "0:a\nb|0:|1:d|");
	buf_adds(&in, "garbage of sixteen");
	CHECK(watch_wire_take(&in, hear, &h, &e) == -1);
}

int
main(void)
{
	RUN(a_path_is_spelled_from_the_names);
	RUN(what_is_moved_takes_what_is_below_with_it);
	RUN(what_has_left_is_found_and_may_come_back);
	RUN(what_is_left_of_a_directory_goes_with_the_last_in_it);
	RUN(those_without_a_watch_are_kept_to_be_counted);
	RUN(it_is_right_whatever_happens);
	RUN(records_come_in_any_pieces);
	return check_end();
}
