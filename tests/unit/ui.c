/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ui.h"
#include "agent/ui_line.h"
#include "agent/ui_summary.h"
#include "base/log.h"
#include "tests/unit/check.h"

#define MIB (1024 * 1024ull)
#define GIB (1024 * MIB)

static struct progress_view
half_way(void)
{
	return (struct progress_view){
	    .stats =
		{
		    .scanned_items = 21000,
		    .queued_items = 20000,
		    .queued_bytes = 28 * GIB / 10,
		    .done_items = 1204,
		    .sent_bytes = 12 * GIB / 10,
		},
	    .in_flight = 16,
	    .elapsed_ms = 11000,
	    .sent_per_s = 112 * MIB,
	    .work_per_s = 500 * MIB,
	};
}

#define CHECK_LINE(view, columns, want)                      \
	do {                                                 \
		AUTO(buf) struct buf line_ = BUF_INIT(1000); \
		progress_line(&line_, view, columns);        \
		CHECK_STR(buf_str(&line_), want);            \
	} while (0)

static void
the_line_tells_how_far_and_how_long(void)
{
	struct progress_view v = half_way();

	CHECK_LINE(&v, 0,
	    "42%  1.2 of 2.8 GiB  112.0 MiB/s  ETA 13s  "
	    "1,204 of 20,000 items  16 in flight");
	v.stats.failed_items = 2;
	v.stats.retries = 1;
	CHECK_LINE(&v, 0,
	    "42%  1.2 of 2.8 GiB  112.0 MiB/s  ETA 13s  "
	    "1,206 of 20,000 items  2 failed  1 retry  16 in flight");
}

static void
no_percentage_is_claimed_while_scanning(void)
{
	struct progress_view v = half_way();

	v.scanning = true;
	CHECK_LINE(&v, 0,
	    "scanning  1.2 of 2.8+ GiB  112.0 MiB/s  ETA 13s+  "
	    "1,204 of 20,000+ items  16 in flight  21,000 found");
	v = (struct progress_view){.scanning = true};
	v.stats.scanned_items = 7;
	CHECK_LINE(&v, 0, "scanning  7 found");
}

static void
a_narrow_line_keeps_what_matters(void)
{
	struct progress_view v = half_way();
	size_t columns;

	v.stats.failed_items = 2;
	v.stats.retries = 3;
	CHECK_LINE(&v, 79,
	    "42%  1.2 of 2.8 GiB  112.0 MiB/s  ETA 13s  "
	    "1,206 of 20,000 items  2 failed");
	CHECK_LINE(
	    &v, 55, "42%  1.2 of 2.8 GiB  112.0 MiB/s  ETA 13s  2 failed");
	CHECK_LINE(&v, 5, "42%");
	CHECK_LINE(&v, 2, "42");
	for (columns = 1; columns < 130; columns++) {
		AUTO(buf) struct buf line = BUF_INIT(1000);

		progress_line(&line, &v, columns);
		CHECK(line.len <= columns);
	}
}

static void
a_hundred_percent_means_the_last_item_is_done(void)
{
	struct progress_view v = {
	    .stats = {.queued_items = 2,
		.queued_bytes = 100,
		.sent_bytes = 150,
		.done_items = 1},
	};

	CHECK_LINE(&v, 0, "99%  100 of 100 B  0 B/s  1 of 2 items");
	v.stats.done_items = 2;
	CHECK_LINE(&v, 0, "100%  100 of 100 B  0 B/s  2 of 2 items");
}

static void
items_count_where_there_are_no_bytes(void)
{
	struct progress_view v = {
	    .stats = {.queued_items = 4, .done_items = 1},
	    .elapsed_ms = 5000,
	    .work_per_s = 256 * 1024,
	};

	CHECK_LINE(&v, 0, "25%  ETA 3s  1 of 4 items");
}

static void
no_time_is_guessed_before_there_is_a_rate(void)
{
	struct progress_view v = half_way();

	v.elapsed_ms = 1000;
	CHECK(progress_eta_ms(&v) == UINT64_MAX);
	v.elapsed_ms = 5000;
	v.work_per_s = 0;
	CHECK(progress_eta_ms(&v) == UINT64_MAX);
}

