/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/daemon/tasks.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define TICK_MS 5000 /* the clock may be set meanwhile */

struct task {
	char *name;
	struct task_conf *conf; /* NULL: broken */
	struct memory memory;
	struct run *run;  /* NULL: doesn't run */
	uint64_t queued;  /* its number in the queue; 0: not in it */
	bool gone;	  /* its file is */
	bool seen;	  /* while files are read */
	char broken[500]; /* why its file is; "" if it isn't */
};

struct tasks {
	struct tasks_config config;
	struct task **all; /* by name */
	size_t n;
	uint64_t serial; /* of the queue */
	bool ending;
};

static void
task_free(struct task *t)
{
	if (t == NULL)
		return;
	run_free(t->run);
	task_conf_free(t->conf);
	free(t->name);
	free(t);
}

struct tasks *
tasks_new(const struct tasks_config *config, struct err *e)
{
	struct tasks *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	t->config = *config;
	return t;
}

void
tasks_free(struct tasks *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++)
		task_free(t->all[i]);
	free(t->all);
	free(t);
}

static struct task *
find(const struct tasks *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->all[i]->name, name) == 0)
			return t->all[i];
	return NULL;
}

static struct task *
named(const struct tasks *t, const char *name, struct err *e)
{
	struct task *task = find(t, name);

	if (task == NULL)
		err_set(e, ERR_NOTFOUND,
		    "no task \"%.100s\"; see dray task list", name);
	return task;
}

/* What can't be kept is forgotten with the daemon: told, no more. */
static void
remember(const struct tasks *t, const struct task *task)
{
	struct err e = ERR_INIT;

	if (t->config.main == NULL)
		return;
	if (memory_write(t->config.state_dir, task->name, &task->memory, &e) ==
	    -1)
		log_error("task %s: what became of it can't be kept: %s",
		    task->name, e.msg);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    (*(struct task *const *)a)->name, (*(struct task *const *)b)->name);
}

/* The task of that name, made if there is none yet. */
static struct task *
provide(struct tasks *t, const char *name, struct err *e)
{
	struct task *task = find(t, name), **more;

	if (task != NULL)
		return task;
	more = realloc(t->all, (t->n + 1) * sizeof(*more));
	if (more != NULL)
		t->all = more;
	task = more != NULL ? calloc(1, sizeof(*task)) : NULL;
	if (task == NULL || (task->name = strdup(name)) == NULL) {
		free(task);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (memory_read(t->config.state_dir, name, &task->memory, e) == -1)
		log_warn("task %s: %s; it begins anew", name, e->msg);
	t->all[t->n++] = task;
	return task;
}

static void
take_conf(struct tasks *t, struct task_conf *conf, int64_t now_s)
{
	struct err e = ERR_INIT;
	struct task *task = provide(t, conf->name, &e);

	if (task == NULL) {
		log_error("task %s: %s", conf->name, e.msg);
		task_conf_free(conf);
		return;
	}
	task_conf_free(task->conf);
	task->conf = conf;
	task->broken[0] = '\0';
	task->seen = true;
	task->gone = false;
	if (task->memory.since_s == 0) {
		task->memory.since_s = now_s;
		remember(t, task);
	}
}

static void
on_bad(void *arg, const char *name, const struct err *why)
{
	struct tasks *t = arg;
	struct err e = ERR_INIT;
	struct task *task = provide(t, name, &e);

	if (task == NULL) {
		log_error("%s", why->msg);
		return;
	}
	if (t->config.main != NULL)
		log_error("%s; task %s %s", why->msg, name,
		    task->conf != NULL ? "stays as it was" : "doesn't run");
	snprintf(task->broken, sizeof(task->broken), "%s", why->msg);
	task->seen = true;
	task->gone = false;
}

/* Those whose files are gone, and which don't run. */
static void
drop_gone(struct tasks *t)
{
	size_t i, kept = 0;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->gone && task->run == NULL)
			task_free(task);
		else
			t->all[kept++] = task;
	}
	t->n = kept;
}

int
tasks_load(struct tasks *t, const char *dir, const struct conf_words *defaults,
    struct err *e)
{
	struct task_conf **confs = NULL;
	int64_t now_s = clock_wall_ns() / 1000000000;
	size_t n, i;

