/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/filter.h"
#include "transfer/glob.h"

static struct err e;

static void
each_pattern_matches_what_it_says(void)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
	    /* not anchored: the last components */
	    {"a.txt", "a.txt", true},
	    {"a.txt", "x/y/a.txt", true},
	    {"a.txt", "a.txtx", false},
	    {"a.txt", "xa.txt", false},
	    {"a.txt", "a.txt/b", false},
	    {"b/c", "a/b/c", true},
	    {"b/c", "b/c", true},
	    {"b/c", "ab/c", false},
	    {"b/c", "c", false},
	    {"b/c", "b/c/d", false},
	    /* anchored */
	    {"/a.txt", "a.txt", true},
	    {"/a.txt", "x/a.txt", false},
	    {"/a/*.c", "a/b.c", true},
	    {"/a/*.c", "a/b/c.c", false},
	    {"//a", "a", true},
	    /* stars and marks */
	    {"*", "a", true},
	    {"*", "a/b", true},
	    {"/*", "a/b", false},
	    {"*.tmp", "a/b.tmp", true},
	    {"*.tmp", ".tmp", true},
	    {"*.tmp", "tmp", false},
	    {"a*b*c", "aXbYc", true},
	    {"a*b*c", "abc", true},
	    {"a*b*c", "abcb", false},
	    {"?", "a", true},
	    {"?", "ab", false},
	    {"a?c", "a/c", false},
	    {"???", "\xe2\x82\xac", true}, /* bytes, not characters */
	    {"/a/**", "a/b", true},
	    {"/a/**", "a/b/c", true},
	    {"/a/**", "a", false},
	    {"/a/**", "ab", false},
	    {"**", "a/b/c", true},
	    {"/**/c", "c", true},
	    {"**/c", "a/b/c", true},
	    {"**/c", "c", true},
	    {"a/**/b", "a/b", true},
	    {"a/**/b", "a/x/b", true},
	    {"a/**/b", "q/a/x/y/b", true},
	    {"a/**/b", "ab", false},
	    {"/a/**/b", "q/a/b", false},
	    {"a**b", "a/x/b", true},
	    {"a**b", "ab", true},
	    {"***", "a/b", true},
	    {"/x**.c", "xa/b.c", true},
	    /* classes */
	    {"[abc]", "b", true},
	    {"[abc]", "d", false},
	    {"[a-c]x", "cx", true},
	    {"[!a-c]", "d", true},
	    {"[^a-c]", "b", false},
	    {"[]]", "]", true},
	    {"[!]]", "]", false},
	    {"[a-]", "-", true},
	    {"[\\]]", "]", true},
	    {"a[!b]c", "a/c", false},
	    {"[\x80-\xff]", "\xe9", true},
	    {"x]", "x]", true},
	    /* braces */
	    {"*.{c,h}", "a.c", true},
	    {"*.{c,h}", "x/a.h", true},
	    {"*.{c,h}", "a.o", false},
	    {"{a,b/c}", "b/c", true},
	    {"{a,b/c}", "x/b/c", true},
	    {"{a,b/c}", "c", false},
	    {"/{a,{b,c}d}e", "cde", true},
	    {"/{a,{b,c}d}e", "ae", true},
	    {"/{a,{b,c}d}e", "be", false},
	    {"a{,b}", "a", true},
	    {"a{,b}", "ab", true},
	    {"{a}", "a", true},
	    {"{*.c,*.h}", "x.h", true},
	    {"a,b", "a,b", true},
	    {"{[,],x}", ",", true},
	    /* quotes */
	    {"\\*", "*", true},
	    {"\\*", "a", false},
	    {"a\\{b", "a{b", true},
	    {"{a\\,b,c}", "a,b", true},
	    {"\\\\", "\\", true},
	    {"a\nb", "a\nb", true},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(glob) struct glob *g = glob_new(cases[i].pattern, &e);

		CHECK(g != NULL);
		if (g != NULL &&
		    glob_matches(g, cases[i].path, strlen(cases[i].path)) !=
			cases[i].matches) {
			check_failures++;
			fprintf(stderr, "\"%s\" and \"%s\"\n", cases[i].pattern,
			    cases[i].path);
		}
	}
}

