/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/hints.h"
#include "tests/unit/check.h"

#define SETTLE 100

static struct hints *
make(size_t max)
{
	struct err e = ERR_INIT;
	struct hints *h = hints_new(max, HINTS_MAX_BYTES, &e);

	CHECK(h != NULL);
	hints_set_settle(h, SETTLE);
	return h;
}

static void
add(struct hints *h, const char *path, uint64_t now)
{
	hints_add(h, path, strlen(path), HINT_TREE, now);
}

static void
add_alone(struct hints *h, const char *path, uint64_t now)
{
	hints_add(h, path, strlen(path), HINT_ALONE, now);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What is taken at NOW, sorted, with a space behind each; "ALL". */
static const char *
taken(struct hints *h, uint64_t now)
{
	static char text[100000];
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	const char *names[10000];
	size_t at = 0, n = 0, i;

	if (!hints_take(h, now, &out)) {
		CHECK_UINT(out.len, 0);
		return "ALL";
	}
	for (; at < out.len && n < 10000; at += strlen(out.data + at) + 1)
		names[n++] = out.data + at;
	if (n > 0)
		qsort(names, n, sizeof(*names), compare);
	text[0] = '\0';
	for (i = 0, at = 0; i < n; i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "%s ", names[i]);
	return text;
}

static void
a_path_waits_until_it_has_settled(void)
{
	AUTO(hints) struct hints *h = make(100);

	CHECK(hints_due(h, 0) == HINTS_NEVER);
	add(h, "a", 1000);
	CHECK_UINT(hints_due(h, 1000), 1100);
	CHECK_STR(taken(h, 1099), "");
	add(h, "b", 1050);
	add(h, "a", 1080);
	CHECK_UINT(hints_count(h), 2);
	CHECK_UINT(hints_due(h, 1140), 1150);
	CHECK_STR(taken(h, 1150), "b ");
	CHECK_UINT(hints_due(h, 1150), 1180);
	CHECK_STR(taken(h, 1180), "a ");
	CHECK(hints_due(h, 1180) == HINTS_NEVER);
}

static void
what_never_settles_is_taken_after_ten_times_as_long(void)
{
	AUTO(hints) struct hints *h = make(100);
	uint64_t t = 1000;

	for (; hints_due(h, t) > t; t += 50)
		add(h, "log", t);
	CHECK_UINT(t, 2000);
	CHECK_STR(taken(h, t), "log ");
}

static void
a_directory_stands_for_what_is_below_it(void)
{
	AUTO(hints) struct hints *h = make(100);

	add(h, "d", 1000);
	add(h, "d/e/f", 1050);
	add(h, "d-x", 1000);
	CHECK_UINT(hints_count(h), 2);
	/* It settles with what is below. */
	CHECK_STR(taken(h, 1100), "d-x ");
	CHECK_STR(taken(h, 1150), "d ");
	add_alone(h, "d", 2000);
	add(h, "d/e", 2000);
	CHECK_UINT(hints_count(h), 2);
	CHECK_STR(taken(h, 2100), "d/. d/e ");
	add_alone(h, "d", 2000);
	add(h, "d", 2000);
	add_alone(h, "d", 2000);
	CHECK_STR(taken(h, 2100), "d ");
	add_alone(h, "", 2000);
	CHECK_STR(taken(h, 2100), "./. ");
}

static void
what_is_created_is_waited_for_longer(void)
{
	AUTO(hints) struct hints *h = make(100);

	hints_add(h, "new", 3, HINT_CREATED, 1000);
	CHECK_UINT(hints_due(h, 1000), 2000);
	add(h, "new", 1500);
	CHECK_UINT(hints_due(h, 1500), 1600);
	hints_add(h, "new", 3, HINT_CREATED, 1550);
	CHECK_STR(taken(h, 1600), "new ");
	hints_add(h, "open", 4, HINT_CREATED, 3000);
	hints_return(h, false);
	CHECK_STR(taken(h, 3999), "new ");
	CHECK_STR(taken(h, 4000), "open ");
}

static void
the_root_is_all(void)
{
	AUTO(hints) struct hints *h = make(100);

	add(h, "a", 1000);
	add(h, "", 1050);
	add(h, "b", 1090);
	CHECK_UINT(hints_count(h), 1);
	CHECK_UINT(hints_due(h, 1090), 1150);
	CHECK_STR(taken(h, 1150), "ALL");
	CHECK(hints_due(h, 1150) == HINTS_NEVER);
	add(h, "a", 2000);
	CHECK_STR(taken(h, 2100), "a ");
}

static void
beyond_the_bound_directories_stand_for_theirs(void)
{
	AUTO(hints) struct hints *h = make(100);
	char path[50];
	int i;

	add(h, "other/x", 1000);
	for (i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "a/b/%s/%d", i % 2 ? "c" : "d", i);
		add(h, path, 1000);
		CHECK(hints_count(h) <= 100);
	}
	CHECK_STR(taken(h, 1100), "a/b/c a/b/d other/x ");
	for (i = 0; i < 101; i++) {
		snprintf(path, sizeof(path), "dir/%d", i);
		add_alone(h, path, 1000);
	}
	CHECK_STR(taken(h, 1100), "dir ");
	for (i = 0; i < 101; i++) {
		snprintf(path, sizeof(path), "top%d", i);
		add(h, path, 2000);
	}
	CHECK_STR(taken(h, 2100), "ALL");
}

