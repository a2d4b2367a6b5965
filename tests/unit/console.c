/* SPDX-License-Identifier: ISC */
/* The control socket, the loop behind it, and what is remembered of tasks. */
#include "config.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/daemon/client.h"
#include "agent/daemon/conf_words.h"
#include "agent/daemon/console.h"
#include "agent/daemon/hush.h"
#include "agent/daemon/memory.h"
#include "base/clock.h"
#include "base/json.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static struct loop *loop;
static struct console *control;
static unsigned asked;

static const char *
path_of(const char *name)
{
	static char path[5000];

	snprintf(path, sizeof(path), "%s/%s", tree_path, name);
	return path;
}

/* Answers in a process of its own, but not if it is told to "hang". */
static int
slowly(enum verb_id verb, int argc, char **argv)
{
	(void)verb;
	(void)argc;
	while (strcmp(argv[0], "hang") == 0)
		pause();
	return dprintf(RUN_PASSED_FD, "{\"from\":\"%s\"}", argv[0]) > 0 ? 0 : 1;
}

/* Says what it was asked; "big" gets a long answer, "aside" and "hang" one that
 * somebody else makes. */
static void
echo(void *arg, const struct jdoc_node *request, struct buf *reply,
    struct aside_order *aside)
{
	const struct jdoc_node *op = jdoc_member(request, "op");
	struct err e = ERR_INIT;
	struct json j;
	int i;

	(void)arg;
	asked++;
	if (jdoc_is(op, "aside") || jdoc_is(op, "hang")) {
		CHECK(conf_words_add(&aside->words, op->text, NULL, &e) == 0);
		aside->main = slowly;
		return;
	}
	json_begin(&j, reply);
	json_object(&j, NULL);
	json_string(&j, "op", op->text, op->len);
	for (i = 0; jdoc_is(op, "big") && i < 100000; i++)
		json_uint(&j, "n", 12345678);
	json_object_end(&j);
}

static void
begin(void)
{
	struct err e = ERR_INIT;

	loop = loop_new(&e);
	control = console_open(path_of("control"), NULL, loop, echo, NULL, &e);
	CHECK(loop != NULL && control != NULL);
}

static void
end(void)
{
	console_close(control);
	loop_free(loop);
}

static int
call(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(where.sun_path, sizeof(where.sun_path), "%.100s",
	    path_of("control"));
	CHECK(connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0);
	return fd;
}

/* Lets the server work as long as it has anything to do. */
static void
serve(void)
{
	struct err e = ERR_INIT;
	int i;

	for (i = 0; i < 50; i++)
		CHECK(loop_wait(loop, 0, &e) == 0);
}

static const char *
say(int fd, const char *text, size_t len)
{
	static char answer[4096];
	ssize_t n;

	CHECK(send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len);
	serve();
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	answer[n > 0 ? n : 0] = '\0';
	return n == 0 ? "(hung up)" : answer;
}

#define SAY(fd, text) say(fd, text, strlen(text))

/* What FD is told once the one that makes its answer has ended. */
static const char *
answer_from_aside(int fd)
{
	static char answer[4096];
	ssize_t n = -1;
	int i;

	for (i = 0; i < 1000 && n == -1; i++) {
		usleep(10000);
		console_reap(control);
		serve();
		n = recv(fd, answer, sizeof(answer) - 1, 0);
	}
	answer[n > 0 ? n : 0] = '\0';
	return answer;
}