static void
a_wrong_pattern_says_what_is_wrong(void)
{
	static const char *const wrong[] = {"[a", "[", "[]", "[!]", "[a\\",
	    "{a", "{a,b", "{a,{b}", "a}", "a\\", "", "/", "//", "[b-a]",
	    "{[a,b}"};
	AUTO(free) char *big = malloc(20000);
	AUTO(filter) struct filter *f = filter_new(&e);
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		e = (struct err)ERR_INIT;
		CHECK(glob_new(wrong[i], &e) == NULL);
		CHECK(e.kind == ERR_USAGE && strstr(e.msg, wrong[i]) != NULL);
	}
	memset(big, 'x', 20000);
	big[19999] = '\0';
	CHECK(glob_new(big, &e) == NULL && e.kind == ERR_USAGE);
	memset(big, '{', 19999);
	CHECK(glob_new(big, &e) == NULL && e.kind == ERR_USAGE);
	CHECK(filter_rule(f, "a", &e) == -1 && e.kind == ERR_USAGE);
	CHECK(filter_rule(f, "+a", &e) == -1);
	CHECK(filter_rule(f, "", &e) == -1);
	CHECK(filter_is_empty(f));
}

/* RULES one a line; whether PATH passes. A path ending in '/' is a directory.
 */
static bool
passes(const char *rules, const char *path)
{
	AUTO(filter) struct filter *f = filter_new(&e);
	size_t len = strlen(path);
	bool is_dir = path[len - 1] == '/';
	char line[200];

	while (*rules != '\0') {
		size_t n = strcspn(rules, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, rules);
		if (filter_rule(f, line, &e) == -1) {
			CHECK(filter_rule(f, line, &e) == 0);
			fprintf(stderr, "%s\n", e.msg);
		}
		rules += n + (rules[n] != '\0');
	}
	return filter_passes(f, path, len - is_dir, is_dir);
}