static void
long_times_are_told_in_hours_and_days(void)
{
	struct progress_view v = {
	    .stats = {.queued_items = 1, .queued_bytes = 3600 * 26 * MIB},
	    .elapsed_ms = 5000,
	    .work_per_s = MIB,
	};

	CHECK_LINE(
	    &v, 0, "0%  0 B of 91.4 GiB  0 B/s  ETA 1d02h  0 of 1 items");
	v.stats.queued_bytes = 3600 * 3 * MIB;
	CHECK_LINE(
	    &v, 0, "0%  0 B of 10.5 GiB  0 B/s  ETA 3h00m  0 of 1 items");
	v.stats.queued_bytes = 125 * MIB;
	CHECK_LINE(
	    &v, 0, "0%  0 B of 125.0 MiB  0 B/s  ETA 2m06s  0 of 1 items");
}

static void
the_rate_is_that_of_the_last_ten_seconds(void)
{
	struct rate r = {.count = 0};
	struct stats_snapshot s = {.queued_bytes = GIB};
	uint64_t ms;

	CHECK_UINT(rate_sent(&r), 0);
	for (ms = 0; ms <= 60000; ms += 200) {
		rate_add(&r, ms, &s);
		s.sent_bytes += ms < 40000 ? 1000 : 200;
	}
	CHECK_UINT(rate_sent(&r), 1000);
	rate_add(&r, 60001, &s); /* too soon to count */
	CHECK_UINT(rate_sent(&r), 1000);
}

static void
resumed_bytes_are_progress_but_no_speed(void)
{
	struct stats_snapshot s = {.queued_bytes = 100, .queued_items = 1};
	struct rate r = {.count = 0};

	rate_add(&r, 0, &s);
	s.resumed_bytes = 60;
	rate_add(&r, 1000, &s);
	CHECK_UINT(progress_of(&s).bytes, 60);
	CHECK_UINT(rate_sent(&r), 0);
}

static void
exit_codes_are_those_of_the_manual(void)
{
	CHECK(run_exit_code(RUN_OK) == 0);
	CHECK(run_exit_code(RUN_FAILURES) == 1);
	CHECK(run_exit_code(RUN_BAD_CONFIG) == 3);
	CHECK(run_exit_code(RUN_UNREACHABLE) == 4);
	CHECK(run_exit_code(RUN_UNSTABLE) == 5);
	CHECK(run_exit_code(RUN_WINDOW) == 6);
	CHECK(run_exit_code(RUN_INTERRUPTED) == 130);
}

static const struct ui_run a_run = {
    .task = "nightly",
    .source = "/data",
    .target = "s3://bucket/p",
    .probe = "region us-east-1, path style, crc64nvme",
    .run_id = 7,
};

static void
the_summary_accounts_for_all_items(void)
{
	AUTO(buf) struct buf text = BUF_INIT(10000);
	const struct options o = {.verify = VERIFY_TRANSFERRED};
	const struct stats_snapshot s = {
	    .done_items = 1206,
	    .done_bytes = 33 * GIB / 10,
	    .metadata_items = 2, /* of those */
	    .metadata_bytes = 5 * GIB / 10,
	    .verified_items = 1200,
	    .sent_bytes = 28 * GIB / 10,
	    .resumed_files = 1,
	    .resumed_parts = 120,
	    .resumed_bytes = 19 * GIB / 10,
	    .unchanged_items = 18000,
	    .unchanged_bytes = 40 * GIB,
	    .skipped_links = 3,
	    .excluded_items = 1,
	    .retries = 1,
	};

	ui_summary_text(&text,
	    &(struct ui_summary){
		.options = &o,
		.run = &a_run,
		.outcome = RUN_OK,
		.stats = &s,
		.elapsed_ms = 25100,
	    });
	CHECK_STR(buf_str(&text),
	    "/data -> s3://bucket/p  (task nightly, run 7)\n"
	    "  moved      1,204 items, 2.8 GiB, in 25.1s, 114.2 MiB/s\n"
	    "  resumed    120 parts of 1 file, 1.9 GiB, sent before and not "
	    "again\n"
	    "  metadata   2 items set right without moving contents\n"
	    "  unchanged  18,000 items, 40.0 GiB\n"
	    "  skipped    3 symbolic links (see -l, -L), 1 excluded\n"
	    "  retries    1 request repeated\n"
	    "  verified   1,200 files, by the target's checksum or read "
	    "back\n"
	    "  target     region us-east-1, path style, crc64nvme\n");
}