static void
an_answer_that_takes_a_while_holds_up_nobody(void)
{
	static const char hang[] = "{\"v\":1,\"op\":\"hang\"}\n";
	int fds[5], other, i;

	begin();
	for (i = 0; i < 5; i++)
		fds[i] = call();
	other = call();
	serve();
	CHECK_STR(
	    SAY(fds[0], "{\"v\":1,\"op\":\"hang\"}\n{\"v\":1,\"op\":\"x\"}\n"),
	    "");
	CHECK_STR(SAY(other, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	CHECK_STR(SAY(other, "{\"v\":1,\"op\":\"aside\"}\n"), "");
	CHECK_STR(answer_from_aside(other), "{\"from\":\"aside\"}\n");
	for (i = 1; i < 4; i++)
		CHECK_STR(SAY(fds[i], hang), "");
	CHECK(strstr(SAY(fds[4], hang), "others are being answered") != NULL);
	/* One of them goes: there is a place again. */
	close(fds[3]);
	for (i = 0; i < 200; i++) {
		usleep(1000);
		serve();
		console_reap(control);
	}
	CHECK_STR(SAY(other, "{\"v\":1,\"op\":\"aside\"}\n"), "");
	CHECK_STR(answer_from_aside(other), "{\"from\":\"aside\"}\n");
	console_tick(control, clock_mono_ms() + 1000);
	CHECK_STR(SAY(fds[1], ""), "");
	console_tick(control, clock_mono_ms() + 5000);
	CHECK(strstr(SAY(fds[1], ""), "there is no answer within") != NULL);
	/* What it asked behind that is answered now. */
	CHECK(strstr(SAY(fds[0], ""), "}\n{\"op\":\"x\"}\n") != NULL);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	close(fds[4]);
	close(other);
	end();
}

/* Without one to spare, the listener would be ready for ever. */
static void
callers_wait_while_there_are_no_descriptors(void)
{
	struct rlimit files, few;
	struct err e = ERR_INIT;
	uint64_t begun, until;
	int fd;

	begin();
	fd = call();
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	few = files;
	few.rlim_cur = (rlim_t)fd + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(loop_wait(loop, 0, &e) == 0);
	begun = clock_mono_ms();
	CHECK(loop_wait(loop, 100, &e) == 0);
	CHECK(clock_mono_ms() - begun >= 90);
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	console_tick(control, clock_mono_ms());
	CHECK(loop_wait(loop, 0, &e) == 0);
	until = clock_mono_ms() + 2000;
	console_tick(control, until);
	CHECK_STR(SAY(fd, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	close(fd);
	end();
}

static void
each_line_has_its_answer(void)
{
	int a, b;

	begin();
	a = call();
	b = call();
	serve();
	CHECK_STR(SAY(a, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	CHECK_STR(SAY(b, "{\"v\":1,\"op\":\"y\"}\n{\"v\":1,\"op\":\"z\"}\n{"),
	    "{\"op\":\"y\"}\n{\"op\":\"z\"}\n");
	CHECK_STR(SAY(b, "\"v\":1,\"op\":\"w\"}\n"), "{\"op\":\"w\"}\n");
	CHECK_UINT(asked, 4);
	close(a);
	close(b);
	serve();
	end();
	CHECK(access(path_of("control"), F_OK) == -1);
}

static void
nonsense_is_refused_and_the_line_stays_open(void)
{
	static const char *const wrong[] = {"\n", "garbage\n", "[1]\n", "{}\n",
	    "{\"v\":2,\"op\":\"x\"}\n", "{\"v\":\"1\",\"op\":\"x\"}\n",
	    "{\"v\":11}\n", "\xff\xfe\n"};
	size_t i;
	int fd;

	begin();
	asked = 0;
	fd = call();
	serve();
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(strncmp(SAY(fd, wrong[i]),
			  "{\"v\":1,\"ok\":false,\"error\":", 26) == 0);
	CHECK_UINT(asked, 0);
	CHECK_STR(SAY(fd, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	close(fd);
	end();
}

static void
a_line_without_end_is_cut_off(void)
{
	static char much[16 << 10];
	int fd, i;

	begin();
	memset(much, 'x', sizeof(much));
	fd = call();
	serve();
	for (i = 0; i < 20 && send(fd, much, sizeof(much), MSG_NOSIGNAL) > 0;
	     i++)
		serve();
	CHECK(i < 10);
	close(fd);
	fd = call();
	serve();
	CHECK_STR(SAY(fd, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	close(fd);
	end();
}

static bool
is_hung_up(int fd)
{
	char c;

	serve();
	return recv(fd, &c, 1, 0) == 0;
}

static void
who_keeps_it_waiting_is_turned_away(void)
{
	int slow, mute, idle;
	uint64_t now;

	begin();
	slow = call();
	mute = call();
	idle = call();
	serve();
	CHECK_STR(SAY(idle, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	CHECK_STR(SAY(slow, "{\"v\":1"), "");
	now = clock_mono_ms();
	console_tick(control, now + 5000);
	CHECK(!is_hung_up(slow) && !is_hung_up(mute) && !is_hung_up(idle));
	CHECK_STR(SAY(slow, ","), "");
	console_tick(control, now + 15000);
	CHECK(is_hung_up(slow) && is_hung_up(mute) && !is_hung_up(idle));
	CHECK_STR(SAY(idle, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	console_tick(control, clock_mono_ms() + 400000);
	CHECK(is_hung_up(idle));
	close(slow);
	close(mute);
	close(idle);
	end();
}

static void
an_answer_that_is_not_read_holds_up_nobody(void)
{
	static char bytes[1 << 16];
	int lazy, other;
	size_t got = 0;
	ssize_t n;

	begin();
	lazy = call();
	other = call();
	serve();
	SAY(lazy, "{\"v\":1,\"op\":\"big\"}\n{\"v\":1,\"op\":\"big\"}\n");
	CHECK_STR(SAY(other, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	do {
		serve();
		n = recv(lazy, bytes, sizeof(bytes), 0);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	/* say() has read the first of it. */
	CHECK(got > 2 * 100000 * strlen("\"n\":12345678,") - 4096);
	close(lazy);
	close(other);
	end();
}

static void
who_is_quiet_for_longest_makes_room(void)
{
	int fds[80], i;

	begin();
	for (i = 0; i < 80; i++) {
		fds[i] = call();
		serve();
	}
	for (i = 0; i < 80; i++)
		CHECK(is_hung_up(fds[i]) == (i < 16));
	/* Now the first of them has been heard of last. */
	CHECK_STR(SAY(fds[16], "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	i = call();
	serve();
	CHECK(!is_hung_up(fds[16]) && is_hung_up(fds[17]));
	CHECK_STR(SAY(i, "{\"v\":1,\"op\":\"x\"}\n"), "{\"op\":\"x\"}\n");
	close(i);
	for (i = 0; i < 80; i++)
		close(fds[i]);
	serve();
	end();
}

static void
lines_that_others_cause_are_few(void)
{
	struct hush h = {.lines = 0};
	unsigned left_out = 1, i;

	for (i = 0; i < HUSH_LINES; i++)
		CHECK(hush_lets(&h, 1000 + i, &left_out) && left_out == 0);
	CHECK(!hush_lets(&h, 2000, &left_out));
	CHECK(!hush_lets(&h, 60999, &left_out));
	CHECK(hush_lets(&h, 61000, &left_out) && left_out == 2);
	CHECK(hush_lets(&h, 61001, &left_out) && left_out == 0);
}

static void
what_is_remembered_comes_back(void)
{
	struct err e = ERR_INIT;
	struct memory m = {
	    .schedule =
		{
		    .paused = true,
		    .failures = 3,
		    .started_us = 1795460000000000,
		    .since_us = 5,
		    .unfinished = true,
		},
	    .begun_us = 1795460000000001,
	    .ended_us = 1795460000000002,
	    .outcome = "failed",
	    .message = "no\nsuch = [thing] # at all",
	};
	struct memory back;

	CHECK(memory_read(tree_path, "t", &back, &e) == 0);
	CHECK(!back.schedule.paused && back.schedule.started_us == 0);
	CHECK(memory_write(tree_path, "t", &m, &e) == 0);
	CHECK(memory_read(tree_path, "t", &back, &e) == 0);
	CHECK(memcmp(&back.schedule, &m.schedule, sizeof(m.schedule)) == 0);
	CHECK(back.begun_us == m.begun_us && back.ended_us == m.ended_us);
	CHECK_STR(back.outcome, "failed");
	CHECK(strstr(back.message, "such = [thing] # at all") != NULL);
	m.schedule.paused = false;
	m.message[0] = '\0';
	CHECK(memory_write(tree_path, "t", &m, &e) == 0);
	CHECK(memory_read(tree_path, "t", &back, &e) == 0);
	CHECK(!back.schedule.paused && back.message[0] == '\0');
	CHECK(memory_write("/nosuch/dir", "t", &m, &e) == -1);
}

/* With our request unread, which isn't the end of a stream. */
static void
who_is_hung_up_on_is_not_told_of_a_daemon_that_hangs(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO(buf) struct buf reply = BUF_INIT(100);
	struct err e = ERR_INIT;
	char byte;
	pid_t pid;

	snprintf(
	    where.sun_path, sizeof(where.sun_path), "%.107s", path_of("rude"));
	CHECK(bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0);
	CHECK(listen(fd, 1) == 0);
	pid = fork();
	if (pid == 0) {
		int caller = accept(fd, NULL, NULL);

		recv(caller, &byte, 1, 0);
		_exit(0);
	}
	CHECK(client_ask(path_of("rude"), "{}", &reply, &e) == -1);
	CHECK(strstr(e.msg, "has hung up") != NULL);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

int
main(void)
{
	int fd = tree_begin();

	RUN(each_line_has_its_answer);
	RUN(nonsense_is_refused_and_the_line_stays_open);
	RUN(a_line_without_end_is_cut_off);
	RUN(who_keeps_it_waiting_is_turned_away);
	RUN(an_answer_that_is_not_read_holds_up_nobody);
	RUN(who_is_quiet_for_longest_makes_room);
	RUN(an_answer_that_takes_a_while_holds_up_nobody);
	RUN(lines_that_others_cause_are_few);
	RUN(what_is_remembered_comes_back);
	RUN(callers_wait_while_there_are_no_descriptors);
	RUN(who_is_hung_up_on_is_not_told_of_a_daemon_that_hangs);
	tree_end(fd);
	return check_end();
}
