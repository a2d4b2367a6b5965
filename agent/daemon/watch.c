/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon/conf_words.h"
#include "agent/daemon/hints.h"
#include "agent/daemon/run.h"
#include "agent/daemon/watch.h"
#include "agent/daemon/watch_wire.h"
#include "agent/daemon/watcher.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define IDLE_MS 60000
#define AGAIN_MS 1000 /* doubles each time that it soon ends */
#define AGAIN_MAX_MS ((uint64_t)600 * 1000)
/* One that went on for so long has done well: else the next one waits for
 * longer, and so does the run that looks at all. */
#define STEADY_MS AGAIN_MAX_MS
/* One that could not watch all tries again. */
#define PARTIAL_MS ((uint64_t)3600 * 1000)
#define READS_MAX 16

struct watch {
	struct loop *loop;
	char *name; /* of the task */
	enum verb_id verb;
	const char *const *own;	 /* as watch_new() got it */
	struct conf_words words; /* of the watcher */
	struct hints *hints;
	struct run *run; /* the watcher; NULL: none */
	int fd;		 /* it tells there; -1 */
	struct buf in;	 /* what is no whole record yet */
	bool sees;	 /* since it told so: */
	struct watch_state state;
	uint64_t started_ms, again_ms;
	uint64_t next_ms;   /* to start one */
	bool off;	    /* no more */
	bool replaced;	    /* the one that is killed */
	char message[1000]; /* why the last one ended */
};

static const char *
how_name(enum watch_how how)
{
	return how == WATCH_INOTIFY ? "inotify"
	    : how == WATCH_FANOTIFY ? "fanotify"
				    : "auto";
}

static int
compose(struct conf_words *w, const struct task_conf *conf,
    const char *const *own, struct err *e)
{
	if (conf_words_copy(w, &conf->options, e) == -1 ||
	    conf_words_add(w, "--", NULL, e) == -1 ||
	    conf_words_add(w, how_name(conf->watch), NULL, e) == -1 ||
	    conf_words_add(w, conf->source, NULL, e) == -1)
		return -1;
	for (; own != NULL && *own != NULL; own++)
		if (conf_words_add(w, *own, NULL, e) == -1)
			return -1;
	return 0;
}

struct watch *
watch_new(const struct task_conf *conf, const char *const *own, struct loop *l,
    struct err *e)
{
	AUTO(watch) struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	w->fd = -1;
	w->loop = l;
	w->own = own;
	w->verb = conf->verb;
	w->again_ms = AGAIN_MS;
	buf_init(&w->in, 2 * WATCH_WIRE_MAX);
	w->hints = hints_new(HINTS_MAX, HINTS_MAX_BYTES, e);
	if (w->hints == NULL || compose(&w->words, conf, own, e) == -1)
		return NULL;
	hints_set_settle(w->hints, conf->watch_settle_ms);
	w->name = strdup(conf->name);
	if (w->name != NULL)
		return TAKE(w);
	err_set(e, ERR_NOMEM, "out of memory");
	return NULL;
}

static void
close_in(struct watch *w)
{
	loop_remove(w->loop, w->fd);
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
	buf_reset(&w->in);
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	close_in(w);
	run_free(w->run);
	hints_free(w->hints);
	conf_words_free(&w->words);
	buf_free(&w->in);
	free(w->name);
	free(w);
}

/* Whether the watcher's words are those of CONF; if not, they are now. */
static bool
keep_words(struct watch *w, const struct task_conf *conf)
{
	struct conf_words words = {.n = 0};
	struct err e = ERR_INIT;
	bool same = w->verb == conf->verb;
	size_t i;

	if (compose(&words, conf, w->own, &e) == -1) {
		log_error("task=%s: watched as before: %s", w->name, e.msg);
		conf_words_free(&words);
		return true;
	}
	same = same && words.n == w->words.n;
	for (i = 0; same && i < words.n; i++)
		same = strcmp(words.words[i], w->words.words[i]) == 0;
	conf_words_free(&w->words);
	w->words = words;
	w->verb = conf->verb;
	return same;
}

