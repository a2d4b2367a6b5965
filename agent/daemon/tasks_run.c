/* SPDX-License-Identifier: ISC */
/* Runs of the tasks: which begins when, and what their ends mean. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "agent/daemon/conf_words.h"
#include "agent/daemon/tasks_in.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define TICK_MS 5000 /* the clock may be set meanwhile */

void
task_decide(struct tasks *t, struct task *task, int64_t now_us)
{
	struct schedule_state *s = &task->memory.schedule;
	bool changed = false, may;

	if (task->conf == NULL || task->gone)
		return;
	s->changes_us = task_changes_us(task, now_us);
	task->next =
	    schedule_decide(&task->conf->schedule, s, now_us, &changed);
	if (changed) {
		log_warn("task=%s: the clock was put back", task->name);
		task_remember(t, task);
	}
	if (t->config.main == NULL)
		return;
	may = task->conf->enabled || s->asked;
	if (task->next.act == SCHEDULE_STOP && task->run != NULL &&
	    task->stop == STOP_NOBODY) {
		log_info("task=%s: its window is over", task->name);
		task->stop = STOP_BY_WINDOW;
		run_end_window(task->run);
	}
	if (task->next.act != SCHEDULE_START || !may)
		task->queued = 0;
	else if (task->queued == 0 && task->run == NULL)
		task->queued = ++t->serial;
}

static uint64_t
any_bits(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		bits = (uint64_t)clock_wall_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

/* The run is over, as END says; what the schedule makes of it. */
static void
ended(struct tasks *t, struct task *task, enum schedule_end end, int64_t now_us)
{
	struct schedule_state *s = &task->memory.schedule;
	bool was_held = s->held;

	task->memory.ended_us = now_us;
	task_changes_ended(task, end);
	if (task->conf != NULL)
		schedule_ended(
		    &task->conf->schedule, s, end, now_us, any_bits());
	task->memory.untold = s->held;
	task->holds += s->held;
	if (s->held && !was_held)
		log_error("task=%s failures=%u: held until dray task resume %s",
		    task->name, s->failures, task->name);
	task_remember(t, task);
}

int
tasks_words(const struct tasks *t, const struct task *task,
    struct conf_words *w, struct err *e)
{
	const struct {
		const char *name, *value;
	} own[] = {
	    {"--json", NULL},
	    {"--no-items", NULL},
	    {"--task", task->name},
	    {"--state-dir", t->config.state_dir},
	    {"--", NULL},
	    {task->conf->source, NULL},
	    {task->conf->target, NULL},
	};
	size_t i;

	if (conf_words_copy(w, &task->conf->options, e) == -1 ||
	    conf_words_add_subscriptions(w, t->config.subscriptions_dir, e) ==
		-1)
		return -1;
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (conf_words_add(w, own[i].name, own[i].value, e) == -1)
			return -1;
	return 0;
}

static struct run *
start(
    const struct tasks *t, const struct task *task, int changes, struct err *e)
{
	struct conf_words words = {.n = 0};
	AUTO(buf) struct buf title = BUF_INIT(256);
	struct run *r = NULL;

	buf_addf(&title, "task=%s", task->name);
	if ((changes == -1 || task_changes_word(&words, e) == 0) &&
	    tasks_words(t, task, &words, e) == 0) {
		struct run_order order = {
		    .title = buf_str(&title),
		    .verb = task->conf->verb,
		    .words = words.words,
		    .words_n = words.n,
		    .timezone = task->conf->timezone,
		    .takes_orders = true,
		    .passed = changes != -1 ? changes : 0,
		    .main = t->config.main,
		};

		r = run_start(&order, t->config.loop, e);
	}
	conf_words_free(&words);
	return r;
}

static void
begin(struct tasks *t, struct task *task, int64_t now_us)
{
	AUTO(close) int changes = task_changes_begin(task, now_us);
	struct memory *m = &task->memory;
	struct err e = ERR_INIT;

	task->queued = 0;
	task->stop = STOP_NOBODY;
	m->begun_us = now_us;
	task_remember(t, task);
	task->run = start(t, task, changes, &e);
	if (task->run != NULL) {
		log_info("task=%s pid=%ld: begins", task->name,
		    (long)run_pid(task->run));
		return;
	}
	log_error("task=%s: can't be started: %s", task->name, e.msg);
	snprintf(m->outcome, sizeof(m->outcome), "failed");
	snprintf(m->message, sizeof(m->message), "%s", e.msg);
	ended(t, task, SCHEDULE_FAILED, now_us);
}

/* The one that waits longest, or NULL. */
static struct task *
first_in_queue(const struct tasks *t)
{
	struct task *first = NULL;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->queued != 0 && task->run == NULL && !task->gone &&
		    (first == NULL || task->queued < first->queued))
			first = task;
	}
	return first;
}

