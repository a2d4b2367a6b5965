/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ledger.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static int fd;

static struct ledger *
open_mode(enum ledger_mode mode, char **aside, struct err *e)
{
	return ledger_open(tree_path, "task", mode, aside, e);
}

/* Opens for writing; ends the test program if that fails. */
static struct ledger *
begin(void)
{
	struct err e = ERR_INIT;
	char *aside;
	struct ledger *l = open_mode(LEDGER_WRITE, &aside, &e);

	if (l == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		exit(99);
	}
	CHECK(aside == NULL);
	return l;
}

static void
commit(struct ledger *l)
{
	struct err e = ERR_INIT;

	CHECK_UINT(ledger_commit(l, &e), 0);
}

static int64_t
dir_id(struct ledger *l, const char *path, bool make)
{
	struct err e = ERR_INIT;
	int64_t id = -1;

	CHECK_UINT(ledger_dir_id(l, path, strlen(path), make, &id, &e), 0);
	return id;
}

static struct ledger_file
a_row(uint64_t size)
{
	struct ledger_file row = {
	    .state = LEDGER_DONE,
	    .st = {.type = ITEM_FILE,
		.mode = 0100644,
		.uid = 4294967295U,
		.gid = 7,
		.size = size,
		.ino = UINT64_MAX,
		.dev = 65024,
		.mtime_ns = -5,
		.ctime_ns = INT64_MAX},
	    .part_bytes = 16 << 20,
	    .digest_have = DIGEST_XXH3 | DIGEST_CRC64NVME,
	    .crc64nvme = UINT64_MAX - 1,
	    .etag = "0123-4",
	    .version = "v.1",
	    .run_id = 3,
	    .attrs = UINT64_MAX - 1,
	};

	memset(row.xxh3, 0xa5, sizeof(row.xxh3));
	return row;
}

static bool
same_stat(const struct item_stat *a, const struct item_stat *b)
{
	return item_same(a, b) && item_same_metadata(a, b);
}

static void
put(struct ledger *l, int64_t dir, const char *name, uint64_t size)
{
	struct err e = ERR_INIT;
	struct ledger_file row = a_row(size);

	CHECK_UINT(ledger_file_put(l, dir, name, strlen(name), &row, &e), 0);
}

/* The names behind AFTER up to UPTO, each with a comma. */
static const char *
names(struct ledger *l, int64_t dir, const char *after, const char *upto)
{
	static char all[4096];
	struct err e = ERR_INIT;
	struct ledger_file row;
	size_t n = 0;
	int rc;

	CHECK_UINT(ledger_diff_begin(l, dir, after, upto, &e), 0);
	while ((rc = ledger_diff_next(l, &row, &e)) == 1)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%.*s,",
		    (int)row.name_len, row.name);
	CHECK_UINT(rc, 0);
	all[n] = '\0';
	return all;
}

static void
only_what_was_committed_is_there(void)
{
	struct ledger *l = begin();
	int64_t d;

	d = dir_id(l, "a", true);
	put(l, d, "committed", 1);
	CHECK_UINT(ledger_uncommitted(l), 2);
	commit(l);
	CHECK_UINT(ledger_uncommitted(l), 0);
	put(l, d, "lost", 2);
	dir_id(l, "b", true);
	ledger_close(l);
	l = begin();
	CHECK(dir_id(l, "a", false) == d);
	CHECK(dir_id(l, "b", false) == 0);
	CHECK_STR(names(l, d, NULL, NULL), "committed,");
	ledger_close(l);
}

