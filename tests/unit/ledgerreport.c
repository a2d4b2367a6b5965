/* SPDX-License-Identifier: ISC */
/* What a ledger keeps for reports and retries. */
#include "config.h"

#include <stdlib.h>

#include "agent/ledger.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static struct ledger *
open_mode(enum ledger_mode mode, struct err *e)
{
	char *aside;

	return ledger_open(tree_path, "task", mode, &aside, e);
}

static struct ledger *
begin(void)
{
	struct err e = ERR_INIT;
	struct ledger *l = open_mode(LEDGER_WRITE, &e);

	if (l == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		exit(99);
	}
	return l;
}

/* A file done by run 3, and looked at by run 9. */
static void
put(struct ledger *l, const char *dir, const char *name, uint64_t size,
    enum outcome_proof proof)
{
	struct ledger_file row = {
	    .state = LEDGER_DONE,
	    .st = {.type = ITEM_FILE, .size = size},
	    .run_id = 9,
	    .outcome = {.how = HOW_SENT,
		.proof = proof,
		.attempts = 2,
		.done_ns = 77,
		.did_run = 3},
	};
	struct err e = ERR_INIT;
	int64_t id;

	CHECK_UINT(ledger_dir_id(l, dir, strlen(dir), true, &id, &e), 0);
	CHECK_UINT(ledger_file_put(l, id, name, strlen(name), &row, &e), 0);
}

struct seen {
	unsigned n;
	char paths[20][20];
};

static int
see_item(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct seen *s = arg;

	CHECK_UINT(row->outcome.how, HOW_SENT);
	CHECK_UINT(row->outcome.proof, PROOF_READ);
	CHECK_UINT(row->outcome.attempts, 2);
	CHECK_UINT(row->outcome.done_ns, 77);
	(void)e;
	snprintf(s->paths[s->n++], sizeof(s->paths[0]), "%.*s", (int)len, path);
	return 0;
}

static void
items_come_in_the_order_of_paths(void)
{
	struct ledger *l = begin();
	struct err e = ERR_INIT;
	struct seen s = {0};

	put(l, "z", "b", 1, PROOF_READ);
	put(l, "", "x", 1, PROOF_READ);
	put(l, "a", "\xff", 1, PROOF_READ);
	put(l, "z", "a", 1, PROOF_READ);
	CHECK_UINT(ledger_commit(l, &e), 0);
	CHECK_UINT(ledger_items(l, 3, see_item, &s, &e), 0);
	CHECK_UINT(s.n, 4);
	CHECK_STR(s.paths[0], "x");
	CHECK_STR(s.paths[1], "a/\xff");
	CHECK_STR(s.paths[2], "z/a");
	CHECK_STR(s.paths[3], "z/b");
	CHECK_UINT(ledger_items(l, 9, see_item, &s, &e), 0);
	CHECK_UINT(s.n, 4);
	ledger_close(l);
}

static int
see_notice(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	snprintf(s->paths[s->n++], sizeof(s->paths[0]), "%s %.*s", n->reason,
	    (int)n->path_len, n->path);
	return 0;
}

static int
count_failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	(void)f;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

static void
old_notices_and_failures_are_forgotten(void)
{
	struct ledger_failure f = {
	    .path = "f", .path_len = 1, .kind = "denied", .message = "m"};
	struct ledger_notice n = {.what = NOTICE_SKIPPED,
	    .path = "p\xff",
	    .path_len = 2,
	    .type = ITEM_SPECIAL,
	    .reason = "fifo"};
	struct ledger *l = begin();
	struct err e = ERR_INIT;
	struct seen s = {0};
	uint64_t id, i;
	unsigned failures = 0;

	for (i = 1; i <= LEDGER_FAILURE_RUNS + 1; i++) {
		CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
		CHECK_UINT(ledger_run_forget(l, id, &e), 0);
		CHECK_UINT(ledger_notice_put(l, id, &n, &e), 0);
		CHECK_UINT(ledger_failure_put(l, id, &f, &e), 0);
	}
	for (i = 1; i <= id; i++) {
		CHECK_UINT(
		    ledger_notices(l, i, NOTICE_SKIPPED, see_notice, &s, &e),
		    0);
		CHECK_UINT(
		    ledger_failures(l, i, count_failure, &failures, &e), 0);
	}
	CHECK_UINT(s.n, LEDGER_NOTICE_RUNS);
	CHECK_STR(s.paths[0], "fifo p\xff");
	CHECK_UINT(failures, LEDGER_FAILURE_RUNS);
	CHECK_UINT(ledger_notices(l, id, NOTICE_DRIFT, see_notice, &s, &e), 0);
	CHECK_UINT(s.n, LEDGER_NOTICE_RUNS);
	ledger_close(l);
}

