/* SPDX-License-Identifier: ISC */
/* The daemon's tasks, with runs that do nothing but end. */
#include "config.h"

#include "agent/daemon/conf_words.h"
#include "agent/daemon/tasks.h"
#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static const struct conf_words none;
static struct loop *loop;
static struct tasks *tasks;

static const char *
path_of(const char *name)
{
	static char path[5000];

	snprintf(path, sizeof(path), "%s/%s", tree_path, name);
	return path;
}

/* The first N bytes of TEXT are the file of task t, and read. */
static void
conf(const char *text, size_t n)
{
	FILE *f = fopen(path_of("tasks.d/t.conf"), "w");
	struct err e = ERR_INIT;

	CHECK(f != NULL && fwrite(text, 1, n, f) == n && fclose(f) == 0);
	CHECK(tasks_load(tasks, path_of("tasks.d"), &none,
		  clock_wall_ns() / 1000, &e) == 0);
}

static void
begin(run_main_fn *run)
{
	struct tasks_config config = {
	    .state_dir = tree_path,
	    .subscriptions_dir = tree_path,
	    .max_runs = 1,
	    .main = run,
	};
	struct err e = ERR_INIT;

	loop = loop_new(&e);
	config.loop = loop;
	tasks = tasks_new(&config, &e);
	CHECK(loop != NULL && tasks != NULL);
}

static void
end(void)
{
	tasks_free(tasks);
	loop_free(loop);
}

/* A run whose options make no sense together: its task is held at once. */
static int
hopeless(enum verb_id verb, int argc, char **argv)
{
	(void)verb;
	(void)argc;
	(void)argv;
	return 2;
}

static void
run_once(void)
{
	struct err e = ERR_INIT;

	CHECK(tasks_start(tasks, "t", &e) == 0);
	tasks_tick(tasks, clock_wall_ns() / 1000);
	CHECK_UINT(tasks_running(tasks), 1);
	while (tasks_running(tasks) > 0) {
		CHECK(loop_wait(loop, 10, &e) == 0);
		tasks_reap(tasks, clock_wall_ns() / 1000);
	}
}

static int
errand(void)
{
	struct courier_errand out = {.title = NULL};
	struct err e = ERR_INIT;
	int rc = tasks_errand(tasks, &out, &e);

	CHECK(rc != 1 || strcmp(out.title, "task=t") == 0);
	conf_words_free(&out.words);
	return rc;
}

#define TASK "source = /nowhere/a\ntarget = /nowhere/b\n"

static void
a_hold_that_comes_while_another_is_told_is_told_too(void)
{
	begin(hopeless);
	conf(TASK, strlen(TASK));
	CHECK(errand() == 0);
	run_once();
	CHECK(errand() == 1);
	/* Somebody starts it again before that is done. */
	run_once();
	tasks_errand_done(tasks);
	CHECK(errand() == 1);
	tasks_errand_done(tasks);
	CHECK(errand() == 0);
	end();
}

/* Whether status has TEXT. */
static bool
shows(const char *text)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;
	struct json j;

	json_begin(&j, &out);
	json_array(&j, NULL);
	CHECK(tasks_show(tasks, "t", &j, &e) == 0);
	json_array_end(&j);
	return strstr(buf_str(&out), text) != NULL;
}

static void
half_a_file_leaves_its_task_as_it_was(void)
{
	static const char text[] =
	    "source = /src/long\nschedule = 2099-01-01 02:30\n"
	    "# far away\ntarget = s3://bucket/long\nbwlimit = 10M\n";
	const size_t enough = sizeof(text) - sizeof("bwlimit = 10M\n");
	size_t n;

	begin(NULL);
	for (n = 0; n < sizeof(text) - 1; n++) {
		conf(text, strlen(text));
		CHECK(!shows("\"error\""));
		/* All of its lines are whole. */
		if (n == enough)
			continue;
		conf(text, n);
		CHECK(shows("\"error\""));
		CHECK(shows("\"/src/long\"") && shows("\"s3://bucket/long\""));
		CHECK(shows("\"2099-01-01T02:30:00Z\""));
	}
	end();
}

int
main(void)
{
	int fd = tree_begin();

	CHECK(mkdir(path_of("tasks.d"), 0700) == 0);
	RUN(half_a_file_leaves_its_task_as_it_was);
	RUN(a_hold_that_comes_while_another_is_told_is_told_too);
	tree_end(fd);
	return check_end();
}