/* As a crash: the process ends without a close. */
static void
a_killed_writer_leaves_what_it_committed(void)
{
	int status;
	struct ledger *l;
	pid_t pid = fork();

	if (pid == 0) {
		l = begin();
		put(l, dir_id(l, "k", true), "committed", 1);
		commit(l);
		put(l, dir_id(l, "k", true), "lost", 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	l = begin();
	CHECK_STR(names(l, dir_id(l, "k", false), NULL, NULL), "committed,");
	ledger_close(l);
}

static void
rows_come_back_as_they_went(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	int64_t d = dir_id(l, "", true);
	struct ledger_file want = a_row(UINT64_MAX / 2), got = {0};

	put(l, d, "x", UINT64_MAX / 2);
	commit(l);
	CHECK_UINT(ledger_diff_begin(l, d, NULL, NULL, &e), 0);
	CHECK_UINT(ledger_diff_next(l, &got, &e), 1);
	CHECK_UINT(got.state, want.state);
	CHECK(same_stat(&got.st, &want.st));
	CHECK_UINT(got.part_bytes, want.part_bytes);
	CHECK_UINT(got.digest_have, want.digest_have);
	CHECK(memcmp(got.xxh3, want.xxh3, 16) == 0);
	CHECK_UINT(got.crc64nvme, want.crc64nvme);
	CHECK_STR(got.etag, want.etag);
	CHECK_STR(got.version, want.version);
	CHECK_UINT(got.run_id, 3);
	CHECK_UINT(got.attrs, want.attrs);
	CHECK_UINT(ledger_diff_next(l, &got, &e), 0);
	/* What has no digest claims none. */
	want.digest_have = 0;
	CHECK_UINT(ledger_file_put(l, d, "x", 1, &want, &e), 0);
	CHECK_UINT(ledger_diff_begin(l, d, NULL, NULL, &e), 0);
	CHECK_UINT(ledger_diff_next(l, &got, &e), 1);
	CHECK_UINT(got.digest_have, 0);
	ledger_close(l);
}

static void
stretches_of_a_directory_have_sharp_ends(void)
{
	struct ledger *l = begin();
	int64_t d = dir_id(l, "stretch", true);
	int64_t other = dir_id(l, "stretch2", true);
	char lengthy[256];

	memset(lengthy, 0xff, 255);
	lengthy[255] = '\0';
	put(l, other, "elsewhere", 1);
	put(l, d, "b", 1);
	put(l, d, "a", 1);
	put(l, d, "a\x01", 1);
	put(l, d, "\xff\xfe", 1);
	put(l, d, "A", 1);
	put(l, d, " ", 1);
	CHECK_STR(names(l, d, NULL, NULL), " ,A,a,a\x01,b,\xff\xfe,");
	CHECK_STR(names(l, d, "a", NULL), "a\x01,b,\xff\xfe,");
	CHECK_STR(names(l, d, NULL, "a"), " ,A,a,");
	CHECK_STR(names(l, d, "A", "b"), "a,a\x01,b,");
	CHECK_STR(names(l, d, "b", "b"), "");
	CHECK_STR(names(l, d, "\xff\xfe", NULL), "");
	/* The last name that any file system allows. */
	put(l, d, lengthy, 1);
	CHECK_UINT(strlen(names(l, d, "\xff\xfe", NULL)), 256);
	CHECK_STR(names(l, 999, NULL, NULL), "");
	ledger_close(l);
}

static void
names_need_not_be_text(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	int64_t d = dir_id(l, "\xc3\x28/\xff\n'\"", true);
	struct ledger_pending p = {0};
	struct ledger_file row = a_row(0);

	row.state = LEDGER_PENDING;
	CHECK(d == dir_id(l, "\xc3\x28/\xff\n'\"", false));
	CHECK(dir_id(l, "\xc3\x28", false) == 0);
	CHECK_UINT(ledger_file_put(l, d, "\x80\xff", 2, &row, &e), 0);
	commit(l);
	CHECK_UINT(ledger_pending_next(l, &p, &e), 1);
	CHECK_STR(p.path, "\xc3\x28/\xff\n'\"/\x80\xff");
	CHECK_UINT(p.name_len, 2);
	ledger_pending_free(&p);
	ledger_close(l);
}

static void
pending_rows_come_each_once_while_they_change(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_pending p = {0};
	struct ledger_file row = a_row(0);
	char name[32];
	unsigned i, seen = 0;
	int rc;

	row.state = LEDGER_PENDING;
	row.st.type = ITEM_DIR;
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p%u", i % 100);
		CHECK_UINT(ledger_file_put(l,
			       dir_id(l,
				   i < 100	 ? ""
				       : i < 200 ? "p1"
						 : "p2",
				   true),
			       name, strlen(name), &row, &e),
		    0);
	}
	row.state = LEDGER_DONE;
	while ((rc = ledger_pending_next(l, &p, &e)) == 1) {
		seen++;
		if (seen % 2 == 0)
			CHECK_UINT(ledger_file_put(l, p.dir_id, p.name,
				       p.name_len, &row, &e),
			    0);
		if (seen % 50 == 0)
			commit(l);
	}
	CHECK_UINT(rc, 0);
	CHECK_UINT(seen, 300);
	ledger_pending_free(&p);
	memset(&p, 0, sizeof(p));
	for (seen = 0; ledger_pending_next(l, &p, &e) == 1; seen++)
		;
	CHECK_UINT(seen, 150);
	ledger_pending_free(&p);
	ledger_close(l);
}

static void
the_deepest_directories_come_first(void)
{
	static const char *const dirs[] = {"", "a", "a/b\xff/", "z"};
	static const char *const want[] = {
	    "a/b\xff//x", "a/x", "a/y", "z/x", "x"};
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_pending p = {0};
	struct ledger_file row = a_row(0);
	unsigned i;

	row.st.type = ITEM_DIR;
	row.run_id = 7;
	for (i = 0; i < 4; i++) {
		int64_t d = dir_id(l, dirs[i], true);

		row.state = i < 3 ? LEDGER_PENDING : LEDGER_DONE;
		CHECK_UINT(ledger_file_put(l, d, "x", 1, &row, &e), 0);
		row.state = LEDGER_DONE;
		CHECK_UINT(ledger_file_put(l, d, "y", 1, &row, &e), 0);
	}
	CHECK_UINT(ledger_dir_again(l, "a/y", 3, &e), 0);
	CHECK_UINT(ledger_dir_again(l, "z/xx", 3, &e), 0);
	CHECK_UINT(ledger_dir_again(l, "none", 4, &e), 0);
	CHECK_UINT(ledger_dir_again(l, "", 0, &e), 0);
	for (i = 0; i < 5; i++) {
		CHECK_UINT(ledger_pending_next(l, &p, &e), 1);
		CHECK_STR(p.path, want[i]);
		CHECK_UINT(p.depth, i == 0 ? 3 : i < 4 ? 1 : 0);
		CHECK_UINT(p.run_id, 7);
	}
	CHECK_UINT(ledger_pending_next(l, &p, &e), 0);
	ledger_pending_free(&p);
	ledger_close(l);
}

static void
uploads_and_their_parts_come_back(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	char path[] = "u/big";
	struct ledger_upload u = {
	    .dir_id = dir_id(l, "u", true),
	    .path = path,
	    .path_len = 5,
	    .name_len = 3,
	    .st = a_row(12345678901).st,
	    .part_bytes = 5 << 20,
	    .begun_ns = 42,
	};
	struct store_part part = {.number = 10000,
	    .size = 77,
	    .digest = {.have = DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_MD5,
		.xxh3 = {1, 2, 3},
		.crc64nvme = UINT64_MAX},
	    .etag = "abc"};
	struct ledger_upload *all = NULL;
	struct store_part *parts = NULL;
	size_t n = 0;

	CHECK_UINT(ledger_upload_intend(l, &u, &e), 0);
	CHECK(u.id > 0);
	commit(l);
	CHECK_UINT(ledger_uploads(l, &all, &n, &e), 0);
	CHECK_UINT(n, 1);
	CHECK_STR(all[0].store_id, "");
	CHECK_STR(all[0].path, "u/big");
	CHECK_UINT(all[0].begun_ns, 42);
	CHECK(same_stat(&all[0].st, &u.st));
	ledger_uploads_free(all, n);
	CHECK_UINT(ledger_upload_begun(l, u.id, "2~xyz", 0x4001, &e), 0);
	part.proved = true;
	CHECK_UINT(ledger_part_put(l, u.id, &part, &e), 0);
	part.proved = false;
	part.number = 2;
	CHECK_UINT(ledger_part_put(l, u.id, &part, &e), 0);
	CHECK_UINT(ledger_part_put(l, u.id, &part, &e), 0);
	commit(l);
	ledger_close(l);
	l = begin();
	CHECK_UINT(ledger_uploads(l, &all, &n, &e), 0);
	CHECK_UINT(n, 1);
	CHECK_STR(all[0].store_id, "2~xyz");
	CHECK_UINT(all[0].attrs, 0x4001);
	CHECK_UINT(ledger_parts(l, all[0].id, &parts, &n, &e), 0);
	CHECK_UINT(n, 2);
	CHECK_UINT(parts[0].number, 2);
	CHECK_UINT(parts[1].number, 10000);
	CHECK_UINT(parts[1].size, 77);
	CHECK_STR(parts[1].etag, "abc");
	CHECK(parts[1].proved && !parts[0].proved);
	CHECK_UINT(parts[1].digest.crc64nvme, UINT64_MAX);
	CHECK_UINT(parts[1].digest.xxh3[2], 3);
	/* An MD5 isn't kept, so it isn't claimed. */
	CHECK_UINT(parts[1].digest.have, DIGEST_XXH3 | DIGEST_CRC64NVME);
	free(parts);
	CHECK_UINT(ledger_upload_drop(l, all[0].id, &e), 0);
	CHECK_UINT(ledger_parts(l, all[0].id, &parts, &n, &e), 0);
	CHECK_UINT(n, 0);
	free(parts);
	ledger_uploads_free(all, 1);
	CHECK_UINT(ledger_uploads(l, &all, &n, &e), 0);
	CHECK_UINT(n, 0);
	ledger_uploads_free(all, 0);
	commit(l);
	ledger_close(l);
}

static void
the_targets_items_are_no_part_of_the_ledger(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_target t = {.type = ITEM_FILE, .size = 5, .etag = "e"};
	struct ledger_target got;

	CHECK_UINT(ledger_target_get(l, "a", 1, false, &got, &e), 0);
	CHECK_UINT(ledger_target_put(l, "a\xff", 2, &t, &e), 0);
	CHECK_UINT(ledger_uncommitted(l), 0);
	CHECK_UINT(ledger_target_get(l, "a\xff", 2, false, &got, &e), 1);
	CHECK_UINT(got.size, 5);
	CHECK_STR(got.etag, "e");
	CHECK_UINT(ledger_target_get(l, "a", 1, false, &got, &e), 0);
	ledger_close(l);
	l = begin();
	CHECK_UINT(ledger_target_get(l, "a\xff", 2, false, &got, &e), 0);
	ledger_close(l);
}

static int
gone_too(void *arg, const char *path, size_t len, const struct ledger_target *t,
    struct err *e)
{
	return ledger_gone_put(arg, path, len, t, e);
}

static void
put_kind(
    struct ledger *l, const char *dir, const char *name, enum item_type type)
{
	struct err e = ERR_INIT;
	struct ledger_file row = {
	    .state = LEDGER_DONE, .st = {.type = type, .size = 7}, .etag = "e"};

	CHECK_UINT(ledger_file_put(
		       l, dir_id(l, dir, true), name, strlen(name), &row, &e),
	    0);
}

static void
what_is_to_go_comes_content_first_and_the_deepest_directory_first(void)
{
	static const char *const want[] = {
	    "a.b", "a/b\xff/c", "a/x", "listed", "a/b\xff", "a"};
	struct ledger_target t = {.type = ITEM_FILE}, d = {.type = ITEM_DIR};
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_victim v = {.at = 0};
	uint64_t n = 0;
	size_t i;

	put_kind(l, "", "a", ITEM_DIR);
	put_kind(l, "", "a.b", ITEM_FILE);
	put_kind(l, "", "a0", ITEM_FILE);
	put_kind(l, "a", "x", ITEM_FILE);
	put_kind(l, "a", "b\xff", ITEM_DIR);
	put_kind(l, "a/b\xff", "c", ITEM_SYMLINK);
	put_kind(l, "a/held", "in", ITEM_FILE);
	CHECK_UINT(ledger_gone_put(l, "a.b", 3, &t, &e), 0);
	CHECK_UINT(ledger_gone_put(l, "a", 1, &d, &e), 0);
	CHECK_UINT(ledger_gone_put(l, "held/by", 7, &d, &e), 0);
	CHECK_UINT(ledger_below(l, "a", 1, gone_too, l, &e), 0);
	CHECK_UINT(ledger_hold_parents(l, "held/by/this", 12, &e), 0);
	CHECK_UINT(ledger_target_put(l, "listed", 6, &t, &e), 0);
	CHECK_UINT(ledger_target_put(l, "seen", 4, &t, &e), 0);
	CHECK_UINT(ledger_target_put(l, "seen", 4, &d, &e), 0);
	CHECK_UINT(ledger_target_put(l, "seen/below", 10, &t, &e), 0);
	CHECK_UINT(ledger_target_put(l, "a/x", 3, &t, &e), 0);
	CHECK_UINT(ledger_target_seen(l, "seen", 4, true, &e), 0);
	CHECK_UINT(ledger_target_seen(l, "seen", 4, false, &e), 0);
	CHECK_UINT(ledger_target_seen_below(l, "seen", 4, &e), 0);
	CHECK_UINT(ledger_victims(l, true, &n, &e), 0);
	CHECK_UINT(n, 2); /* that the listing has */
	CHECK_UINT(ledger_victim_has(l, "a", 1, true, &e), 1);
	CHECK_UINT(ledger_victim_has(l, "a", 1, false, &e), 0);
	CHECK_UINT(ledger_victim_next(l, &v, &e), 1);
	CHECK_STR(v.path, want[0]);
	CHECK(v.known && !v.there && v.depth == 0);
	for (i = 1; ledger_victim_next(l, &v, &e) == 1; i++) {
		if (strcmp(v.path, "a/held/in") == 0) {
			i--;
			continue;
		}
		CHECK(i < 6 && strcmp(v.path, want[i]) == 0);
		CHECK(v.known == (strcmp(v.path, "listed") != 0));
	}
	CHECK_UINT(i, 6);
	free(v.path);
	CHECK_UINT(ledger_victim_spare(l, "a", 1, &e), 1);
	CHECK_UINT(ledger_victim_spare(l, "a", 1, &e), 0);
	commit(l);
	ledger_close(l);
}

static void
a_row_is_forgotten_only_as_what_it_is(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_file row;
	int64_t id;

	put_kind(l, "d", "n", ITEM_DIR);
	id = dir_id(l, "d", false);
	CHECK_UINT(ledger_forget(l, "d/n", 3, false, &e), 0);
	CHECK_UINT(ledger_diff_begin(l, id, NULL, NULL, &e), 0);
	CHECK_UINT(ledger_diff_next(l, &row, &e), 1);
	CHECK_UINT(ledger_diff_next(l, &row, &e), 0);
	CHECK_UINT(ledger_forget(l, "d/n", 3, true, &e), 0);
	CHECK_UINT(ledger_diff_begin(l, id, NULL, NULL, &e), 0);
	CHECK_UINT(ledger_diff_next(l, &row, &e), 0);
	commit(l);
	ledger_close(l);
}

static void
named_values_are_kept(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	char out[8];

	CHECK_UINT(ledger_meta_get(l, "none", out, sizeof(out), &e), 0);
	CHECK_UINT(ledger_meta_set(l, "k", "one", &e), 0);
	CHECK_UINT(ledger_meta_set(l, "k", "a long value", &e), 0);
	commit(l);
	CHECK_UINT(ledger_meta_get(l, "k", out, sizeof(out), &e), 1);
	CHECK_STR(out, "a long ");
	ledger_close(l);
}

static int
see_failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	(void)e;
	CHECK_UINT(f->path_len, 3);
	CHECK(memcmp(f->path, "\xff/a", 3) == 0);
	CHECK_STR(f->kind, "denied");
	CHECK_STR(f->message, "no");
	CHECK_UINT(f->attempts, 2);
	++*(unsigned *)arg;
	return 0;
}