/* A directory that was itself told of is to stand for what is in it, too. */
static void
one_that_stood_alone_stands_for_its_own_then(void)
{
	AUTO(hints) struct hints *h = make(4);

	add_alone(h, "d", 1000);
	add(h, "d/1", 1000);
	add(h, "d/2", 1000);
	add(h, "d/3", 1000);
	add(h, "d/4", 1050);
	CHECK_UINT(hints_count(h), 1);
	CHECK_STR(taken(h, 1150), "d ");
	hints_done(h);
	add(h, "d/1", 2000);
	add(h, "d/2", 2000);
	CHECK_STR(taken(h, 2100), "d/1 d/2 ");
	add_alone(h, "d", 2150);
	add(h, "e/1", 2150);
	add(h, "e/2", 2150);
	hints_return(h, false);
	CHECK_STR(taken(h, 2250), "d e ");
}

static void
so_it_is_with_their_bytes(void)
{
	struct err e = ERR_INIT;
	AUTO(hints) struct hints *h = hints_new(1000, 1000, &e);
	char path[50];
	int i;

	for (i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "some/where/number-%d", i);
		add(h, path, 0);
	}
	CHECK_STR(taken(h, 0), "some/where ");
}

/* The wall of all: nothing that was added may be missed. */
static void
nothing_is_lost_in_any_order(void)
{
	AUTO(hints) struct hints *h = make(50);
	char path[50], names[2000][50];
	unsigned seed = 1, i;
	size_t at;

	for (i = 0; i < 2000; i++) {
		seed = seed * 1103515245 + 12345;
		snprintf(path, sizeof(path), "p%u/q%u/r%u/s%u", seed >> 16 & 3,
		    seed >> 18 & 7, seed >> 21 & 7, seed >> 24 & 255);
		snprintf(names[i], sizeof(names[i]), "%s", path);
		add(h, path, i);
	}
	{
		AUTO(buf) struct buf out = BUF_INIT(1 << 20);

		CHECK(hints_take(h, 100000, &out));
		for (i = 0; i < 2000; i++) {
			bool found = false;

			for (at = 0; at < out.len;
			     at += strlen(out.data + at) + 1) {
				const char *dir = out.data + at;
				size_t n = strlen(dir);

				found |= strncmp(names[i], dir, n) == 0 &&
				    (names[i][n] == '/' || names[i][n] == '\0');
			}
			CHECK(found);
		}
	}
}

static void
what_a_run_could_not_do_comes_back(void)
{
	AUTO(hints) struct hints *h = make(100);

	add(h, "a", 1000);
	CHECK_STR(taken(h, 1100), "a ");
	hints_return(h, false);
	CHECK_UINT(hints_due(h, 1200), 1100);
	add(h, "b", 1200);
	CHECK_STR(taken(h, 1300), "a b ");
	hints_done(h);
	hints_return(h, false);
	CHECK(hints_due(h, 2000) == HINTS_NEVER);
	add(h, "c", 2000);
	hints_take_all(h);
	CHECK_UINT(hints_count(h), 0);
	hints_return(h, false);
	CHECK_STR(taken(h, 2000), "ALL");
}

static void
what_was_stopped_waits_for_the_next_change(void)
{
	AUTO(hints) struct hints *h = make(100);

	add(h, "a", 1000);
	CHECK_STR(taken(h, 1100), "a ");
	hints_return(h, true);
	CHECK(hints_due(h, 9000) == HINTS_NEVER);
	add(h, "b", 9000);
	CHECK_UINT(hints_due(h, 9000), 1100);
	CHECK_STR(taken(h, 9100), "a b ");
}

int
main(void)
{
	RUN(a_path_waits_until_it_has_settled);
	RUN(what_never_settles_is_taken_after_ten_times_as_long);
	RUN(a_directory_stands_for_what_is_below_it);
	RUN(what_is_created_is_waited_for_longer);
	RUN(the_root_is_all);
	RUN(beyond_the_bound_directories_stand_for_theirs);
	RUN(one_that_stood_alone_stands_for_its_own_then);
	RUN(so_it_is_with_their_bytes);
	RUN(nothing_is_lost_in_any_order);
	RUN(what_a_run_could_not_do_comes_back);
	RUN(what_was_stopped_waits_for_the_next_change);
	return check_end();
}