/* Another one is to begin at once. */
static void
replace(struct watch *w)
{
	w->again_ms = AGAIN_MS;
	w->next_ms = 0;
	w->replaced = w->run != NULL;
	if (w->run != NULL)
		run_kill(w->run);
}

void
watch_set(struct watch *w, const struct task_conf *conf)
{
	w->off = conf == NULL;
	if (conf != NULL) {
		hints_set_settle(w->hints, conf->watch_settle_ms);
		if (keep_words(w, conf))
			return;
	}
	replace(w);
}

bool
watch_is_up(const struct watch *w)
{
	return w->run != NULL;
}

static void
on_state(struct watch *w, const char *bytes, size_t len)
{
	char text[32];

	if (len != sizeof(w->state))
		return;
	memcpy(&w->state, bytes, len);
	if (!w->sees && w->state.by_fanotify)
		log_info("task=%s: watched by fanotify", w->name);
	else if (!w->sees)
		log_info("task=%s: watched by inotify: %s directories", w->name,
		    text_count(w->state.directories, text, sizeof(text)));
	w->sees = true;
	w->message[0] = '\0';
}

static void
on_record(void *arg, enum watch_kind kind, const char *bytes, size_t len)
{
	static const enum hint_kind kinds[] = {
	    [WATCH_TREE] = HINT_TREE,
	    [WATCH_ALONE] = HINT_ALONE,
	    [WATCH_CREATED] = HINT_CREATED,
	};
	struct watch *w = arg;

	if (kind == WATCH_STATE)
		on_state(w, bytes, len);
	else if (kind != WATCH_KINDS)
		hints_add(w->hints, bytes, len, kinds[kind], clock_mono_ms());
}

static void
on_in(void *arg, int fd, short events)
{
	struct watch *w = arg;
	struct err e = ERR_INIT;
	char bytes[16384];
	ssize_t n = 1;
	int times, rc = 0;

	(void)events;
	for (times = 0; rc == 0 && n > 0 && times < READS_MAX; times++) {
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0) {
			buf_add(&w->in, bytes, (size_t)n);
			rc = watch_wire_take(&w->in, on_record, w, &e);
		}
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		n = 1;
	if (n > 0 && rc == 0 && !buf_failed(&w->in))
		return;
	/* That it is gone is seen when it is reaped. */
	close_in(w);
	if (n > 0 && w->run != NULL)
		run_kill(w->run);
}

/* A pipe whose reading end is W's and does not block. */
static int
open_pipe(struct watch *w, int *writer, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(e, "pipe");
	w->fd = fds[0];
	*writer = fds[1];
	if (fcntl(w->fd, F_SETFL, O_NONBLOCK) == -1)
		return err_sys(e, "pipe");
	return loop_add(w->loop, w->fd, POLLIN, on_in, w, e);
}

static void
later(struct watch *w, uint64_t now_ms)
{
	w->next_ms = now_ms + w->again_ms;
	w->again_ms *= 2;
	if (w->again_ms > AGAIN_MAX_MS)
		w->again_ms = AGAIN_MAX_MS;
}

static void
start(struct watch *w, uint64_t now_ms)
{
	AUTO(buf) struct buf title = BUF_INIT(1024);
	AUTO(close) int writer = -1;
	struct err e = ERR_INIT;

	buf_addf(&title, "task=%s: watch", w->name);
	w->started_ms = now_ms;
	w->sees = false;
	if (open_pipe(w, &writer, &e) == 0) {
		struct run_order order = {
		    .title = buf_str(&title),
		    .verb = w->verb,
		    .words = w->words.words,
		    .words_n = w->words.n,
		    .passed = writer,
		    .main = watcher_main,
		};

		w->run = run_start(&order, w->loop, &e);
	}
	if (w->run != NULL)
		return;
	close_in(w);
	snprintf(w->message, sizeof(w->message), "%s", e.msg);
	log_error("task=%s: can't be watched: %s", w->name, e.msg);
	later(w, now_ms);
}

