/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/console.h"
#include "agent/daemon/courier.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/notify.h"
#include "agent/daemon/ops.h"
#include "agent/daemon/tasks.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define LOCK_NAME ".agent.lock"
/* After SIGTERM: what is under way may be finished, is given up, is killed;
 * what hangs even then is left alone. */
#define GRACE_MS 6000
#define KILL_MS 8500
#define LEAVE_MS 9500
#define TICK_MAX_MS 5000

struct service {
	const struct daemon_setup *setup;
	struct daemon_conf *conf;
	struct loop *loop;
	struct tasks *tasks;
	struct courier *courier;
	struct console *control;
	const char *own[4]; /* what it writes to, and NULL */
	int lock;	    /* of the state directory */
	int signals;	    /* signalfd */
	bool ending;
	bool gave_up; /* what is under way was told to be dropped */
	uint64_t ending_ms;
	uint64_t alive_ms; /* when the watchdog was told */
	unsigned shown;	   /* runs, in the status line */
};

static int64_t
now_us(void)
{
	return clock_wall_ns() / 1000;
}

/* PATH and the directories above it, or only those above (PARENT). */
static int
make_dirs(const char *path, bool parent, struct err *e)
{
	AUTO(free) char *copy = strdup(path);
	char *p = copy;

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while ((p = strchr(p + 1, '/')) != NULL) {
		*p = '\0';
		if (mkdir(copy, 0755) == -1 && errno != EEXIST)
			return err_sys(e, "directory %s", copy);
		*p = '/';
	}
	if (!parent && mkdir(copy, 0750) == -1 && errno != EEXIST)
		return err_sys(e, "directory %s", copy);
	return 0;
}

/* Who has the lock, as it says itself; 0: not known. */
static long
holder_of(int lock)
{
	char text[32];
	ssize_t n = pread(lock, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return strtol(text, NULL, 10);
}

/* Its number is for whoever finds the lock taken: no more depends on it. */
static void
sign(int lock)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	(void)!ftruncate(lock, 0);
	(void)!pwrite(lock, text, (size_t)n, 0);
}