static void
runs_failures_and_counters_come_back(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	struct ledger_run run = {
	    .ended_ns = 99, .outcome = "failures", .why = "because"};
	struct ledger_run got;
	struct ledger_failure f = {.path = "\xff/a",
	    .path_len = 3,
	    .kind = "denied",
	    .message = "no",
	    .attempts = 2,
	    .at_ns = 5};
	uint64_t first, v = 1;
	unsigned seen = 0;

#define SET(name) run.stats.name = v++ * 1000000007;
	STATS_COUNTERS(SET)
#undef SET
	CHECK_UINT(ledger_run_begin(l, &first, &e), 0);
	commit(l);
	CHECK_UINT(ledger_run_get(l, INT64_MAX, &got, &e), 1);
	CHECK_UINT(got.id, first);
	CHECK_UINT(got.ended_ns, 0);
	CHECK(got.started_ns > 0);
	run.id = first;
	CHECK_UINT(ledger_failure_put(l, first, &f, &e), 0);
	CHECK_UINT(ledger_run_end(l, &run, &e), 0);
	commit(l);
	CHECK_UINT(ledger_run_get(l, first, &got, &e), 1);
	CHECK_STR(got.outcome, "failures");
	CHECK_STR(got.why, "because");
	CHECK(memcmp(&got.stats, &run.stats, sizeof(got.stats)) == 0);
	CHECK_UINT(ledger_run_begin(l, &run.id, &e), 0);
	CHECK(run.id > first);
	CHECK_UINT(ledger_failures(l, first, see_failure, &seen, &e), 0);
	CHECK_UINT(ledger_failures(l, run.id, see_failure, &seen, &e), 0);
	CHECK_UINT(seen, 1);
	ledger_close(l);
}