	for (i = 0; i < t->n; i++)
		t->all[i]->seen = false;
	if (task_conf_load_all(dir, defaults, on_bad, t, &confs, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		take_conf(t, confs[i], now_s);
	free(confs);
	for (i = 0; i < t->n; i++)
		t->all[i]->gone = !t->all[i]->seen;
	drop_gone(t);
	if (t->n > 0)
		qsort(t->all, t->n, sizeof(*t->all), by_name);
	return 0;
}

static enum task_state
state_of(const struct task *task)
{
	if (task->run != NULL)
		return run_stops(task->run) > 0 ? TASK_STOPPING : TASK_RUNNING;
	if (task->conf == NULL)
		return TASK_BROKEN;
	if (task->queued != 0)
		return TASK_QUEUED;
	if (!task->conf->enabled)
		return TASK_DISABLED;
	if (task->memory.paused)
		return TASK_PAUSED;
	return task->memory.held ? TASK_HELD : TASK_IDLE;
}

unsigned
tasks_running(const struct tasks *t)
{
	unsigned running = 0;
	size_t i;

	for (i = 0; i < t->n; i++)
		running += t->all[i]->run != NULL;
	return running;
}

size_t
tasks_count(const struct tasks *t)
{
	return t->n;
}

void
tasks_set_limit(struct tasks *t, unsigned max_runs)
{
	t->config.max_runs = max_runs;
}

/* A run that could not even begin counts as one that failed. */
static void
count_failure(struct task *task)
{
	struct memory *m = &task->memory;

	m->failures++;
	if (task->conf == NULL || task->conf->hold_after == 0 ||
	    m->failures < task->conf->hold_after || m->held)
		return;
	m->held = true;
	log_error("task %s: %u runs in a row failed, the last one: %s; it is "
		  "held until dray task resume %s",
	    task->name, m->failures,
	    m->message[0] != '\0' ? m->message : m->outcome, task->name);
}

static void
begin(struct tasks *t, struct task *task, int64_t now_s)
{
	struct memory *m = &task->memory;
	struct run_order order = {
	    .task = task->conf,
	    .state_dir = t->config.state_dir,
	    .subscriptions_dir = t->config.subscriptions_dir,
	    .main = t->config.main,
	};
	struct err e = ERR_INIT;

	task->queued = 0;
	m->begun_s = now_s;
	m->ended_s = 0;
	remember(t, task);
	task->run = run_start(&order, t->config.loop, &e);
	if (task->run != NULL) {
		log_info("task %s: begins (process %ld)", task->name,
		    (long)run_pid(task->run));
		return;
	}
	log_error("task %s: can't be started: %s", task->name, e.msg);
	m->ended_s = now_s;
	snprintf(m->outcome, sizeof(m->outcome), "failed");
	snprintf(m->message, sizeof(m->message), "%s", e.msg);
	count_failure(task);
	remember(t, task);
}

/* The one that waits longest, or NULL. */
static struct task *
first_in_queue(const struct tasks *t)
{
	struct task *first = NULL;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->queued != 0 && task->run == NULL &&
		    (first == NULL || task->queued < first->queued))
			first = task;
	}
	return first;
}

uint64_t
tasks_tick(struct tasks *t, int64_t now_s)
{
	struct task *next;

	while (!t->ending && tasks_running(t) < t->config.max_runs &&
	    (next = first_in_queue(t)) != NULL)
		begin(t, next, now_s);
	return TICK_MS;
}

static bool
is_failure(const struct run_end *end)
{
	/* 0: all is well, 5: sources changed meanwhile, 6: the window's end,
	 * 130: it was told to stop. */
	return end->exit_code != 0 && end->exit_code != 5 &&
	    end->exit_code != 6 && end->exit_code != 130;
}

static void
over(struct tasks *t, struct task *task, int status, int64_t now_s)
{
	struct memory *m = &task->memory;
	struct run_end end;

	run_reaped(task->run, status, &end);
	run_free(TAKE(task->run));
	m->ended_s = now_s;
	if (end.outcome[0] == '\0')
		snprintf(end.outcome, sizeof(end.outcome), "%s",
		    end.exit_code == 130 ? "interrupted" : "failed");
	if (end.exit_code == -1)
		snprintf(end.message, sizeof(end.message),
		    "its process was killed by signal %d (%s)", end.signal,
		    strsignal(end.signal));
	snprintf(m->outcome, sizeof(m->outcome), "%s", end.outcome);
	snprintf(m->message, sizeof(m->message), "%s",
	    is_failure(&end) ? end.message : "");
	log_line(is_failure(&end) ? LOG_ERROR : LOG_INFO,
	    "task %s: run %llu ended: %s%s%s", task->name,
	    (unsigned long long)end.run, m->outcome,
	    m->message[0] != '\0' ? ": " : "", m->message);
	if (is_failure(&end))
		count_failure(task);
	else if (end.exit_code != 130)
		m->failures = 0;
	remember(t, task);
}

