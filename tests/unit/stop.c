/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/stop.h"
#include "tests/unit/check.h"

/* The exit status of a child that gets SIGNALS of them; 100 and the flags if
 * it lives. */
static int
after_signals(int number, int signals)
{
	int status, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		stop_init();
		for (i = 0; i < signals; i++)
			raise(number);
		_exit(
		    100 + atomic_load(stop_soon_flag()) + 2 * *stop_now_flag());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
each_signal_is_more_urgent(void)
{
	/* Who runs the tests in the background may ignore some. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	CHECK(after_signals(SIGINT, 0) == 100);
	CHECK(after_signals(SIGINT, 1) == 101);
	CHECK(after_signals(SIGTERM, 2) == 103);
	CHECK(after_signals(SIGHUP, 3) == 130);
}

/* What a child's flags are when its time is over and SIGNALS came, before or
 * after: soon, now, window. */
static int
at_the_end(int before, int after)
{
	int status, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		stop_init();
		for (i = 0; i < before; i++)
			raise(SIGTERM);
		stop_for_window();
		for (i = 0; i < after; i++)
			raise(SIGTERM);
		_exit(*stop_soon_flag() + 2 * *stop_now_flag() +
		    4 * *stop_window_flag());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
the_first_reason_to_stop_counts(void)
{
	CHECK(at_the_end(0, 0) == 1 + 4);
	CHECK(at_the_end(1, 0) == 1);
	CHECK(at_the_end(0, 2) == 1 + 2 + 4);
}

static void
what_was_ignored_stays_ignored(void)
{
	signal(SIGHUP, SIG_IGN);
	CHECK(after_signals(SIGHUP, 3) == 100);
	signal(SIGHUP, SIG_DFL);
}

static void
a_reader_who_leaves_ends_nothing(void)
{
	CHECK(after_signals(SIGPIPE, 1) == 100);
}

int
main(void)
{
	RUN(each_signal_is_more_urgent);
	RUN(the_first_reason_to_stop_counts);
	RUN(what_was_ignored_stays_ignored);
	RUN(a_reader_who_leaves_ends_nothing);
	return check_end();
}