static void
what_a_run_was_asked_and_how_far_it_is_is_kept(void)
{
	struct ledger *l = begin();
	struct err e = ERR_INIT;
	struct buf words = BUF_INIT(100), series = BUF_INIT(100);
	struct stats_snapshot stats = {.done_items = 7};
	struct ledger_run run;
	uint64_t id;

	CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
	buf_add(&words, "--a=\xff\0--b", 10);
	CHECK_UINT(ledger_run_ask(l, id, &words, 5, &e), 0);
	CHECK_UINT(ledger_run_progress(l, id, &stats, "100 1 2", &e), 0);
	CHECK_UINT(ledger_run_get(l, id, &run, &e), 1);
	CHECK_UINT(run.retry_of, 5);
	CHECK_UINT(run.stats.done_items, 7);
	CHECK_UINT(run.ended_ns, 0);
	buf_reset(&words);
	CHECK_UINT(ledger_run_texts(l, id, &words, &series, &e), 1);
	CHECK_UINT(words.len, 10);
	CHECK(memcmp(buf_str(&words), "--a=\xff\0--b", 10) == 0);
	CHECK_STR(buf_str(&series), "100 1 2");
	buf_free(&words);
	buf_free(&series);
	ledger_close(l);
}

static void
whether_a_ledger_is_in_use_can_be_asked(void)
{
	struct ledger *l = begin(), *reader;
	struct err e = ERR_INIT;

	CHECK_UINT(ledger_commit(l, &e), 0);
	reader = open_mode(LEDGER_READ, &e);
	CHECK(ledger_in_use(reader));
	ledger_close(l);
	CHECK(!ledger_in_use(reader));
	ledger_close(reader);
}

static void
sums_tell_sizes_and_proofs(void)
{
	struct ledger *l = begin();
	struct err e = ERR_INIT;
	struct ledger_sums sums;

	put(l, "", "empty", 0, PROOF_NONE);
	put(l, "", "one", 1, PROOF_CHECKSUM);
	put(l, "", "most", UINT64_MAX, PROOF_READ);
	CHECK_UINT(ledger_sums(l, 3, &sums, &e), 0);
	CHECK_UINT(sums.items[HOW_SENT], 3);
	CHECK_UINT(sums.sizes[0], 1);
	CHECK_UINT(sums.sizes[1], 1);
	CHECK_UINT(sums.sizes[64], 1);
	CHECK_UINT(sums.proofs[PROOF_NONE], 1);
	CHECK_UINT(sums.proofs[PROOF_CHECKSUM], 1);
	CHECK_UINT(sums.proofs[PROOF_READ], 1);
	CHECK_UINT(ledger_sums(l, 2, &sums, &e), 0);
	CHECK_UINT(sums.items[HOW_SENT], 0);
	ledger_close(l);
}

#define IN_A_TREE(X)                                      \
	X(items_come_in_the_order_of_paths)               \
	X(old_notices_and_failures_are_forgotten)         \
	X(what_a_run_was_asked_and_how_far_it_is_is_kept) \
	X(whether_a_ledger_is_in_use_can_be_asked)        \
	X(sums_tell_sizes_and_proofs)

#define TEST(name)                     \
	static void test_##name(void)  \
	{                              \
		int fd = tree_begin(); \
                                       \
		name();                \
		tree_end(fd);          \
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