/* One daemon for each state directory. */
static int
lock_state(struct service *s, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	if (make_dirs(s->conf->state_dir, false, e) == -1 ||
	    make_dirs(s->conf->control, true, e) == -1)
		return -1;
	buf_addf(&path, "%s/" LOCK_NAME, s->conf->state_dir);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	s->lock = open(
	    buf_str(&path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (s->lock == -1)
		return err_sys(e, "%s", buf_str(&path));
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0) {
		sign(s->lock);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return err_set(e, ERR_BUSY,
		    "another daemon, process %ld, has the state directory %s: "
		    "stop that one, or set another state-dir",
		    holder_of(s->lock), s->conf->state_dir);
	return err_sys(e, "lock %s", buf_str(&path));
}

/* Reads all files again.  What makes no sense changes nothing. */
static int
reload(struct service *s, struct err *e)
{
	AUTO(daemon_conf)
	struct daemon_conf *fresh =
	    daemon_conf_load(s->setup->conf_path, s->setup->conf_must_exist, e);

	if (fresh == NULL)
		return -1;
	if (strcmp(fresh->state_dir, s->conf->state_dir) != 0 ||
	    strcmp(fresh->subscriptions_dir, s->conf->subscriptions_dir) != 0 ||
	    strcmp(fresh->control, s->conf->control) != 0)
		return err_set(e, ERR_CONFIG,
		    "%s: another state-dir, subscriptions-dir or control needs "
		    "a restart",
		    s->setup->conf_path);
	if (tasks_count(s->tasks) > 0 && access(fresh->tasks_dir, F_OK) == -1)
		return err_sys(e, "%s", fresh->tasks_dir);
	if (tasks_load(s->tasks, fresh->tasks_dir, &fresh->defaults, now_us(),
		e) == -1)
		return -1;
	tasks_set_limit(s->tasks, fresh->max_runs);
	return 0;
}

static void
on_reload(struct service *s)
{
	struct err e = ERR_INIT;

	notify_reloading();
	if (reload(s, &e) == -1)
		log_error("%s; all stays as it was", e.msg);
	else
		log_info("configuration read again: %zu tasks",
		    tasks_count(s->tasks));
	courier_recall(s->courier);
	notify_ready();
}

static void
on_rotate(const struct service *s)
{
	struct err e = ERR_INIT;

	if (s->setup->log_file != NULL &&
	    log_open(s->setup->log_file, &e) == -1)
		log_error("%s", e.msg);
}

static void
on_end(struct service *s)
{
	if (!s->ending) {
		log_info("ending: %u runs are told to stop",
		    tasks_running(s->tasks));
		notify_stopping();
		s->ending_ms = clock_mono_ms();
	}
	s->gave_up = s->ending;
	s->ending = true;
	tasks_stop_all(s->tasks);
	courier_stop(s->courier);
}

static void
on_child(struct service *s)
{
	unsigned before = tasks_running(s->tasks);

	courier_reap(s->courier, clock_mono_ms());
	tasks_reap(s->tasks, now_us());
	console_reap(s->control);
	/* A run may have left events. */
	if (tasks_running(s->tasks) < before)
		courier_call(s->courier);
}

static void
on_signal(void *arg, int fd, short events)
{
	struct service *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		switch (info.ssi_signo) {
		case SIGCHLD:
			on_child(s);
			break;
		case SIGHUP:
			on_reload(s);
			break;
		case SIGUSR1:
			on_rotate(s);
			break;
		default:
			on_end(s);
		}
}

static int
catch_signals(struct service *s, struct err *e)
{
	static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return err_sys(e, "signals");
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals == -1)
		return err_sys(e, "signalfd");
	return loop_add(s->loop, s->signals, POLLIN, on_signal, s, e);
}

static int
open_control(struct service *s, struct err *e)
{
	s->control = console_open(s->conf->control, s->conf->control_group,
	    s->loop, ops_answer, s->tasks, e);
	return s->control != NULL ? 0 : -1;
}

static int
hire_courier(struct service *s, struct err *e)
{
	struct courier_config config = {
	    .state_dir = s->conf->state_dir,
	    .subscriptions_dir = s->conf->subscriptions_dir,
	    .main = s->setup->main,
	    .loop = s->loop,
	    .errand_main = s->setup->tell_of_hold,
	    .errand = tasks_errand,
	    .errand_done = tasks_errand_done,
	    .archives = tasks_archive,
	    .arg = s->tasks,
	};

	s->courier = courier_new(&config, e);
	return s->courier != NULL ? 0 : -1;
}

/* A watch is to be silent about these. */
static void
name_own(struct service *s)
{
	s->own[0] = s->conf->state_dir;
	s->own[1] = s->conf->control;
	s->own[2] = s->setup->log_file;
}

/* It may come later; or the name is mistyped. */
static void
look_for_subscriptions(const struct service *s)
{
	const char *dir = s->conf->subscriptions_dir;

	if (s->conf->names_subscriptions && access(dir, R_OK | X_OK) == -1)
		log_warn("%s: subscriptions-dir: %s: %m: nobody is told of "
			 "what happens",
		    s->setup->conf_path, dir);
}

static int
set_up(struct service *s, struct err *e)
{
	struct tasks_config config;

	s->conf =
	    daemon_conf_load(s->setup->conf_path, s->setup->conf_must_exist, e);
	if (s->conf == NULL || lock_state(s, e) == -1)
		return -1;
	s->loop = loop_new(e);
	if (s->loop == NULL || catch_signals(s, e) == -1)
		return -1;
	name_own(s);
	look_for_subscriptions(s);
	config = (struct tasks_config){
	    .state_dir = s->conf->state_dir,
	    .subscriptions_dir = s->conf->subscriptions_dir,
	    .own = s->own,
	    .max_runs = s->conf->max_runs,
	    .main = s->setup->main,
	    .loop = s->loop,
	};
	s->tasks = tasks_new(&config, e);
	if (s->tasks == NULL || hire_courier(s, e) == -1 ||
	    tasks_load(s->tasks, s->conf->tasks_dir, &s->conf->defaults,
		now_us(), e) == -1)
		return -1;
	return open_control(s, e);
}

static void
tear_down(struct service *s)
{
	console_close(s->control);
	courier_free(s->courier);
	tasks_free(s->tasks);
	if (s->signals != -1)
		close(s->signals);
	loop_free(s->loop);
	if (s->lock != -1)
		close(s->lock);
	daemon_conf_free(s->conf);
}

static void
tell_manager(struct service *s)
{
	uint64_t now = clock_mono_ms(), every = notify_watchdog_ms();
	unsigned running = tasks_running(s->tasks);

	if (every > 0 && now - s->alive_ms >= every) {
		notify_alive();
		s->alive_ms = now;
	}
	if (running == s->shown)
		return;
	s->shown = running;
	notify_status(
	    "%zu tasks, %u of them running", tasks_count(s->tasks), running);
}

/* Until all runs have ended, once it is to end. */
static bool
goes_on(struct service *s)
{
	uint64_t past;

	if (!s->ending)
		return true;
	past = clock_mono_ms() - s->ending_ms;
	if (!s->gave_up && past > GRACE_MS)
		on_end(s);
	if (past > KILL_MS)
		tasks_kill_all(s->tasks);
	if (past > LEAVE_MS)
		return false;
	return tasks_running(s->tasks) > 0 || courier_is_up(s->courier);
}

static int
serve(struct service *s, struct err *e)
{
	uint64_t every = notify_watchdog_ms();

	while (goes_on(s)) {
		uint64_t wait = tasks_tick(s->tasks, now_us());
		uint64_t events = courier_tick(s->courier, clock_mono_ms());

		console_tick(s->control, clock_mono_ms());
		tell_manager(s);
		if (wait > events)
			wait = events;
		if (wait > TICK_MAX_MS)
			wait = TICK_MAX_MS;
		if (every > 0 && wait > every / 2)
			wait = every / 2;
		if (s->ending && wait > 500)
			wait = 500;
		if (loop_wait(s->loop, (int)wait, e) == -1)
			return -1;
	}
	return 0;
}

int
daemon_run(const struct daemon_setup *setup, struct err *e)
{
	struct service s = {
	    .setup = setup,
	    .lock = -1,
	    .signals = -1,
	    .shown = UINT32_MAX,
	};
	int rc;

	notify_init();
	rc = set_up(&s, e);
	if (rc == 0) {
		log_info("serves %zu tasks", tasks_count(s.tasks));
		notify_ready();
		rc = serve(&s, e);
	}
	tear_down(&s);
	return rc;
}
