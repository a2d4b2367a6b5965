/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/buf.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"
#include "transfer/scan.h"

/* What a scan said, gathered. */
struct seen {
	pthread_mutex_t lock;
	struct buf names; /* "dir/name\n", in the order of delivery */
	char last_name[256];
	unsigned batches, firsts, lasts, dones;
	unsigned stop_after; /* batches; 0: never */
	uint64_t entries, excluded, specials, links, unreadable, errors;
	uint64_t temporary;
	struct err error; /* the last one */
	bool wrong_order;
	bool leaked; /* something from outside came */
};

static struct seen seen;
static int root;

static bool
take(void *arg, struct scan_batch *b)
{
	struct seen *s = arg;
	const struct scan_trouble *t;
	bool more;
	size_t i;

	pthread_mutex_lock(&s->lock);
	if (b->first)
		s->last_name[0] = '\0';
	for (i = 0; i < b->n; i++) {
		const struct scan_entry *e = &b->entries[i];

		if (strlen(e->name) != e->name_len)
			s->wrong_order = true;
		if (i > 0 && strcmp(b->entries[i - 1].name, e->name) >= 0)
			s->wrong_order = true;
		if (strstr(e->name, "outside") != NULL)
			s->leaked = true;
		buf_addf(&s->names, "%s%s%s\n", b->dir,
		    b->dir_len > 0 ? "/" : "", e->name);
	}
	s->entries += b->n;
	s->excluded += b->excluded;
	for (i = 0; i < b->left_n; i++)
		*(b->left[i].st.type == ITEM_SPECIAL	     ? &s->specials
			: b->left[i].st.type == ITEM_SYMLINK ? &s->links
							     : &s->temporary) +=
		    1;
	for (t = b->troubles; t != NULL; t = t->next)
		s->unreadable++;
	if (b->error.kind != ERR_NONE) {
		s->errors++;
		s->error = b->error;
	}
	s->firsts += b->first;
	s->lasts += b->last;
	more = ++s->batches != s->stop_after;
	pthread_mutex_unlock(&s->lock);
	scan_batch_free(b);
	return more;
}

static void
done(void *arg)
{
	struct seen *s = arg;

	s->dones++;
}

/* Walks the whole tree; what it saw is in seen. */
static void
scan_with(const struct scan_options *o, unsigned stop_after)
{
	struct err e = ERR_INIT;
	struct scan *s;

	buf_free(&seen.names);
	memset(&seen, 0, sizeof(seen));
	pthread_mutex_init(&seen.lock, NULL);
	buf_init(&seen.names, 1 << 26);
	seen.stop_after = stop_after;
	s = scan_start(root, NULL, o, take, done, &seen, &e);
	CHECK(s != NULL);
	if (s != NULL)
		scan_join(s);
	CHECK_UINT(seen.dones, 1);
	CHECK(!seen.wrong_order);
}

static void
scan_all(void)
{
	scan_with(&(struct scan_options){.links = SCAN_LINKS_KEEP}, 0);
}

static bool
saw(const char *path)
{
	char line[20000];

	snprintf(line, sizeof(line), "\n%s\n", path);
	return strncmp(buf_str(&seen.names), line + 1, strlen(line + 1)) == 0 ||
	    strstr(buf_str(&seen.names), line) != NULL;
}

static void
an_empty_root_is_one_empty_batch(void)
{
	root = tree_begin();
	scan_all();
	CHECK_UINT(seen.batches, 1);
	CHECK_UINT(seen.firsts, 1);
	CHECK_UINT(seen.lasts, 1);
	CHECK_UINT(seen.entries, 0);
	tree_end(root);
}

static void
a_big_directory_comes_in_ordered_batches(void)
{
	char name[64], before[64] = "";
	const char *p;
	unsigned i;

	root = tree_begin();
	for (i = 0; i < 3000; i++) {
		snprintf(
		    name, sizeof(name), "shared-prefix-%u", i * 7919 % 3000);
		tree_file(root, name, "");
	}
	scan_with(&(struct scan_options){.threads = 4}, 0);
	CHECK_UINT(seen.entries, 3000);
	CHECK_UINT(seen.batches, 3);
	CHECK_UINT(seen.firsts, 1);
	CHECK_UINT(seen.lasts, 1);
	for (p = buf_str(&seen.names); *p != '\0'; p += strcspn(p, "\n") + 1) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "\n"), p);
		CHECK(strcmp(before, name) < 0);
		memcpy(before, name, sizeof(before));
	}
	tree_end(root);
}

