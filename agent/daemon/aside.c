/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon/aside.h"

#define ANSWER_MAX ((size_t)1 << 20)

static void
close_in(struct aside *a)
{
	loop_remove(a->loop, a->fd);
	if (a->fd != -1)
		close(a->fd);
	a->fd = -1;
}

static void
on_in(void *arg, int fd, short events)
{
	struct aside *a = arg;
	char bytes[16384];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)events;
	if (n > 0)
		buf_add(&a->answer, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_in(a);
}

/* A pipe whose reading end is A's and does not block. */
static int
open_pipe(struct aside *a, int *writer, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(e, "pipe");
	a->fd = fds[0];
	*writer = fds[1];
	if (fcntl(a->fd, F_SETFL, O_NONBLOCK) == -1)
		return err_sys(e, "pipe");
	return loop_add(a->loop, a->fd, POLLIN, on_in, a, e);
}

int
aside_start(struct aside *a, const struct aside_order *order, struct loop *l,
    uint64_t now_ms, struct err *e)
{
	AUTO(close) int writer = -1;

	*a = (struct aside){
	    .loop = l,
	    .fd = -1,
	    .answer = BUF_INIT(ANSWER_MAX),
	    .since_ms = now_ms,
	};
	if (open_pipe(a, &writer, e) == 0) {
		struct run_order run = {
		    .title = "control",
		    .words = order->words.words,
		    .words_n = order->words.n,
		    .passed = writer,
		    .main = order->main,
		};

		a->run = run_start(&run, l, e);
	}
	if (a->run != NULL)
		return 0;
	close_in(a);
	return -1;
}

void
aside_kill(const struct aside *a)
{
	run_kill(a->run);
}

bool
aside_reap(struct aside *a, struct buf *answer)
{
	struct run_end end;
	size_t before;
	int status;

	if (waitpid(run_pid(a->run), &status, WNOHANG) <= 0)
		return false;
	/* What is still in the pipe */
	do {
		before = a->answer.len;
		if (a->fd != -1)
			on_in(a, a->fd, POLLIN);
	} while (a->answer.len > before);
	close_in(a);
	run_reaped(a->run, status, &end);
	run_free(TAKE(a->run));
	*answer = a->answer;
	return true;
}

void
aside_end(struct aside *a)
{
	if (a->run == NULL)
		return;
	close_in(a);
	run_free(TAKE(a->run));
	buf_free(&a->answer);
}