uint64_t
watch_tick(struct watch *w, uint64_t now_ms)
{
	if (w->run == NULL && !w->off && now_ms >= w->next_ms)
		start(w, now_ms);
	if (w->off)
		return IDLE_MS;
	if (w->run == NULL)
		return w->next_ms > now_ms ? w->next_ms - now_ms : 0;
	if (w->sees && w->state.unwatched > 0 &&
	    now_ms - w->started_ms > PARTIAL_MS)
		replace(w);
	return IDLE_MS;
}

void
watch_reap(struct watch *w, uint64_t now_ms)
{
	struct run_end end;
	int status;

	if (w->run == NULL || waitpid(run_pid(w->run), &status, WNOHANG) <= 0)
		return;
	close_in(w);
	run_reaped(w->run, status, &end);
	run_free(TAKE(w->run));
	w->sees = false;
	if (w->replaced || w->off) {
		w->replaced = false;
		return;
	}
	if (end.exit_code == -1) {
		end.said = false;
		snprintf(end.message, sizeof(end.message),
		    "its process was killed by signal %d (%s)", end.signal,
		    strsignal(end.signal));
	}
	if (now_ms - w->started_ms > STEADY_MS)
		w->again_ms = AGAIN_MS;
	later(w, now_ms);
	snprintf(w->message, sizeof(w->message), "%s", end.message);
	log_warn("task=%s: not watched any more%s%s; tried again in %llu s, "
		 "and all is looked at then",
	    w->name, end.said ? "" : ": ", end.said ? "" : end.message,
	    (unsigned long long)(w->next_ms - now_ms) / 1000);
}

uint64_t
watch_due(struct watch *w, uint64_t now_ms)
{
	return w->off ? HINTS_NEVER : hints_due(w->hints, now_ms);
}

/* A file of TEXT, in memory, to be read from its beginning. */
static int
file_of(const struct buf *text, struct err *e)
{
	AUTO(close) int fd = memfd_create("changes", MFD_CLOEXEC);
	size_t at = 0;

	while (fd != -1 && at < text->len) {
		ssize_t n = write(fd, text->data + at, text->len - at);

		if (n == -1)
			return err_sys(e, "a list of what has changed");
		at += (size_t)n;
	}
	if (fd == -1 || lseek(fd, 0, SEEK_SET) == -1)
		return err_sys(e, "a list of what has changed");
	return take_fd(&fd);
}

int
watch_take(struct watch *w, uint64_t now_ms, int *fd, struct err *e)
{
	AUTO(buf) struct buf paths = BUF_INIT(4 * HINTS_MAX_BYTES);

	if (!hints_take(w->hints, now_ms, &paths))
		return 0;
	*fd = file_of(&paths, e);
	if (*fd != -1)
		return 1;
	hints_return(w->hints, false);
	return -1;
}

void
watch_take_all(struct watch *w)
{
	hints_take_all(w->hints);
}

void
watch_done(struct watch *w)
{
	hints_done(w->hints);
}

void
watch_return(struct watch *w, bool idle)
{
	hints_return(w->hints, idle);
}

void
watch_rest(struct watch *w)
{
	hints_rest(w->hints);
}

void
watch_show(const struct watch *w, struct json *j)
{
	const char *state = "starting";

	if (w->run == NULL)
		state = "down";
	else if (w->sees)
		state = w->state.unwatched > 0 ? "partial" : "watching";
	json_str(j, "watch", state);
	if (w->sees) {
		json_str(j, "watch_by",
		    w->state.by_fanotify ? "fanotify" : "inotify");
		if (!w->state.by_fanotify)
			json_uint(j, "watched", w->state.directories);
		if (w->state.unwatched > 0)
			json_uint(j, "unwatched", w->state.unwatched);
	}
	json_uint(j, "pending", hints_count(w->hints));
	if (w->message[0] != '\0')
		json_str(j, "watch_message", w->message);
}