static const char *
summary(struct buf *text, enum run_outcome outcome, const struct options *o,
    const struct stats_snapshot *s, const struct ui_run *run)
{
	ui_summary_text(text,
	    &(struct ui_summary){
		.options = o,
		.run = run,
		.outcome = outcome,
		.stats = s,
		.elapsed_ms = 1000,
	    });
	return buf_str(text);
}

static void
the_summary_says_how_to_go_on(void)
{
	AUTO(buf) struct buf failed = BUF_INIT(10000);
	AUTO(buf) struct buf stopped = BUF_INIT(10000);
	AUTO(buf) struct buf late = BUF_INIT(10000);
	AUTO(buf) struct buf dry = BUF_INIT(10000);
	const struct options o = {.state_dir = "/s", .verify = VERIFY_NONE};
	const struct stats_snapshot s = {.failed_items = 1,
	    .done_items = 2,
	    .queued_items = 9,
	    .done_bytes = 700,
	    .queued_bytes = 1000,
	    .kept_parts = 12,
	    .kept_bytes = 192 * MIB};
	struct ui_run dry_run = a_run;
	const char *text;

	text = summary(&failed, RUN_FAILURES, &o, &s, &a_run);
	CHECK(strstr(text, "failed     1 item\n") != NULL);
	CHECK(strstr(text, "dray report --state-dir '/s' --task 'nightly'\n") !=
	    NULL);
	CHECK(strstr(text, "verified   nothing (--verify none)") != NULL);
	text = summary(&stopped, RUN_INTERRUPTED, &o, &s, &a_run);
	CHECK(strstr(text, "Run the same command again to resume") != NULL);
	CHECK(strstr(text, "12 parts (192.0 MiB)") != NULL);
	text = summary(&late, RUN_WINDOW, &o, &s, &a_run);
	CHECK(strstr(text,
		  "its time was over. Found, and still to do: 6 items, "
		  "300 B.") != NULL);
	CHECK(strstr(text, "12 parts (192.0 MiB)") != NULL);
	dry_run.dry_run = true;
	text = summary(&dry, RUN_OK, &o, &s, &dry_run);
	CHECK(strstr(text, "would move 9 items") != NULL);
	CHECK(strstr(text, "Nothing was changed") != NULL);
	CHECK(strstr(text, "verified") == NULL);
}

/*
 * A run of a few items in a child with its output in a file; returns what it
 * wrote to standard output (FD 1) or standard error (FD 2).  Owned.
 */
