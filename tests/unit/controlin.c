/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <unistd.h>

#include "agent/bwlimit.h"
#include "agent/control_in.h"
#include "tests/unit/check.h"

static struct control got[8];
static unsigned orders;

static void
on_order(void *arg, const struct control *order)
{
	(void)arg;
	if (orders < 8)
		got[orders++] = *order;
}

/* What control_in makes of PIECES (the last is NULL), each read by itself. */
static void
feed(const char *const *pieces)
{
	struct control_in c;
	int fds[2];

	orders = 0;
	CHECK(pipe(fds) == 0);
	control_in_init(&c, fds[0]);
	for (; *pieces != NULL; pieces++) {
		ssize_t n = (ssize_t)strlen(*pieces);

		CHECK(write(fds[1], *pieces, (size_t)n) == n);
		CHECK(control_in_read(&c, on_order, NULL));
	}
	close(fds[1]);
	CHECK(!control_in_read(&c, on_order, NULL));
	control_in_free(&c);
	close(fds[0]);
}

static void
orders_are_lines_however_they_come(void)
{
	feed((const char *const[]){"{\"set\":{\"bwl", "imit\":\"10M\"}}\n{\"st",
	    "op\":\"window\"}\n{\"stop\":\"now\"}\n{\"set\":{\"bwlimit\":"
	    "\"off\"},\"stop\":\"now\"}\n",
	    NULL});
	CHECK_UINT(orders, 4);
	CHECK(got[0].has_bwlimit && got[0].stop == CONTROL_GO_ON);
	CHECK_UINT(got[0].bwlimit, 10 << 20);
	CHECK(!got[1].has_bwlimit && got[1].stop == CONTROL_STOP_WINDOW);
	CHECK(got[2].stop == CONTROL_STOP_NOW);
	CHECK(got[3].has_bwlimit && got[3].bwlimit == 0);
	CHECK(got[3].stop == CONTROL_STOP_NOW);
}

static void
what_makes_no_sense_changes_nothing(void)
{
	static const char *const bad[] = {"", "garbage", "[]", "\"stop\"",
	    "{\"set\":1}", "{\"set\":{\"bwlimit\":10}}",
	    "{\"set\":{\"bwlimit\":\"fast\"}}", "{\"set\":{\"colour\":\"1\"}}",
	    "{\"stop\":\"soon\"}", "{\"stop\":true}", "{\"go\":\"on\"}",
	    "{\"stop\":\"now\"} {}", "{\"stop\":\"now\"",
	    "{\"stop\":\"now\",\"set\":{\"bwlimit\":\"1x\"}}"};
	struct control c = {.stop = CONTROL_STOP_WINDOW};
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(control_parse(bad[i], strlen(bad[i]), &c, &e) == -1);
		CHECK(e.msg[0] != '\0');
	}
	CHECK(c.stop == CONTROL_STOP_WINDOW);
	feed((const char *const[]){
	    "nonsense\n", "\n", "{\"stop\":\"now\"}\n", NULL});
	CHECK_UINT(orders, 1);
}

static void
a_line_without_end_is_forgotten(void)
{
	static char much[CONTROL_LINE_MAX];

	memset(much, 'x', sizeof(much) - 1);
	feed((const char *const[]){
	    much, much, much, "\n{\"stop\":\"now\"}\n", NULL});
	CHECK_UINT(orders, 1);
	feed((const char *const[]){"{\"stop\":\"now\"}", NULL});
	CHECK_UINT(orders, 0);
}

static void
rates_are_read_as_rclone_reads_them(void)
{
	const struct {
		const char *text;
		uint64_t rate;
	} good[] = {{"off", 0}, {"0", 0}, {"100", 100 << 10}, {"1k", 1 << 10},
	    {"10M", 10 << 20}, {"1.5M", 3 << 19}, {"1G", 1 << 30}};
	static const char *const bad[] = {
	    "", "fast", "10M:1M", "-1", "10M/s", "on"};
	struct err e = ERR_INIT;
	uint64_t rate;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(bwlimit_parse(good[i].text, &rate, &e) == 0);
		CHECK_UINT(rate, good[i].rate);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(bwlimit_parse(bad[i], &rate, &e) == -1);
}

int
main(void)
{
	RUN(orders_are_lines_however_they_come);
	RUN(what_makes_no_sense_changes_nothing);
	RUN(a_line_without_end_is_forgotten);
	RUN(rates_are_read_as_rclone_reads_them);
	return check_end();
}