static void
one_process_owns_it(void)
{
	struct err e = ERR_INIT;
	char *aside, pid_text[40];
	struct ledger *l;
	int to_child[2], to_us[2], status;
	char c = 'x';
	pid_t pid;

	if (pipe(to_child) == -1 || pipe(to_us) == -1)
		exit(99);
	pid = fork();
	if (pid == 0) {
		l = begin();
		if (write(to_us[1], &c, 1) == 1 && read(to_child[0], &c, 1))
			ledger_close(l);
		_exit(0);
	}
	CHECK(read(to_us[0], &c, 1) == 1);
	CHECK(open_mode(LEDGER_WRITE, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_BUSY);
	snprintf(pid_text, sizeof(pid_text), "process %ld)", (long)pid);
	CHECK(strstr(e.msg, pid_text) != NULL);
	/* Reading is allowed meanwhile. */
	l = open_mode(LEDGER_READ, &aside, &e);
	CHECK(l != NULL);
	ledger_close(l);
	CHECK(write(to_child[1], &c, 1) == 1);
	waitpid(pid, &status, 0);
	l = begin();
	ledger_close(l);
	close(to_child[0]);
	close(to_child[1]);
	close(to_us[0]);
	close(to_us[1]);
}

static void
sql(const char *text)
{
	char path[4300];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/task/ledger.db", tree_path);
	CHECK_UINT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_UINT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
a_newer_ledger_is_refused_and_left_alone(void)
{
	struct err e = ERR_INIT;
	char *aside;

	ledger_close(begin());
	sql("PRAGMA user_version=1000");
	CHECK(open_mode(LEDGER_WRITE, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_CONFIG);
	CHECK(strstr(e.msg, "newer") != NULL);
	CHECK(aside == NULL);
	CHECK(open_mode(LEDGER_READ, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_CONFIG);
}

static struct attrs *
some_attrs(const char *value)
{
	struct err e = ERR_INIT;
	struct attrs *a = attrs_new(ATTRS_XATTRS, &e);

	CHECK_UINT(attrs_add(a, "user.a", value, strlen(value), &e), 0);
	return a;
}

static void
a_set_of_attributes_is_found_by_its_mark(void)
{
	AUTO(attrs) struct attrs *a = some_attrs("1"), *got = NULL;
	AUTO(attrs) struct attrs *none = NULL;
	uint64_t mark = attrs_mark(a, ATTRS_XATTRS);
	struct err e = ERR_INIT;
	struct ledger *l = begin();

	CHECK_UINT(ledger_attrs_get(l, mark, &none, &e), 0);
	CHECK(none == NULL);
	CHECK_UINT(ledger_attrs_put(l, mark, a, &e), 0);
	/* What was rolled back is written once more. */
	ledger_rollback(l);
	ledger_accept(l);
	CHECK_UINT(ledger_attrs_put(l, mark, a, &e), 0);
	CHECK_UINT(ledger_attrs_put(l, mark, a, &e), 0);
	CHECK_UINT(ledger_uncommitted(l), 1);
	CHECK_UINT(ledger_commit(l, &e), 0);
	ledger_close(l);
	l = begin();
	CHECK_UINT(ledger_attrs_get(l, mark, &got, &e), 0);
	CHECK(got != NULL && got->kinds == ATTRS_XATTRS &&
	    attrs_mark(got, ATTRS_XATTRS) == mark);
	ledger_close(l);
}

static void
what_a_manifest_gives_is_kept_aside(void)
{
	AUTO(attrs) struct attrs *a = some_attrs("2");
	struct ledger_given given = {.st = {.type = ITEM_FILE,
					 .size = UINT64_MAX,
					 .mtime_ns = -1,
					 .mode = 0104755,
					 .uid = 1,
					 .gid = UINT32_MAX,
					 .has_atime = true,
					 .atime_ns = -2},
	    .link = {.nlink = 2, .ino = UINT64_MAX},
	    .attrs = a};
	struct ledger_given dir = {
	    .st = {.type = ITEM_DIR, .mtime_ns = ITEM_TIME_UNKNOWN},
	    .link.nlink = 1};
	struct ledger_given got;
	struct err e = ERR_INIT;
	struct ledger *l = begin();

	CHECK_UINT(ledger_given_begin(l, &e), 0);
	CHECK_UINT(ledger_given_put(l, "a\xff/f", 4, &given, &e), 0);
	CHECK_UINT(ledger_given_put(l, "a\xff", 2, &dir, &e), 0);
	CHECK_UINT(ledger_given_end(l, &e), 0);
	CHECK_UINT(ledger_uncommitted(l), 0);
	CHECK_UINT(ledger_given_get(l, "a\xff/f", 4, false, &got, &e), 1);
	CHECK(got.st.type == ITEM_FILE && got.st.size == UINT64_MAX &&
	    got.st.mtime_ns == -1 && got.st.mode == 0104755 &&
	    got.st.uid == 1 && got.st.gid == UINT32_MAX && got.st.has_atime &&
	    got.st.atime_ns == -2);
	CHECK(got.link.nlink == 2 && got.link.ino == UINT64_MAX &&
	    got.link.dev == LEDGER_GIVEN_DEV);
	CHECK(attrs_mark(got.attrs, 3) == attrs_mark(a, 3));
	attrs_free(got.attrs);
	CHECK_UINT(ledger_given_get(l, "a\xff", 2, true, &got, &e), 1);
	CHECK(got.attrs == NULL && got.link.nlink == 1 && !got.st.has_atime &&
	    got.st.mtime_ns == ITEM_TIME_UNKNOWN);
	CHECK_UINT(ledger_given_get(l, "a\xff", 2, false, &got, &e), 0);
	ledger_close(l);
}

/*
 * The tables of schema version 1, as released: later versions must take a
 * ledger like this over.  Never to be changed.
 */
static const char version_1[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE dir(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);"
    "CREATE TABLE file(dir_id INTEGER NOT NULL, name BLOB NOT NULL,"
    " state INTEGER NOT NULL, type INTEGER NOT NULL, mode INTEGER NOT NULL,"
    " uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,"
    " ino INTEGER NOT NULL, dev INTEGER NOT NULL,"
    " part_bytes INTEGER NOT NULL, digest_have INTEGER NOT NULL,"
    " xxh3 BLOB, crc64nvme INTEGER, etag TEXT, run_id INTEGER NOT NULL,"
    " PRIMARY KEY(dir_id, name)) WITHOUT ROWID;"
    "CREATE INDEX file_pending ON file(dir_id, name) WHERE state = 1;"
    "CREATE TABLE upload(id INTEGER PRIMARY KEY, dir_id INTEGER NOT NULL,"
    " name BLOB NOT NULL, store_id TEXT NOT NULL,"
    " part_bytes INTEGER NOT NULL, begun_ns INTEGER NOT NULL,"
    " type INTEGER NOT NULL, mode INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " gid INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,"
    " ino INTEGER NOT NULL, dev INTEGER NOT NULL);"
    "CREATE TABLE part(upload_id INTEGER NOT NULL, number INTEGER NOT NULL,"
    " size INTEGER NOT NULL, digest_have INTEGER NOT NULL, xxh3 BLOB,"
    " crc64nvme INTEGER, crc32c INTEGER, etag TEXT NOT NULL,"
    " PRIMARY KEY(upload_id, number)) WITHOUT ROWID;"
    "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " started_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, why TEXT NOT NULL, stats TEXT NOT NULL);"
    "CREATE TABLE failure(run_id INTEGER NOT NULL, path BLOB NOT NULL,"
    " kind TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL, PRIMARY KEY(run_id, path)) WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "INSERT INTO meta VALUES('source','/data');"
    "INSERT INTO dir VALUES(1,x'');"
    "INSERT INTO dir VALUES(2,x'61ff');"
    "INSERT INTO file VALUES(2,x'66',2,1,33188,0,0,7,1,2,3,4,0,1,"
    " x'000102030405060708090a0b0c0d0e0f',5,'etag',1);"
    "INSERT INTO upload VALUES(9,2,x'67','id9',5242880,6,1,33188,0,0,8388608,"
    " 1,2,3,4);"
    "INSERT INTO part VALUES(9,1,5242880,3,"
    " x'000102030405060708090a0b0c0d0e0f',5,6,'p1');"
    "INSERT INTO run VALUES(1,10,20,'ok','','done_items=1 later_words=2 ');";

static void
a_ledger_of_version_1_is_taken_over(void)
{
	struct err e = ERR_INIT;
	struct ledger *l;
	struct ledger_upload *all = NULL;
	struct store_part *parts = NULL;
	struct ledger_run run;
	struct ledger_file row;
	size_t n = 0;
	char out[20];

	tree_dir(fd, "task");
	sql(version_1);
	l = begin();
	CHECK_UINT(ledger_meta_get(l, "source", out, sizeof(out), &e), 1);
	CHECK_STR(out, "/data");
	CHECK_UINT(dir_id(l, "a\xff", false), 2);
	CHECK_UINT(ledger_diff_begin(l, 2, NULL, NULL, &e), 0);
	CHECK_UINT(ledger_diff_next(l, &row, &e), 1);
	CHECK_UINT(row.st.size, 7);
	CHECK_UINT(row.xxh3[15], 15);
	CHECK_UINT(row.run_id, 1);
	CHECK_UINT(row.outcome.how, HOW_UNKNOWN);
	CHECK_UINT(row.outcome.done_ns, 0);
	CHECK_UINT(row.attrs, 0); /* never looked at */
	CHECK_UINT(ledger_diff_next(l, &row, &e), 0);
	CHECK_UINT(ledger_uploads(l, &all, &n, &e), 0);
	CHECK_UINT(n, 1);
	CHECK_STR(all[0].path, "a\xff/g");
	CHECK_STR(all[0].store_id, "id9");
	ledger_uploads_free(all, n);
	CHECK_UINT(ledger_parts(l, 9, &parts, &n, &e), 0);
	CHECK_UINT(n, 1);
	CHECK_STR(parts[0].etag, "p1");
	CHECK(!parts[0].proved);
	free(parts);
	CHECK_UINT(ledger_run_get(l, INT64_MAX, &run, &e), 1);
	CHECK_UINT(run.stats.done_items, 1);
	CHECK_UINT(run.retry_of, 0);
	CHECK_UINT(
	    ledger_deletion_put(l, 1, "f", 1, ITEM_FILE, 7, FATE_OPEN, &e), 0);
	commit(l);
	ledger_close(l);
}

/* dray report after an update, before any run. */
static void
a_ledger_of_version_1_can_be_read(void)
{
	struct err e = ERR_INIT;
	struct ledger_sums sums;
	struct ledger *l;
	char *aside;

	tree_dir(fd, "task");
	sql(version_1);
	l = open_mode(LEDGER_READ, &aside, &e);
	CHECK(l != NULL);
	if (l == NULL)
		return;
	CHECK_UINT(ledger_sums(l, 1, &sums, &e), 0);
	CHECK_UINT(ledger_run_texts(l, 1, NULL, NULL, &e), 0);
	CHECK_UINT(sums.items[HOW_UNKNOWN], 1);
	CHECK_UINT(ledger_run_begin(l, &(uint64_t){0}, &e), -1);
	ledger_close(l);
}

static void
damage(off_t at, const char *bytes)
{
	int f = openat(fd, "task/ledger.db", O_WRONLY | O_CLOEXEC);

	CHECK(pwrite(f, bytes, strlen(bytes), at) == (ssize_t)strlen(bytes));
	close(f);
}

static void
a_damaged_ledger_is_set_aside_and_kept(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	char *aside = NULL;

	put(l, dir_id(l, "x", true), "f", 1);
	commit(l);
	ledger_close(l);
	damage(0, "this is no database, but something else");
	CHECK(open_mode(LEDGER_READ, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_MISMATCH);
	l = open_mode(LEDGER_WRITE, &aside, &e);
	CHECK(l != NULL);
	CHECK(aside != NULL && access(aside, F_OK) == 0);
	CHECK(aside != NULL && strstr(aside, "corrupt") != NULL);
	CHECK(dir_id(l, "x", false) == 0);
	free(aside);
	ledger_close(l);
}

/* Such as only shows when all is looked at: that happens after a crash. */
static void
damage_within_is_found_after_a_crash(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = begin();
	char *aside = NULL, name[200];
	uint64_t id;
	unsigned i;

	CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
	memset(name, 'n', sizeof(name));
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%0150u", i);
		put(l, dir_id(l, "x", true), name, i);
	}
	commit(l);
	ledger_close(l);
	for (i = 20; i < 60; i++)
		damage((off_t)i * 4096, "\x01\x02\x03\x04\x05\x06\x07\x08zz");
	l = open_mode(LEDGER_WRITE, &aside, &e);
	CHECK(l != NULL);
	CHECK(aside != NULL);
	free(aside);
	ledger_close(l);
}

static void
without_a_ledger_there_is_nothing_to_read(void)
{
	struct err e = ERR_INIT;
	char *aside;
	struct ledger *l;

	CHECK(open_mode(LEDGER_READ, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_NOTFOUND);
	l = open_mode(LEDGER_DRY, &aside, &e);
	CHECK(l != NULL);
	CHECK(dir_id(l, "x", false) == 0);
	ledger_close(l);
	CHECK(faccessat(fd, "task", F_OK, 0) == -1);
}

/* A crash between the making of the file and its first commit. */
static void
an_empty_file_is_no_ledger_yet(void)
{
	struct err e = ERR_INIT;
	char *aside;
	struct ledger *l;

	tree_dir(fd, "task");
	tree_file(fd, "task/ledger.db", "");
	CHECK(open_mode(LEDGER_READ, &aside, &e) == NULL);
	CHECK_UINT(e.kind, ERR_NOTFOUND);
	l = open_mode(LEDGER_DRY, &aside, &e);
	CHECK(l != NULL);
	ledger_close(l);
	ledger_close(begin());
}

/* Each in a directory of its own, and no descriptor is lost. */
static void
in_a_tree(void (*test)(void))
{
	unsigned fds = open_fds();

	fd = tree_begin();
	test();
	tree_end(fd);
	CHECK_UINT(open_fds(), fds);
}

static struct ledger_file
a_linked_row(int64_t ctime_ns, uint64_t run_id)
{
	struct ledger_file row = a_row(10);

	row.st.ctime_ns = ctime_ns;
	row.run_id = run_id;
	row.link = (struct item_link){
	    .nlink = 2, .dev = UINT64_MAX, .ino = 5, .id = 7};
	return row;
}

static void
put_row(struct ledger *l, int64_t dir, const char *name, struct ledger_file row)
{
	struct err e = ERR_INIT;

	CHECK_UINT(ledger_file_put(l, dir, name, strlen(name), &row, &e), 0);
}

/* The path of the leader of NAME with that ctime; "" if there is none. */
static const char *
leader(struct ledger *l, int64_t dir, const char *name, int64_t ctime_ns,
    uint64_t run_id)
{
	static char path[100];
	struct ledger_name n = {
	    .link = a_linked_row(0, 0).link,
	    .st = a_linked_row(ctime_ns, 0).st,
	    .dir_id = dir,
	    .name = name,
	    .name_len = strlen(name),
	};
	struct ledger_leader found;
	struct err e = ERR_INIT;
	int rc = run_id > 0 ? ledger_leader(l, &n, run_id, &found, &e)
			    : ledger_leader_any(l, &n, true, &found, &e);

	path[0] = '\0';
	if (rc == 1) {
		snprintf(path, sizeof(path), "%.*s", (int)found.path_len,
		    found.path);
		CHECK_UINT(found.row.link.id, 7);
		CHECK_UINT(found.row.link.nlink, 2);
		free(found.path);
	}
	CHECK(rc != -1);
	return path;
}

static void
other_names_of_a_file_are_found(void)
{
	struct ledger *l = begin();
	int64_t d = dir_id(l, "l/d", true), other = dir_id(l, "l", true);
	struct ledger_file row = a_linked_row(100, 3);
	struct err e = ERR_INIT;

	CHECK_STR(leader(l, d, "b", 100, 4), "");
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 4), "l/d/a");
	CHECK_STR(leader(l, other, "a", 100, 4), "l/d/a");
	CHECK_STR(leader(l, d, "a", 100, 4), ""); /* itself */
	CHECK_STR(leader(l, d, "b", 101, 4), "");
	CHECK_STR(leader(l, d, "b", 101, 0), "l/d/a");

	/* Without a ctime: of this run only. */
	put_row(l, d, "a", a_linked_row(-1, 4));
	CHECK_STR(leader(l, d, "b", 100, 4), "l/d/a");
	CHECK_STR(leader(l, d, "b", 100, 5), "");

	/* Not done, of one name only, of another file or size or mtime. */
	row.state = LEDGER_PENDING;
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 0), "");
	row = a_linked_row(100, 3);
	row.link.nlink = 1;
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 0), "");
	row = a_linked_row(100, 3);
	row.link.ino++;
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 0), "");
	row = a_linked_row(100, 3);
	row.st.size++;
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 0), "");
	row = a_linked_row(100, 3);
	row.st.mtime_ns++;
	put_row(l, d, "a", row);
	CHECK_STR(leader(l, d, "b", 100, 0), "");
	CHECK_STR(leader(l, d, "b", 100, 4), "");

	put_row(l, d, "a", a_linked_row(100, 3));
	put_row(l, other, "c", a_linked_row(100, 3));
	CHECK_UINT(ledger_links_drop(l, &row.link, 0, &e), 0);
	CHECK_STR(leader(l, d, "b", 100, 4), "");
	commit(l);
	ledger_close(l);
}

