/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>

#include "tests/unit/check.h"
#include "transfer/pathset.h"

static struct pathset *
make(const char *const *paths)
{
	struct err e = ERR_INIT;
	struct pathset *p = pathset_new(1 << 16, &e);

	for (; *paths != NULL; paths++)
		CHECK_UINT(pathset_add(p, *paths, strlen(*paths), &e), 0);
	pathset_seal(p);
	return p;
}

static bool
has(const struct pathset *p, const char *path)
{
	return pathset_has(p, path, strlen(path));
}

static bool
leads(const struct pathset *p, const char *path)
{
	return pathset_leads(p, path, strlen(path));
}

static void
what_is_below_a_path_is_in_it(void)
{
	struct pathset *p =
	    make((const char *const[]){"b/c", "a", "b/c-d/e", "z\xff/x", NULL});

	CHECK(has(p, "a") && has(p, "a/x") && has(p, "a/x/y"));
	CHECK(has(p, "b/c") && has(p, "b/c/d"));
	CHECK(!has(p, "ab") && !has(p, "b") && !has(p, "b/c-d"));
	CHECK(!has(p, "b/cc") && !has(p, "") && has(p, "z\xff/x"));
	pathset_free(p);
}

static void
only_what_is_above_a_path_leads_to_it(void)
{
	/* "b-x" and "b!" sort around "b/": they must not hide it. */
	struct pathset *p = make((const char *const[]){
	    "b-x", "b/c/d", "b!", "b0", "c", "d\xff/e", NULL});

	CHECK(leads(p, "") && leads(p, "b") && leads(p, "b/c"));
	CHECK(!leads(p, "b/c/d") && !leads(p, "b-x") && !leads(p, "c"));
	CHECK(!leads(p, "b/") && !leads(p, "a") && !leads(p, "e"));
	CHECK(leads(p, "d\xff") && !leads(p, "d"));
	pathset_free(p);
}

static void
the_root_stands_for_all(void)
{
	struct pathset *p = make((const char *const[]){"x/y", "", NULL});

	CHECK(has(p, "any/thing") && has(p, ""));
	pathset_free(p);
	p = make((const char *const[]){NULL});
	CHECK(!has(p, "x") && !leads(p, "") && !leads(p, "x"));
	CHECK_UINT(pathset_count(p), 0);
	pathset_free(p);
}

/* The names in DIR, each with a space behind. */
static const char *
names_in(const struct pathset *p, const char *dir)
{
	static char text[200];
	const char *name;
	size_t i = 0, len, at = 0;

	text[0] = '\0';
	while (pathset_next_in(p, dir, strlen(dir), &i, &name, &len))
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "%.*s ", (int)len, name);
	return text;
}

static void
the_names_in_a_directory_are_told(void)
{
	struct pathset *p = make((const char *const[]){"a", "b-x", "b/c/d",
	    "b/c-e", "b/c/f", "b/c", "b/.", "b0/z", "c/d", NULL});

	CHECK_STR(names_in(p, ""), "a b-x b b0 c ");
	CHECK_STR(names_in(p, "b"), ". c c-e c ");
	CHECK_STR(names_in(p, "b/c"), "d f ");
	CHECK_STR(names_in(p, "b0"), "z ");
	CHECK_STR(names_in(p, "a"), "");
	CHECK_STR(names_in(p, "zz"), "");
	pathset_free(p);
	p = make((const char *const[]){NULL});
	CHECK_STR(names_in(p, ""), "");
	pathset_free(p);
}

static void
it_holds_no_more_than_it_may(void)
{
	struct err e = ERR_INIT;
	struct pathset *p = pathset_new(1000, &e);
	char name[20];
	int n = 0;

	do {
		snprintf(name, sizeof(name), "file %d", n++);
	} while (pathset_add(p, name, strlen(name), &e) == 0);
	CHECK_UINT(e.kind, ERR_NOSPACE);
	CHECK(n > 10 && n < 100);
	pathset_seal(p);
	CHECK(has(p, "file 3"));
	pathset_free(p);
}

int
main(void)
{
	RUN(what_is_below_a_path_is_in_it);
	RUN(only_what_is_above_a_path_leads_to_it);
	RUN(the_root_stands_for_all);
	RUN(the_names_in_a_directory_are_told);
	RUN(it_holds_no_more_than_it_may);
	return check_end();
}
