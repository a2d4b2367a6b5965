/* SPDX-License-Identifier: ISC */
/* The questions of dray init, and the file that it writes. */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/init_ask.h"
#include "agent/new_file.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static char shown[4096];

/* What is asked for, if INPUT is typed; what was shown stands in shown. */
static char *
answer(const char *input, ask_check_fn *check, struct err *e)
{
	AUTO(free) char *copy = strdup(input);
	FILE *in = fmemopen(copy, strlen(input), "r");
	FILE *out = fmemopen(shown, sizeof(shown), "w");
	char *got = ask(in, out, "Which", check, NULL, e);

	fclose(in);
	fclose(out);
	return got;
}

static void
an_answer_is_asked_for_until_it_will_do(void)
{
	struct err e = ERR_INIT;
	AUTO(free)
	char *got = answer("no good\n/\n  nightly \t\n", ask_check_name, &e);

	CHECK_STR(got, "nightly");
	CHECK(strstr(shown, "Which:   not a task name: \"no good\"") != NULL);
}

static void
the_end_of_the_input_ends_the_questions(void)
{
	struct err e = ERR_INIT;
	AUTO(free) char *got = answer("", ask_check_nothing, &e);
	AUTO(free) char *bad = answer("ftp://x\n", ask_check_place, &e);

	CHECK(got == NULL && bad == NULL && e.kind == ERR_USAGE);
	CHECK_STR(e.msg, "no answer to \"Which\"");
}

static void
answers_are_what_a_task_takes(void)
{
	struct err e = ERR_INIT;

	CHECK(ask_check_place(NULL, "s3://bucket/p", &e) == 0);
	CHECK(ask_check_place(NULL, "", &e) == -1);
	CHECK(ask_check_schedule(NULL, "", &e) == 0);
	CHECK(ask_check_schedule(NULL, "Mon..Fri 20:00", &e) == 0);
	CHECK(ask_check_schedule(NULL, "every 15m", &e) == 0);
	CHECK(ask_check_schedule(NULL, "25:00", &e) == -1);
}

static void
a_new_file_replaces_nothing(void)
{
	int fd = tree_begin();
	AUTO(buf) struct buf text = BUF_INIT(100);
	char path[8192], temp[8200];
	struct err e = ERR_INIT;
	struct stat st = {.st_mode = 0};

	snprintf(path, sizeof(path), "%s/a/b/NAME.conf", tree_path);
	buf_adds(&text, "key = value\n");
	CHECK(new_file_write(path, &text, 0640, NEW_FILE_GROUP_KEPT, &e) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK_UINT(st.st_size, text.len);
	buf_adds(&text, "more\n");
	CHECK(new_file_write(path, &text, 0600, NEW_FILE_GROUP_KEPT, &e) == -1);
	CHECK(e.kind == ERR_EXISTS && strstr(e.msg, path) != NULL);
	CHECK(stat(path, &st) == 0 && st.st_size == 12);
	snprintf(
	    temp, sizeof(temp), "%s/a/b/.new.%ld", tree_path, (long)getpid());
	CHECK(access(temp, F_OK) == -1);
	tree_end(fd);
}

int
main(void)
{
	RUN(an_answer_is_asked_for_until_it_will_do);
	RUN(the_end_of_the_input_ends_the_questions);
	RUN(answers_are_what_a_task_takes);
	RUN(a_new_file_replaces_nothing);
	return check_end();
}
