/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/tasks_in.h"
#include "base/log.h"

static void
task_free(struct task *t)
{
	if (t == NULL)
		return;
	run_free(t->run);
	watch_free(t->watch);
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

struct task *
tasks_named(const struct tasks *t, const char *name, struct err *e)
{
	struct task *task = find(t, name);

	if (task == NULL)
		err_set(e, ERR_NOTFOUND,
		    "no task \"%.100s\"; see dray task list", name);
	return task;
}

int
tasks_find(const struct tasks *t, const char *name, struct err *e)
{
	return tasks_named(t, name, e) != NULL ? 0 : -1;
}

int
tasks_keep(const struct tasks *t, const struct task *task, struct err *e)
{
	if (t->config.main == NULL)
		return 0;
	return memory_write(t->config.state_dir, task->name, &task->memory, e);
}

void
task_remember(const struct tasks *t, const struct task *task)
{
	struct err e = ERR_INIT;

	if (tasks_keep(t, task, &e) == -1)
		log_error("task=%s: what became of it can't be kept: %s",
		    task->name, e.msg);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    (*(struct task *const *)a)->name, (*(struct task *const *)b)->name);
}

/* The daemon before this one was killed. */
static void
cut_off(struct tasks *t, struct task *task)
{
	schedule_interrupted(&task->memory.schedule, t->now_us);
	task->memory.ended_us = t->now_us;
	snprintf(task->memory.outcome, sizeof(task->memory.outcome), "cut off");
	task_remember(t, task);
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
	if (memory_read(t->config.state_dir, name, &task->memory, e) == -1) {
		/* It may have been paused, or held. */
		log_error("task=%s: what became of it can't be read: %s; it is "
			  "paused until dray task resume %s",
		    name, e->msg, name);
		task->memory.schedule.paused = true;
	}
	if (task->memory.schedule.running && t->config.main != NULL)
		cut_off(t, task);
	t->all[t->n++] = task;
	return task;
}

static void
take_conf(struct tasks *t, struct task_conf *conf, int64_t now_us)
{
	struct err e = ERR_INIT;
	struct task *task = provide(t, conf->name, &e);

	if (task == NULL) {
		log_error("task=%s: %s", conf->name, e.msg);
		task_conf_free(conf);
		return;
	}
	task_conf_free(task->conf);
	task->conf = conf;
	task->broken[0] = '\0';
	task->seen = true;
	task->gone = false;
	/* What an earlier plan missed is no matter of this one. */
	if (task->memory.schedule.since_us == 0 ||
	    strcmp(task->memory.plan, conf->plan) != 0) {
		schedule_begin(&task->memory.schedule, now_us);
		snprintf(task->memory.plan, sizeof(task->memory.plan), "%s",
		    conf->plan);
		task_remember(t, task);
	}
}

static void
on_bad(void *arg, const char *name, const struct err *why)
{
	struct tasks *t = arg;
	struct err e = ERR_INIT;
	struct task *task = provide(t, name, &e);

	if (task == NULL) {
		log_error("task=%s: %s", name, why->msg);
		return;
	}
	if (t->config.main != NULL)
		log_error("task=%s: %s; it %s", name, why->msg,
		    task->conf != NULL ? "stays as it was" : "doesn't run");
	snprintf(task->broken, sizeof(task->broken), "%s", why->msg);
	task->seen = true;
	task->gone = false;
}

void
tasks_drop_gone(struct tasks *t)
{
	size_t i, kept = 0;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (task->gone && task->run == NULL &&
		    (task->watch == NULL || !watch_is_up(task->watch)))
			task_free(task);
		else
			t->all[kept++] = task;
	}
	t->n = kept;
}

int
tasks_load(struct tasks *t, const char *dir, const struct conf_words *defaults,
    int64_t now_us, struct err *e)
{
	struct task_conf **confs = NULL;
	size_t n, i;

	t->now_us = now_us;
	for (i = 0; i < t->n; i++)
		t->all[i]->seen = false;
	if (task_conf_load_all(dir, defaults, on_bad, t, &confs, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		take_conf(t, confs[i], now_us);
	free(confs);
	for (i = 0; i < t->n; i++) {
		t->all[i]->gone = !t->all[i]->seen;
		task_watch(t->all[i], &t->config);
	}
	tasks_drop_gone(t);
	if (t->n > 0)
		qsort(t->all, t->n, sizeof(*t->all), by_name);
	for (i = 0; i < t->n; i++)
		task_decide(t, t->all[i], now_us);
	return 0;
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

const char *
tasks_state_dir(const struct tasks *t)
{
	return t->config.state_dir;
}

void
tasks_set_limit(struct tasks *t, unsigned max_runs)
{
	t->config.max_runs = max_runs;
}