static void
what_was_seen_is_no_part_of_the_ledger(void)
{
	struct item_link a = {.dev = 1, .ino = 2}, b = {.dev = 2, .ino = 1};
	struct ledger *l = begin();
	struct err e = ERR_INIT;

	CHECK_UINT(ledger_link_seen(l, &a, &e), 0);
	CHECK_UINT(ledger_link_seen(l, &b, &e), 0);
	CHECK_UINT(ledger_link_seen(l, &a, &e), 1);
	CHECK_UINT(ledger_uncommitted(l), 0);
	ledger_close(l);
	l = begin();
	CHECK_UINT(ledger_link_seen(l, &a, &e), 0);
	ledger_close(l);
}

/* Root may be at work in a directory of the service's user. */
static void
what_a_link_leads_to_is_not_touched(void)
{
	static const char *const names[] = {"task/lock", "task/ledger.db"};
	static const char precious[] = "precious";
	struct err e = ERR_INIT;
	struct stat st;
	char *aside;
	size_t i;
	int other = openat(fd, "other", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(write(other, precious, sizeof(precious)) ==
	    (ssize_t)sizeof(precious));
	ledger_close(begin());
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(unlinkat(fd, names[i], 0) == 0);
		CHECK(symlinkat("../other", fd, names[i]) == 0);
		CHECK(open_mode(LEDGER_WRITE, &aside, &e) == NULL);
		CHECK(unlinkat(fd, names[i], 0) == 0);
	}
	CHECK(symlinkat("../none", fd, "task/ledger.db") == 0);
	CHECK(open_mode(LEDGER_WRITE, &aside, &e) == NULL);
	CHECK(faccessat(fd, "none", F_OK, 0) == -1);
	CHECK(fstat(other, &st) == 0);
	CHECK_UINT(st.st_size, sizeof(precious));
	close(other);
}