uint64_t
tasks_tick(struct tasks *t, int64_t now_us)
{
	uint64_t wait = TICK_MS;
	struct task *next;
	size_t i;

	if (t->ending)
		return wait;
	for (i = 0; i < t->n; i++)
		task_decide(t, t->all[i], now_us);
	wait = tasks_watch_tick(t, wait);
	while (tasks_running(t) < t->config.max_runs &&
	    (next = first_in_queue(t)) != NULL)
		begin(t, next, now_us);
	for (i = 0; i < t->n; i++) {
		int64_t at = t->all[i]->next.at_us;
		uint64_t ms =
		    at > now_us ? (uint64_t)(at - now_us) / 1000 + 1 : 0;

		if (t->all[i]->next.act == SCHEDULE_WAIT && at > now_us &&
		    ms < wait)
			wait = ms;
	}
	return wait;
}

/* Exit statuses of dray sync: dray(1), EXIT STATUS. */
static enum schedule_end
end_of(const struct task *task, const struct run_end *end)
{
	/* It had no time to end by itself. */
	if (end->exit_code == -1 && task->stop != STOP_NOBODY)
		return task->stop == STOP_BY_HAND ? SCHEDULE_CANCELLED
						  : SCHEDULE_CUT;
	switch (end->exit_code) {
	case 0:
	case 5: /* some sources changed meanwhile */
		return SCHEDULE_DONE;
	case 2:
		return SCHEDULE_HOPELESS;
	case 6: /* a window's end, or its own --max-duration */
		return task->stop == STOP_BY_WINDOW ? SCHEDULE_CUT
						    : SCHEDULE_CANCELLED;
	case 130:
		return task->stop == STOP_BY_HAND ? SCHEDULE_CANCELLED
						  : SCHEDULE_CUT;
	default:
		return SCHEDULE_FAILED;
	}
}

static const char *
outcome_of(const struct task *task, const struct run_end *end)
{
	if (end->exit_code == 130 && task->stop == STOP_BY_WINDOW)
		return "window";
	if (end->outcome[0] != '\0')
		return end->outcome;
	return end->exit_code == 130 ? "interrupted" : "failed";
}

/* What the run itself has said of its failure is not said again. */
static void
log_end(const struct task *task, const struct run_end *end, bool failed)
{
	const char *message = failed && !end->said ? end->message : "";
	enum log_level level = LOG_INFO;
	char run[32] = "";

	if (failed)
		level = end->said ? LOG_WARN : LOG_ERROR;
	if (end->run != 0)
		snprintf(run, sizeof(run), " run=%llu",
		    (unsigned long long)end->run);
	log_line(level, "task=%s%s outcome=%s exit=%d: ended%s%s", task->name,
	    run, task->memory.outcome, end->exit_code,
	    message[0] != '\0' ? ": " : "", message);
}

static void
over(struct tasks *t, struct task *task, int status, int64_t now_us)
{
	struct memory *m = &task->memory;
	enum schedule_end how;
	struct run_end end;
	bool failed;

	run_reaped(task->run, status, &end);
	run_free(TAKE(task->run));
	if (end.exit_code == -1) {
		snprintf(end.message, sizeof(end.message),
		    "its process was killed by signal %d (%s)", end.signal,
		    strsignal(end.signal));
		end.said = false;
	}
	how = end_of(task, &end);
	failed = how == SCHEDULE_FAILED || how == SCHEDULE_HOPELESS;
	snprintf(m->outcome, sizeof(m->outcome), "%s", outcome_of(task, &end));
	snprintf(
	    m->message, sizeof(m->message), "%s", failed ? end.message : "");
	log_end(task, &end, failed);
	ended(t, task, how, now_us);
}

void
tasks_reap(struct tasks *t, int64_t now_us)
{
	size_t i;
	int status;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->watch != NULL)
			watch_reap(task->watch, clock_mono_ms());
		if (task->run != NULL &&
		    waitpid(run_pid(task->run), &status, WNOHANG) > 0)
			over(t, task, status, now_us);
	}
	tasks_drop_gone(t);
}

void
tasks_kill_all(struct tasks *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->all[i]->run != NULL)
			run_kill(t->all[i]->run);
}

void
tasks_stop_all(struct tasks *t)
{
	size_t i;

	t->ending = true;
	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->run == NULL)
			continue;
		if (task->stop == STOP_NOBODY)
			task->stop = STOP_BY_END;
		run_stop(task->run);
	}
}