void
tasks_reap(struct tasks *t, int64_t now_s)
{
	size_t i;
	int status;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->run != NULL &&
		    waitpid(run_pid(task->run), &status, WNOHANG) > 0)
			over(t, task, status, now_s);
	}
	drop_gone(t);
}

void
tasks_stop_all(struct tasks *t)
{
	size_t i;

	t->ending = true;
	for (i = 0; i < t->n; i++)
		if (t->all[i]->run != NULL)
			run_stop(t->all[i]->run);
}

int
tasks_start(struct tasks *t, const char *name, struct err *e)
{
	struct task *task = named(t, name, e);

	if (task == NULL)
		return -1;
	if (task->conf == NULL)
		return err_set(e, ERR_CONFIG, "%s", task->broken);
	if (task->run != NULL || task->queued != 0)
		return err_set(e, ERR_BUSY, "task %s %s already", name,
		    task->run != NULL ? "runs" : "is in the queue");
	task->queued = ++t->serial;
	return 0;
}

int
tasks_stop(struct tasks *t, const char *name, struct err *e)
{
	struct task *task = named(t, name, e);

	if (task == NULL)
		return -1;
	if (task->run == NULL && task->queued == 0)
		return err_set(e, ERR_NOTFOUND, "task %s doesn't run", name);
	task->queued = 0;
	if (task->run != NULL)
		run_stop(task->run);
	return 0;
}

int
tasks_pause(struct tasks *t, const char *name, bool paused, struct err *e)
{
	struct task *task = named(t, name, e);

	if (task == NULL)
		return -1;
	task->memory.paused = paused;
	if (paused) {
		task->queued = 0;
	} else {
		task->memory.held = false;
		task->memory.failures = 0;
	}
	remember(t, task);
	return 0;
}

static void
show_time(struct json *j, const char *key, int64_t s)
{
	char when[32];

	if (s == 0)
		return;
	clock_iso8601(s * 1000000000, when, sizeof(when));
	json_str(j, key, when);
}

static void
show(const struct task *task, struct json *j)
{
	static const char *const words[] = {
	    [TASK_IDLE] = "idle",
	    [TASK_QUEUED] = "queued",
	    [TASK_RUNNING] = "running",
	    [TASK_STOPPING] = "stopping",
	    [TASK_PAUSED] = "paused",
	    [TASK_HELD] = "held",
	    [TASK_DISABLED] = "disabled",
	    [TASK_BROKEN] = "broken",
	};
	const struct memory *m = &task->memory;

	json_object(j, NULL);
	json_str(j, "task", task->name);
	json_str(j, "state", words[state_of(task)]);
	if (task->conf != NULL) {
		json_name(j, "source", task->conf->source,
		    strlen(task->conf->source));
		json_name(j, "target", task->conf->target,
		    strlen(task->conf->target));
	}
	if (task->broken[0] != '\0')
		json_str(j, "error", task->broken);
	show_time(j, "begun", m->begun_s);
	show_time(j, "ended", m->ended_s);
	if (m->outcome[0] != '\0')
		json_str(j, "outcome", m->outcome);
	if (m->message[0] != '\0')
		json_str(j, "message", m->message);
	json_uint(j, "failures", m->failures);
	if (task->run != NULL) {
		json_uint(j, "pid", (uint64_t)run_pid(task->run));
		if (run_progress(task->run)[0] != '\0')
			json_raw(j, "progress", run_progress(task->run));
	}
	json_object_end(j);
}

int
tasks_show(
    const struct tasks *t, const char *name, struct json *j, struct err *e)
{
	size_t i;

	if (name != NULL && named(t, name, e) == NULL)
		return -1;
	for (i = 0; i < t->n; i++)
		if (name == NULL || strcmp(t->all[i]->name, name) == 0)
			show(t->all[i], j);
	return 0;
}
