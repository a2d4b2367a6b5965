/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon/run.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"

#define LINE_MAX_BYTES (64 << 10)
#define READS_MAX 8
#define FDS_MAX 65536
/* Where a run finds its orders. */
#define ORDERS_FD 3
#define ORDERS_WORD "--control-fd=3"

/* What a child writes, line by line; one that is too long is cut. */
struct lines {
	int fd; /* -1: closed */
	struct buf line;
};

struct run {
	struct loop *loop;
	char *title;
	pid_t pid; /* 0: reaped */
	unsigned stops;
	struct lines out, log;
	int orders;	       /* -1: it takes none */
	struct jdoc *progress; /* NULL: none yet */
	struct run_end end;
};

typedef void line_fn(struct run *r, const char *line, size_t len);

static uint64_t
number(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_NUMBER ? strtoull(n->text, NULL, 10)
						   : 0;
}

static const char *
text(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_STRING ? n->text : "";
}

static void
on_out(struct run *r, const char *line, size_t len)
{
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, &e);
	const struct jdoc_node *root = doc != NULL ? jdoc_root(doc) : NULL;
	const char *type = root != NULL ? text(root, "type") : "";

	if (strcmp(type, "progress") == 0) {
		jdoc_free(r->progress);
		r->progress = TAKE(doc);
	} else if (strcmp(type, "start") == 0) {
		r->end.run = number(root, "run");
	} else if (strcmp(type, "summary") == 0) {
		snprintf(r->end.outcome, sizeof(r->end.outcome), "%s",
		    text(root, "outcome"));
	}
}

/* A line as log.c wrote it, in the other process. */
static void
on_log(struct run *r, const char *line, size_t len)
{
	static const struct {
		const char *word;
		enum log_level level;
	} kinds[] = {
	    {"dray: error: ", LOG_ERROR}, {"dray: warning: ", LOG_WARN},
	    {"dray: ", LOG_INFO}, {"", LOG_WARN}, /* a library, or ssh */
	};
	AUTO(buf) struct buf safe = BUF_INIT(8 * LINE_MAX_BYTES);
	size_t i = 0, n;

	while ((n = strlen(kinds[i].word)) > len ||
	    memcmp(line, kinds[i].word, n) != 0)
		i++;
	/* What others print may hold any bytes; dray's own are escaped. */
	if (kinds[i].word[0] != '\0')
		buf_add(&safe, line + n, len - n);
	else
		text_escape(&safe, line, len);
	if (r->end.run != 0)
		log_line(kinds[i].level, "%s run=%llu: %s", r->title,
		    (unsigned long long)r->end.run, buf_str(&safe));
	else
		log_line(kinds[i].level, "%s: %s", r->title, buf_str(&safe));
	if (kinds[i].level == LOG_ERROR) {
		snprintf(r->end.message, sizeof(r->end.message), "%s",
		    buf_str(&safe));
		r->end.said = true;
	}
}

static void
close_lines(struct run *r, struct lines *l)
{
	loop_remove(r->loop, l->fd);
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
}

static void
take(struct run *r, struct lines *l, const char *p, size_t n, line_fn *fn)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t part = end != NULL ? (size_t)(end - p) : n;

		/* Too long: what doesn't fit is dropped. */
		if (l->line.len + part < LINE_MAX_BYTES)
			buf_add(&l->line, p, part);
		if (end == NULL)
			return;
		fn(r, buf_str(&l->line), l->line.len);
		buf_reset(&l->line);
		p = end + 1;
		n -= part + 1;
	}
}

/* Reads what is there. */
static void
drain(struct run *r, struct lines *l, line_fn *fn)
{
	char bytes[16384];
	ssize_t n = 1;
	int times;

	/* All that a pipe holds, and then somebody else's turn. */
	for (times = 0; l->fd != -1 && n > 0 && times < READS_MAX; times++) {
		n = read(l->fd, bytes, sizeof(bytes));
		if (n > 0)
			take(r, l, bytes, (size_t)n, fn);
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		close_lines(r, l);
}

static void
on_fd(void *arg, int fd, short events)
{
	struct run *r = arg;

	(void)events;
	if (fd == r->out.fd)
		drain(r, &r->out, on_out);
	else
		drain(r, &r->log, on_log);
}

/* A pipe whose reading end is *L's and does not block. */
static int
open_lines(struct run *r, struct lines *l, int *writer, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(e, "pipe");
	l->fd = fds[0];
	*writer = fds[1];
	if (fcntl(l->fd, F_SETFL, O_NONBLOCK) == -1)
		return err_sys(e, "pipe");
	return loop_add(r->loop, l->fd, POLLIN, on_fd, r, e);
}

/* A pipe whose writing end is R's and does not block. */
static int
open_orders(struct run *r, int *reader, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(e, "pipe");
	*reader = fds[0];
	r->orders = fds[1];
	if (fcntl(r->orders, F_SETFL, O_NONBLOCK) == -1)
		return err_sys(e, "pipe");
	return 0;
}

/* Those that it has, from 0 on; the others are closed. */
static int
set_descriptors(int out, int log, int orders, int passed)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), i;
	int first = ORDERS_FD + (orders != -1);

	/* It may be where another one belongs. */
	if (passed != 0)
		passed = fcntl(passed, F_DUPFD, RUN_PASSED_FD + 1);
	if (null == -1 || passed == -1 || dup2(null, 0) == -1 ||
	    dup2(out, 1) == -1 || dup2(log, 2) == -1 ||
	    (orders != -1 && dup2(orders, ORDERS_FD) == -1))
		return -1;
	if (passed != 0) {
		if (dup2(passed, RUN_PASSED_FD) == -1)
			return -1;
		if (orders == -1)
			close(ORDERS_FD);
		first = RUN_PASSED_FD + 1;
	}
	if (close_range((unsigned)first, ~0u, 0) == -1)
		for (i = first; i < FDS_MAX; i++)
			close(i);
	return 0;
}

