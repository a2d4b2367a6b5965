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
	RUN(it_holds_no_more_than_it_may);
	return check_end();
}