static char *
output_of(int fd, const struct options *o)
{
	FILE *file = tmpfile();
	struct run_stats stats = {.scanning = true};
	struct stats_snapshot s = {.done_items = 1, .failed_items = 60};
	struct err why = ERR_INIT, e = ERR_INIT;
	char *text = calloc(1, 100000);
	int status, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct ui *u;

		dup2(open("/dev/null", O_WRONLY), 3 - fd);
		dup2(fileno(file), fd);
		u = ui_new(o, &stats, &e);
		ui_begin(u, &a_run);
		ui_item(u, UI_SENT, "a\xff\n", 3, 10, NULL);
		err_set(&why, ERR_DENIED, "HTTP 403 \x1b[2J");
		for (i = 0; i < 60; i++)
			ui_item(u, UI_FAILED, "b", 1, 20, &why);
		usleep(450000);
		ui_end(u, RUN_FAILURES, &s, 450, NULL);
		ui_free(u);
		_exit(run_exit_code(RUN_FAILURES));
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	rewind(file);
	CHECK(fread(text, 1, 99999, file) > 0);
	fclose(file);
	return text;
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void
items_are_shown_when_asked_for(void)
{
	const struct options quiet = {.progress = PROGRESS_AUTO};
	const struct options verbose = {.verbosity = 1};
	AUTO(free) char *a = output_of(STDOUT_FILENO, &quiet);
	AUTO(free) char *b = output_of(STDOUT_FILENO, &verbose);

	CHECK(strstr(a, "sent") == NULL);
	CHECK(strstr(b, "sent      a\\xff\\n\n") == b);
	CHECK(strstr(b, "moved      1 item, 0 B, in 0.5s") != NULL ||
	    strstr(b, "moved      1 item, 0 B, in 0.4s") != NULL);
}

static void
failures_are_logged_once_up_to_a_limit(void)
{
	const struct options o = {.progress = PROGRESS_AUTO};
	AUTO(free) char *text = output_of(STDERR_FILENO, &o);

	CHECK(count(text, "dray: error: b: HTTP 403 \\x1b[2J\n") == 50);
	CHECK(count(text, "and 10 more; dray report lists all\n") == 1);
}

static void
json_is_a_line_for_each_event(void)
{
	const struct options o = {.json = true, .stats_ms = 200};
	AUTO(free) char *text = output_of(STDOUT_FILENO, &o);

	CHECK(strncmp(text, "{\"type\":\"start\",\"version\":", 25) == 0);
	CHECK(count(text,
		  "{\"type\":\"item\",\"action\":\"sent\",\"path\":"
		  "\"a\\ufffd\\u000a\",\"path_base64\":\"Yf8K\",\"size\":10}"
		  "\n") == 1);
	CHECK(count(text,
		  "{\"type\":\"item\",\"action\":\"failed\",\"path\":\"b\","
		  "\"size\":20,\"error\":\"denied\",\"message\":"
		  "\"HTTP 403 \\u001b[2J\"}\n") == 60);
	CHECK(count(text, "{\"type\":\"progress\",") >= 1);
	CHECK(count(text, "{\"type\":\"summary\",") == 1);
	CHECK(
	    strstr(text, "\"outcome\":\"failures\",\"exit_code\":1,") != NULL);
	CHECK(count(text, "\n") == count(text, "{\"type\":"));
}

static void
off_a_terminal_there_are_plain_lines(void)
{
	const struct options o = {.stats_ms = 200};
	AUTO(free) char *text = output_of(STDERR_FILENO, &o);

	CHECK(strstr(text, "dray: 0.0s: scanning\n") != NULL);
	CHECK(strchr(text, '\r') == NULL && strchr(text, '\033') == NULL);
}

static void
the_live_line_makes_way_for_messages(void)
{
	const struct options o = {.progress = PROGRESS_ON};
	AUTO(free) char *text = output_of(STDERR_FILENO, &o);
	const char *line = strstr(text, "\rscanning");

	CHECK(line != NULL);
	CHECK(strchr(text, '\033') == NULL); /* it is no terminal */
	/* blanked out before the message that follows */
	CHECK(line != NULL &&
	    strstr(line, "\r        \rdray: error: and 10 more") != NULL);
}

int
main(void)
{
	unsetenv("TERM");
	RUN(the_line_tells_how_far_and_how_long);
	RUN(no_percentage_is_claimed_while_scanning);
	RUN(a_narrow_line_keeps_what_matters);
	RUN(a_hundred_percent_means_the_last_item_is_done);
	RUN(items_count_where_there_are_no_bytes);
	RUN(no_time_is_guessed_before_there_is_a_rate);
	RUN(long_times_are_told_in_hours_and_days);
	RUN(the_rate_is_that_of_the_last_ten_seconds);
	RUN(resumed_bytes_are_progress_but_no_speed);
	RUN(exit_codes_are_those_of_the_manual);
	RUN(the_summary_accounts_for_all_items);
	RUN(the_summary_says_how_to_go_on);
	RUN(items_are_shown_when_asked_for);
	RUN(failures_are_logged_once_up_to_a_limit);
	RUN(json_is_a_line_for_each_event);
	RUN(off_a_terminal_there_are_plain_lines);
	RUN(the_live_line_makes_way_for_messages);
	return check_end();
}
