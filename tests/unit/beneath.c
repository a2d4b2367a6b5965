/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>

#include "base/auto.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/beneath.h"

static int root;

/* Both ways in turn. */
#define EACH_WAY(i)             \
	for (i = 0; i < 2; i++) \
		if (beneath_force_fallback(i), 1)

/* errno of opening PATH, 0 if it worked. */
static int
opens(const char *path, int flags)
{
	AUTO(close) int fd = beneath_open(root, path, flags, 0600);

	return fd == -1 ? errno : 0;
}

static void
make(void)
{
	root = tree_begin();
	tree_dir(root, "a");
	tree_dir(root, "a/b");
	tree_file(root, "a/b/file", "inside");
	tree_dir(root, "in");
	tree_file(root, "in/secret", "x");
	tree_link(root, "a/out", "/etc");
	tree_link(root, "a/self", "../in");
	tree_link(root, "a/b/last", "file");
	tree_link(root, "a/b/none", "missing");
}

static void
plain_paths_open(void)
{
	int i;

	EACH_WAY(i)
	{
		CHECK_UINT(opens("", O_RDONLY | O_DIRECTORY), 0);
		CHECK_UINT(opens(".", O_RDONLY | O_DIRECTORY), 0);
		CHECK_UINT(opens("a", O_RDONLY | O_DIRECTORY), 0);
		CHECK_UINT(opens("a/b/file", O_RDONLY), 0);
		CHECK_UINT(opens("./a//b/./file", O_RDONLY), 0);
		CHECK_UINT(opens("a/b/", O_RDONLY), 0);
	}
}

static void
a_symlink_anywhere_is_refused(void)
{
	static const char *const paths[] = {"a/out", "a/out/passwd", "a/self",
	    "a/self/secret", "a/b/last", "a/b/none"};
	static const int flags[] = {O_RDONLY, O_RDONLY | O_NOFOLLOW,
	    O_RDONLY | O_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, O_PATH,
	    O_PATH | O_DIRECTORY, O_WRONLY | O_CREAT};
	size_t p, f;
	int i;

	EACH_WAY(i)
	for (p = 0; p < sizeof(paths) / sizeof(paths[0]); p++)
		for (f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
			CHECK_UINT(opens(paths[p], flags[f]), ELOOP);
	CHECK(faccessat(root, "a/b/missing", F_OK, 0) == -1);
}

static void
what_leads_out_is_refused(void)
{
	static const char *const paths[] = {"..", "a/..", "a/../in", "/",
	    "/etc/passwd", "../x", "a/b/..", "a/../../etc"};
	size_t p;
	int i;

	EACH_WAY(i)
	for (p = 0; p < sizeof(paths) / sizeof(paths[0]); p++)
		CHECK_UINT(opens(paths[p], O_RDONLY), EXDEV);
}

static void
both_ways_fail_alike(void)
{
	static const struct {
		const char *path;
		int flags, want;
	} cases[] = {
	    {"none", O_RDONLY, ENOENT},
	    {"none/none", O_RDONLY, ENOENT},
	    {"a/b/file/x", O_RDONLY, ENOTDIR},
	    {"a/b/file/", O_RDONLY, ENOTDIR},
	    {"a/b/file", O_RDONLY | O_DIRECTORY, ENOTDIR},
	    {"a/b/file", O_WRONLY | O_CREAT | O_EXCL, EEXIST},
	    {"a/b/last", O_WRONLY | O_CREAT | O_EXCL, EEXIST},
	    {"a/b", O_WRONLY, EISDIR},
	};
	size_t c;
	int i;

	EACH_WAY(i)
	for (c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
		CHECK_UINT(opens(cases[c].path, cases[c].flags), cases[c].want);
}

static void
a_file_is_made_with_its_mode(void)
{
	struct stat st;
	int i;

	EACH_WAY(i)
	{
		CHECK_UINT(opens("a/new", O_WRONLY | O_CREAT | O_EXCL), 0);
		CHECK(fstatat(root, "a/new", &st, 0) == 0 &&
		    (st.st_mode & 0777) == 0600);
		unlinkat(root, "a/new", 0);
	}
}

static void
the_parent_comes_with_the_name(void)
{
	const char *name = NULL;
	struct stat st;
	int i;

	EACH_WAY(i)
	{
		AUTO(close) int fd = beneath_parent(root, "a/b/file", &name);
		AUTO(close) int top = beneath_parent(root, "in", &name);

		CHECK_STR(name, "in");
		CHECK(top != -1 && fstatat(top, "in", &st, 0) == 0);
		CHECK(fd != -1 && fstatat(fd, "file", &st, 0) == 0);
		CHECK(beneath_parent(root, "a/self/x", &name) == -1 &&
		    errno == ELOOP);
		CHECK(beneath_parent(root, "", &name) == -1 && errno == EINVAL);
		CHECK(
		    beneath_parent(root, "a/", &name) == -1 && errno == EINVAL);
		CHECK(beneath_parent(root, "/etc", &name) == -1 &&
		    errno == EXDEV);
	}
}

static void
a_path_may_be_longer_than_the_kernel_takes(void)
{
	char path[13000];
	AUTO(close) int deep = tree_deep(root, 50, 250, path);
	const char *name = NULL;
	int i;

	tree_file(deep, "end", "x");
	memcpy(path + strlen(path), "/end", 5);
	EACH_WAY(i)
	{
		AUTO(close) int fd = beneath_parent(root, path, &name);

		CHECK_UINT(opens(path, O_RDONLY), 0);
		CHECK(fd != -1);
		CHECK_STR(name, "end");
	}
	unlinkat(deep, "end", 0);
	tree_link(deep, "end", "/etc/passwd");
	EACH_WAY(i)
	CHECK_UINT(opens(path, O_RDONLY), ELOOP);
	memset(path, 'x', 5000);
	path[5000] = '\0';
	EACH_WAY(i)
	CHECK_UINT(opens(path, O_RDONLY), ENAMETOOLONG);
}

int
main(void)
{
	unsigned fds = open_fds();

	make();
	RUN(plain_paths_open);
	RUN(a_symlink_anywhere_is_refused);
	RUN(what_leads_out_is_refused);
	RUN(both_ways_fail_alike);
	RUN(a_file_is_made_with_its_mode);
	RUN(the_parent_comes_with_the_name);
	RUN(a_path_may_be_longer_than_the_kernel_takes);
	tree_end(root);
	check_failures = 0;
	CHECK_UINT(open_fds(), fds);
	return check_failures == 0 ? check_end() : 1;
}