static void
the_first_rule_that_matches_decides(void)
{
	static const struct {
		const char *rules, *path;
		bool passes;
	} cases[] = {
	    {"", "a", true},
	    {"- *.o", "a.o", false},
	    {"- *.o", "a.c", true},
	    {"+ a.o\n- *.o", "a.o", true},
	    {"+ a.o\n- *.o", "b.o", false},
	    {"- *.o\n+ a.o", "a.o", false},
	    {"- *.o\n!\n- x", "a.o", true},
	    /* directories only */
	    {"- build/", "build/", false},
	    {"- build/", "build", true},
	    {"- build/", "a/build/", false},
	    {"- /build/", "a/build/", true},
	    /* excluded with all below: not walked */
	    {"- /a/**", "a/", false},
	    {"- a/**", "x/a/", false},
	    {"- {a,b}/**", "b/", false},
	    {"- /a/*", "a/", true},
	    {"- /a/**/b", "a/", true},
	    {"- **", "a/", false},
	    {"- *", "a/", false},
	    /* an include below keeps the way to it open */
	    {"+ /a/keep\n- /a/**", "a/", true},
	    {"+ /a/keep\n- /a/**", "a/keep", true},
	    {"+ /a/keep\n- /a/**", "a/other", false},
	    {"+ /a/keep\n- /a/**", "a/sub/", false},
	    {"+ *.c\n- *", "sub/", true},
	    {"+ *.c\n- *", "sub/x.h", false},
	    /* rsync's way to say: all directories, and *.c of the files */
	    {"+ */\n+ *.c\n- *", "a/b/", true},
	    {"+ */\n+ *.c\n- *", "a/b.h", false},
	    {"+ */\n+ *.c\n- *", "a/b.c", true},
	    /* what is in an excluded directory, walked for an include */
	    {"+ *.c\n- build/", "build/", true},
	    {"+ *.c\n- build/", "build/x.c", true},
	    {"+ *.c\n- build/", "build/x.o", false},
	    {"+ *.c\n- build", "a/build/b/x.o", false},
	    /* includes only */
	    {"+ *.c", "a.c", true},
	    {"+ *.c", "a.h", false},
	    {"+ *.c", "dir/", true},
	    {"+ /src/*.c", "src/", true},
	    {"+ /src/*.c", "doc/", false},
	    {"+ /src/*.c", "src/sub/", false},
	    {"+ /src/**", "src/sub/x", true},
	    {"+ /src/**", "src/sub/", true},
	    {"+ /s*/x", "sub/", true},
	    {"+ dir/", "dir/", true},
	    {"+ dir/", "dir/file", true},
	    {"+ dir/", "a/dir/sub/file", true},
	    {"+ /dir/", "dir/sub/", true},
	    {"+ /dir/", "other/", false},
	    {"+ dir/", "file", false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (passes(cases[i].rules, cases[i].path) != cases[i].passes) {
			check_failures++;
			fprintf(stderr, "\"%s\" with:\n%s\n", cases[i].path,
			    cases[i].rules);
		}
	}
}

static void
a_path_passes_only_with_its_parents(void)
{
	AUTO(filter) struct filter *f = filter_new(&e);

	CHECK(filter_exclude(f, "/a/b", &e) == 0);
	CHECK(filter_passes_from_root(f, "a/c/d", 5, false));
	CHECK(!filter_passes_from_root(f, "a/b", 3, true));
	CHECK(!filter_passes_from_root(f, "a/b/c/d", 7, false));
	CHECK(filter_passes(f, "", 0, true));
}

static void
rules_come_from_files(void)
{
	AUTO(filter) struct filter *f = filter_new(&e);
	AUTO(buf) struct buf out = BUF_INIT(1000);
	char path[5000];
	int root = tree_begin();
	int fd;

	tree_file(root, "rules",
	    "\xef\xbb\xbf# comment\r\n; another\r\n\r\n+ *.c\r\n- *.o \n!\n"
	    "- last");
	snprintf(path, sizeof(path), "%s/rules", tree_path);
	CHECK(filter_file(f, path, 'f', &e) == 0);
	CHECK(filter_include(f, "a b", &e) == 0);
	filter_dump(f, &out);
	CHECK_STR(buf_str(&out), "- last\n+ a b\n");
	tree_file(root, "rules", "*.c\n\n*.h\n");
	CHECK(filter_file(f, path, '+', &e) == 0);
	CHECK(filter_file(f, path, '-', &e) == 0);
	buf_reset(&out);
	filter_dump(f, &out);
	CHECK_STR(buf_str(&out), "- last\n+ a b\n+ *.c\n+ *.h\n- *.c\n- *.h\n");
	tree_file(root, "rules", "*.c\n[x\n");
	CHECK(filter_file(f, path, '-', &e) == -1);
	CHECK(strstr(e.msg, "/rules:2: pattern \"[x\"") != NULL);
	fd = openat(root, "rules", O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(write(fd, "a\0b\n", 4) == 4);
	close(fd);
	CHECK(filter_file(f, path, '-', &e) == -1 && e.kind == ERR_USAGE);
	CHECK(
	    filter_file(f, "/dev/zero", '-', &e) == -1 && e.kind == ERR_USAGE);
	unlinkat(root, "rules", 0);
	CHECK(filter_file(f, path, '-', &e) == -1 && e.kind == ERR_NOTFOUND);
	CHECK(filter_file(f, tree_path, '-', &e) == -1);
	tree_end(root);
}

/* Patterns on which matchers that try again take for ever. */
static void
no_pattern_takes_for_ever(void)
{
	static const char *const patterns[] = {
	    "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
	    "**a**a**a**a**a**a**a**a**a**a**b",
	    "{a,aa,a*}{a,aa,a*}{a,aa,a*}{a,aa,a*}{a,aa,a*}{a,aa,a*}b",
	    "*?*?*?*?*?*?*?*?*?*?*?*?*?*?*[b]",
	    "{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}{,a}[b]",
	};
	struct timespec start, stop;
	char path[4096];
	size_t i;

	memset(path, 'a', sizeof(path));
	for (i = 63; i < sizeof(path); i += 64)
		path[i] = '/';
	path[sizeof(path) - 1] = 'a';
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		AUTO(glob) struct glob *g = glob_new(patterns[i], &e);

		CHECK(!glob_matches(g, path, sizeof(path)));
		CHECK(!glob_covers(g, path, sizeof(path)));
		path[sizeof(path) - 1] = 'b';
		glob_matches(g, path, sizeof(path));
		path[sizeof(path) - 1] = 'a';
	}
	clock_gettime(CLOCK_MONOTONIC, &stop);
	CHECK(stop.tv_sec - start.tv_sec < 3);
}

int
main(void)
{
	RUN(each_pattern_matches_what_it_says);
	RUN(a_wrong_pattern_says_what_is_wrong);
	RUN(the_first_rule_that_matches_decides);
	RUN(a_path_passes_only_with_its_parents);
	RUN(rules_come_from_files);
	RUN(no_pattern_takes_for_ever);
	return check_end();
}