static void
nested_directories_are_walked(void)
{
	root = tree_begin();
	tree_dir(root, "a");
	tree_dir(root, "a/b");
	tree_dir(root, "a/b/c");
	tree_file(root, "a/b/c/file", "12345");
	tree_dir(root, "empty");
	tree_link(root, "a/link", "b");
	tree_file(root, ".hidden", "");
	tree_file(root, ".dray-0123456789abcdef", "");
	tree_file(root, ".dray-notes", "");
	mkfifoat(root, "fifo", 0600);
	scan_with(&(struct scan_options){.links = SCAN_LINKS_KEEP,
		      .skip_prefix = ".dray-"},
	    0);
	CHECK(saw("a/b/c/file") && saw("a/link") && saw("empty") &&
	    saw(".hidden") && saw(".dray-notes"));
	CHECK_UINT(seen.entries, 8);
	CHECK_UINT(seen.specials, 1);
	CHECK_UINT(seen.temporary, 1);
	CHECK_UINT(seen.firsts, 5);
	CHECK_UINT(seen.lasts, 5);
	scan_with(&(struct scan_options){.links = SCAN_LINKS_SKIP}, 0);
	CHECK_UINT(seen.links, 1);
	CHECK(!saw("a/link"));
	tree_end(root);
}

static void
any_name_survives(void)
{
	static const char *const names[] = {"-rf", "a\nb", "\xff\xfe",
	    " space ", "\x01", "caf\xc3\xa9", "*", "\\", "~"};
	char longest[256];
	size_t i;

	root = tree_begin();
	memset(longest, 'n', 255);
	longest[255] = '\0';
	tree_file(root, longest, "");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tree_file(root, names[i], "");
	scan_all();
	CHECK_UINT(seen.entries, 1 + i);
	CHECK(saw(longest));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(saw(names[i]));
	tree_end(root);
}

static void
a_path_may_be_longer_than_the_kernel_takes(void)
{
	char path[13000];
	int deep, i;

	root = tree_begin();
	deep = tree_deep(root, 40, 250, path);
	tree_file(deep, "end", "");
	memcpy(path + strlen(path), "/end", 5);
	for (i = SCAN_LINKS_KEEP; i <= SCAN_LINKS_FOLLOW; i++) {
		scan_with(
		    &(struct scan_options){.links = (enum scan_links)i}, 0);
		CHECK_UINT(seen.entries, 41);
		CHECK_UINT(seen.errors, 0);
		CHECK(saw(path));
	}
	close(deep);
	tree_end(root);
}