#define IN_A_TREE(X)                                                         \
	X(only_what_was_committed_is_there)                                  \
	X(a_killed_writer_leaves_what_it_committed)                          \
	X(rows_come_back_as_they_went)                                       \
	X(stretches_of_a_directory_have_sharp_ends)                          \
	X(names_need_not_be_text)                                            \
	X(pending_rows_come_each_once_while_they_change)                     \
	X(the_deepest_directories_come_first)                                \
	X(uploads_and_their_parts_come_back)                                 \
	X(the_targets_items_are_no_part_of_the_ledger)                       \
	X(other_names_of_a_file_are_found)                                   \
	X(what_was_seen_is_no_part_of_the_ledger)                            \
	X(named_values_are_kept)                                             \
	X(runs_failures_and_counters_come_back)                              \
	X(one_process_owns_it)                                               \
	X(a_newer_ledger_is_refused_and_left_alone)                          \
	X(a_set_of_attributes_is_found_by_its_mark)                          \
	X(what_a_manifest_gives_is_kept_aside)                               \
	X(a_ledger_of_version_1_is_taken_over)                               \
	X(a_ledger_of_version_1_can_be_read)                                 \
	X(what_is_to_go_comes_content_first_and_the_deepest_directory_first) \
	X(a_row_is_forgotten_only_as_what_it_is)                             \
	X(a_damaged_ledger_is_set_aside_and_kept)                            \
	X(damage_within_is_found_after_a_crash)                              \
	X(without_a_ledger_there_is_nothing_to_read)                         \
	X(an_empty_file_is_no_ledger_yet)                                    \
	X(what_a_link_leads_to_is_not_touched)

#define TEST(name)                    \
	static void test_##name(void) \
	{                             \
		in_a_tree(name);      \
	}
IN_A_TREE(TEST)
#undef TEST

int
main(void)
{
#define TEST(name) RUN(test_##name);
	IN_A_TREE(TEST)
#undef TEST
	return check_end();
}