/* Nothing of the daemon's is left but its memory. */
static void
become_run(
    const struct run_order *o, pid_t parent, int out, int log, int orders)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};
	char name[16];
	int i;

	/* Its descriptor will be another file's. */
	log_close();
	/* A run without its daemon would be in the way of the next one; what it
	 * has recorded is kept in any case. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Ctrl-C is the daemon's: it ends its processes in its own way. */
	setsid();
	if (getppid() != parent ||
	    set_descriptors(out, log, orders, o->passed) == -1)
		_exit(1);
	log_find_journal();
	for (i = 1; i < NSIG; i++)
		if (i != SIGPIPE)
			sigaction(i, &usual, NULL);
	snprintf(name, sizeof(name), "%s", o->title);
	prctl(PR_SET_NAME, name);
}

static void
be_run(const struct run_order *o, pid_t parent, int out, int log, int orders)
{
	static char listen[] = ORDERS_WORD;
	char **argv;
	int rc, n = 0;

	become_run(o, parent, out, log, orders);
	if (o->timezone != NULL)
		setenv("TZ", o->timezone, 1);
	/* They are moved about as they are read. */
	argv = calloc(o->words_n + 2, sizeof(*argv));
	if (argv == NULL)
		_exit(1);
	if (orders != -1)
		argv[n++] = listen;
	if (o->words_n > 0)
		memcpy(argv + n, o->words, o->words_n * sizeof(*argv));
	rc = o->main(o->verb, n + (int)o->words_n, argv);
	fflush(NULL);
	_exit(rc);
}

struct run *
run_start(const struct run_order *o, struct loop *l, struct err *e)
{
	AUTO(run) struct run *r = calloc(1, sizeof(*r));
	AUTO(close) int out = -1, log = -1, orders = -1;
	pid_t parent = getpid();

	if (r == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->loop = l;
	r->out.fd = r->log.fd = r->orders = -1;
	buf_init(&r->out.line, LINE_MAX_BYTES);
	buf_init(&r->log.line, LINE_MAX_BYTES);
	r->title = strdup(o->title);
	if (r->title == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (open_lines(r, &r->out, &out, e) == -1 ||
	    open_lines(r, &r->log, &log, e) == -1 ||
	    (o->takes_orders && open_orders(r, &orders, e) == -1))
		return NULL;
	fflush(NULL);
	r->pid = fork();
	if (r->pid == -1) {
		r->pid = 0;
		err_sys(e, "fork");
		return NULL;
	}
	if (r->pid == 0)
		be_run(o, parent, out, log, orders);
	return TAKE(r);
}

void
run_free(struct run *r)
{
	if (r == NULL)
		return;
	/* One that hangs in the kernel is waited for by nobody. */
	if (r->pid != 0) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, WNOHANG);
	}
	close_lines(r, &r->out);
	close_lines(r, &r->log);
	if (r->orders != -1)
		close(r->orders);
	buf_free(&r->out.line);
	buf_free(&r->log.line);
	jdoc_free(r->progress);
	free(r->title);
	free(r);
}

pid_t
run_pid(const struct run *r)
{
	return r->pid;
}

void
run_take_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
run_stop(struct run *r)
{
	if (r->pid == 0)
		return;
	/* Two signals may come as one. */
	if (r->stops++ > 0)
		run_tell(r, "{\"stop\":\"now\"}");
	kill(r->pid, SIGTERM);
}

void
run_kill(const struct run *r)
{
	if (r->pid != 0)
		kill(r->pid, SIGKILL);
}

bool
run_tell(struct run *r, const char *order)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\n", order);

	return r->pid != 0 && r->orders != -1 && n < (int)sizeof(line) &&
	    write(r->orders, line, (size_t)n) == n;
}

void
run_end_window(struct run *r)
{
	if (run_tell(r, "{\"stop\":\"window\"}"))
		r->stops++;
	else
		run_stop(r);
}

unsigned
run_stops(const struct run *r)
{
	return r->stops;
}

const struct jdoc_node *
run_progress(const struct run *r)
{
	return r->progress != NULL ? jdoc_root(r->progress) : NULL;
}

void
run_reaped(struct run *r, int status, struct run_end *out)
{
	r->pid = 0;
	/* What it started may still hold the other ends. */
	drain(r, &r->out, on_out);
	drain(r, &r->log, on_log);
	close_lines(r, &r->out);
	close_lines(r, &r->log);
	r->end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	*out = r->end;
}