/* Root reads everything, so somebody else must try. */
static void
an_unreadable_directory_is_an_error_of_its_own(void)
{
	pid_t pid;
	int status = -1;

	root = tree_begin();
	fchmod(root, 0755);
	tree_dir(root, "closed");
	tree_file(root, "closed/x", "");
	tree_dir(root, "open");
	tree_file(root, "open/y", "");
	fchmodat(root, "closed", 0, 0);
	pid = fork();
	if (pid == 0) {
		int bad;

		if (geteuid() == 0 && setuid(65534) == -1)
			_exit(77);
		check_failures = 0;
		scan_all();
		CHECK_UINT(seen.errors, 1);
		CHECK(seen.error.kind == ERR_DENIED);
		CHECK(saw("closed") && saw("open/y"));
		CHECK_UINT(seen.firsts, 3);
		CHECK_UINT(seen.lasts, 3);
		bad = check_failures;
		_exit(bad != 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	fchmodat(root, "closed", 0755, 0);
	tree_end(root);
}

/* Delivers the root, then removes the directory that was seen in it. */
static bool
remove_then_take(void *arg, struct scan_batch *b)
{
	if (b->dir_len == 0)
		unlinkat(root, "doomed", AT_REMOVEDIR);
	return take(arg, b);
}

static void
a_directory_that_vanished_says_so(void)
{
	struct scan_options o = {.threads = 1};
	struct err e = ERR_INIT;
	struct scan *s;

	root = tree_begin();
	tree_dir(root, "doomed");
	scan_all();
	memset(&seen.error, 0, sizeof(seen.error));
	s = scan_start(root, NULL, &o, remove_then_take, NULL, &seen, &e);
	scan_join(s);
	CHECK(seen.error.kind == ERR_VANISHED);
	CHECK_UINT(seen.errors, 1);
	tree_end(root);
}

static void
the_filter_prunes_and_counts(void)
{
	struct err e = ERR_INIT;
	AUTO(filter) struct filter *f = filter_new(&e);

	root = tree_begin();
	tree_dir(root, "build");
	tree_file(root, "build/x.c", "");
	tree_dir(root, "src");
	tree_file(root, "src/a.c", "");
	tree_file(root, "src/a.o", "");
	CHECK(filter_exclude(f, "build/", &e) == 0 &&
	    filter_exclude(f, "*.o", &e) == 0);
	scan_with(&(struct scan_options){.filter = f}, 0);
	CHECK_UINT(seen.entries, 2);
	CHECK_UINT(seen.excluded, 2);
	CHECK(saw("src/a.c") && !saw("build/x.c"));
	tree_end(root);
}

static void
followed_links_neither_loop_nor_dangle_in_silence(void)
{
	root = tree_begin();
	tree_dir(root, "a");
	tree_file(root, "a/file", "x");
	tree_link(root, "a/up", "..");
	tree_link(root, "a/self", ".");
	tree_link(root, "b", "a");
	tree_link(root, "f", "a/file");
	tree_link(root, "dangling", "nowhere");
	scan_with(&(struct scan_options){.links = SCAN_LINKS_FOLLOW}, 0);
	CHECK(saw("a/file") && saw("b/file") && saw("f"));
	CHECK(!saw("a/up") && !saw("a/self") && !saw("dangling"));
	CHECK_UINT(seen.unreadable, 5);
	CHECK_UINT(seen.errors, 0);
	tree_end(root);
}

static void
a_mount_point_ends_the_file_system(void)
{
	char path[5000];

	root = tree_begin();
	tree_dir(root, "mnt");
	snprintf(path, sizeof(path), "%s/mnt", tree_path);
	if (mount("none", path, "tmpfs", 0, "size=1m") == 0) {
		tree_file(root, "mnt/other", "");
		scan_with(&(struct scan_options){.one_file_system = true}, 0);
		CHECK(saw("mnt") && !saw("mnt/other"));
		scan_all();
		CHECK(saw("mnt/other"));
		umount(path);
	}
	tree_end(root);
}

static atomic_bool swapping;

static void *
swap(void *arg)
{
	(void)arg;
	while (atomic_load(&swapping)) {
		renameat(root, "dir", root, "kept");
		symlinkat("../dray-outside", root, "dir");
		unlinkat(root, "dir", 0);
		renameat(root, "kept", root, "dir");
	}
	return NULL;
}

static void
a_directory_swapped_for_a_link_leads_nowhere(void)
{
	char outside[5000];
	pthread_t t;
	int i, out;

	root = tree_begin();
	snprintf(outside, sizeof(outside), "%s/../dray-outside", tree_path);
	mkdir(outside, 0755);
	out = open(outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_file(out, "outside-file", "");
	tree_dir(root, "dir");
	tree_file(root, "dir/inside", "");
	atomic_store(&swapping, true);
	pthread_create(&t, NULL, swap, NULL);
	for (i = 0; i < 1500; i++) {
		scan_all();
		CHECK(!seen.leaked);
	}
	atomic_store(&swapping, false);
	pthread_join(t, NULL);
	tree_clear(out);
	close(out);
	rmdir(outside);
	tree_end(root);
}

static void
a_walk_ends_when_told(void)
{
	struct scan_options o = {.threads = 2};
	struct err e = ERR_INIT;
	struct scan *s;
	char name[16];
	int i;

	root = tree_begin();
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "%d", i);
		tree_dir(root, name);
	}
	scan_with(&(struct scan_options){.threads = 3}, 5);
	CHECK(seen.batches >= 5 && seen.batches <= 5 + 3);
	s = scan_start(root, NULL, &o, take, NULL, &seen, &e);
	scan_stop(s);
	scan_join(s);
	tree_end(root);
}

int
main(void)
{
	unsigned fds = open_fds();

	RUN(an_empty_root_is_one_empty_batch);
	RUN(a_big_directory_comes_in_ordered_batches);
	RUN(nested_directories_are_walked);
	RUN(any_name_survives);
	RUN(a_path_may_be_longer_than_the_kernel_takes);
	RUN(an_unreadable_directory_is_an_error_of_its_own);
	RUN(a_directory_that_vanished_says_so);
	RUN(the_filter_prunes_and_counts);
	RUN(followed_links_neither_loop_nor_dangle_in_silence);
	RUN(a_mount_point_ends_the_file_system);
	RUN(a_directory_swapped_for_a_link_leads_nowhere);
	RUN(a_walk_ends_when_told);
	buf_free(&seen.names);
	check_failures = 0;
	CHECK_UINT(open_fds(), fds);
	return check_failures == 0 ? check_end() : 1;
}
