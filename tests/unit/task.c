/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/task.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static void
check_name(const char *source, const char *target, const char *want)
{
	struct err e = ERR_INIT;
	char *name = task_name(source, target, "", &e);

	CHECK_STR(name, want);
	CHECK_UINT(task_check_name(name, &e), 0);
	free(name);
}

/* Never to be changed: existing ledgers are found by it. */
static void
a_pair_has_the_same_name_for_ever(void)
{
	check_name("/data", "s3://bucket/prefix", "data-ccf5cc155f44a1e3");
	check_name("/data", "s3://bucket/prefix2", "data-9faee3ec941dc1ab");
	check_name("/srv/data", "s3://bucket/prefix", "data-f30c39d36aeb43a8");
	check_name("/", "/mnt/x", "root-dbf0b0dab05a7092");
	check_name("/a/.hidden dir\xff", "/b", "_hidden_dir_-f94635aa948ef166");
	check_name("/0123456789012345678901234567890123456789xyz", "/b",
	    "0123456789012345678901234567890123456789-01dd3ebb7646dfa0");
}

static void
names_that_lead_elsewhere_are_refused(void)
{
	static const char *const bad[] = {
	    "", ".", "..", ".x", "a/b", "a b", "a\n", "\xc3\xa4"};
	struct err e = ERR_INIT;
	char lengthy[102];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.kind = ERR_NONE;
		CHECK_UINT(task_check_name(bad[i], &e), -1);
		CHECK_UINT(e.kind, ERR_USAGE);
	}
	memset(lengthy, 'a', 101);
	lengthy[101] = '\0';
	CHECK_UINT(task_check_name(lengthy, &e), -1);
	lengthy[100] = '\0';
	CHECK_UINT(task_check_name(lengthy, &e), 0);
}

static void
only_what_has_a_ledger_is_listed(void)
{
	struct err e = ERR_INIT;
	int fd = tree_begin();
	char path[4200], **names;

	tree_dir(fd, "b");
	tree_file(fd, "b/ledger.db", "");
	tree_dir(fd, "a");
	tree_file(fd, "a/ledger.db", "");
	tree_dir(fd, "empty");
	tree_dir(fd, ".hidden");
	tree_file(fd, ".hidden/ledger.db", "");
	tree_file(fd, "file", "");
	names = task_names(tree_path, &e);
	CHECK_STR(names[0], "a");
	CHECK_STR(names[1], "b");
	CHECK(names[2] == NULL);
	task_names_free(names);
	CHECK(task_exists(tree_path, "a"));
	CHECK(!task_exists(tree_path, "empty"));
	snprintf(path, sizeof(path), "%s/none", tree_path);
	names = task_names(path, &e);
	CHECK(names != NULL && names[0] == NULL);
	task_names_free(names);
	tree_end(fd);
}

static void
only_one_task_is_meant_without_a_name(void)
{
	struct err e = ERR_INIT;
	int fd = tree_begin();
	static const char *const order[] = {"x", "z", "y"};
	char *aside, *found;
	struct ledger *l;
	uint64_t id;
	size_t i;

	CHECK(task_open_for_reading(tree_path, NULL, &found, &e) == NULL);
	CHECK_UINT(e.kind, ERR_NOTFOUND);
	for (i = 0; i < 3; i++) {
		l = ledger_open(tree_path, order[i], LEDGER_WRITE, &aside, &e);
		CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
		CHECK_UINT(ledger_commit(l, &e), 0);
		ledger_close(l);
		if (i > 0)
			continue;
		l = task_open_for_reading(tree_path, NULL, &found, &e);
		CHECK(l != NULL);
		CHECK_STR(found, "x");
		free(found);
		ledger_close(l);
	}
	CHECK(task_open_for_reading(tree_path, NULL, &found, &e) == NULL);
	CHECK(found == NULL);
	CHECK_UINT(e.kind, ERR_USAGE);
	CHECK_STR(e.msg, "say by --task which one is meant: x, y, z");
	l = task_open_for_reading(tree_path, "z", &found, &e);
	CHECK(l != NULL);
	CHECK_STR(found, "z");
	free(found);
	ledger_close(l);
	CHECK(task_open_for_reading(tree_path, "none", &found, &e) == NULL);
	CHECK_UINT(e.kind, ERR_NOTFOUND);
	free(found);
	tree_end(fd);
}

static void
a_run_that_is_not_there_is_told_from_those_that_are(void)
{
	struct err e = ERR_INIT;
	int fd = tree_begin();
	struct ledger_run run;
	struct ledger *l;
	uint64_t id;
	char *aside;

	l = ledger_open(tree_path, "t", LEDGER_WRITE, &aside, &e);
	CHECK_UINT(task_find_run(l, "t", 0, &run, &e), -1);
	CHECK_STR(e.msg, "task t has no run yet");
	CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
	CHECK_UINT(ledger_run_begin(l, &id, &e), 0);
	CHECK_UINT(task_find_run(l, "t", 0, &run, &e), 0);
	CHECK_UINT(run.id, 2);
	CHECK_UINT(task_find_run(l, "t", 1, &run, &e), 0);
	CHECK_UINT(run.id, 1);
	CHECK_UINT(task_find_run(l, "t", 3, &run, &e), -1);
	CHECK_STR(e.msg, "task t has no run 3: its last one is 2");
	ledger_close(l);
	tree_end(fd);
}

int
main(void)
{
	RUN(a_pair_has_the_same_name_for_ever);
	RUN(names_that_lead_elsewhere_are_refused);
	RUN(only_what_has_a_ledger_is_listed);
	RUN(only_one_task_is_meant_without_a_name);
	RUN(a_run_that_is_not_there_is_told_from_those_that_are);
	return check_end();
}
