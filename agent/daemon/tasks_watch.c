/* SPDX-License-Identifier: ISC */
/* What the watch over a task's source has seen, and the runs for that. */
#include "config.h"

#include "agent/daemon/conf_words.h"
#include "agent/daemon/hints.h"
#include "agent/daemon/tasks_in.h"
#include "base/clock.h"
#include "base/log.h"

#define CHANGES_FILE "/proc/self/fd/4"
_Static_assert(RUN_PASSED_FD == 4, "the run's name of it");

void
task_watch(struct task *task, const struct tasks_config *config)
{
	const struct task_conf *conf = task->conf;
	struct err e = ERR_INIT;

	if (config->main == NULL)
		return;
	if (conf != NULL &&
	    (conf->watch == WATCH_NO || !conf->enabled || task->gone))
		conf = NULL;
	if (task->watch != NULL) {
		watch_set(task->watch, conf);
	} else if (conf != NULL) {
		task->watch = watch_new(conf, config->own, config->loop, &e);
		if (conf->schedule.n == 0 && conf->schedule.every_us == 0)
			log_warn("task=%s: watch, but no schedule: what no "
				 "watch sees (dray-task(5), WATCH) is never "
				 "looked for",
			    task->name);
	}
	if (e.kind != ERR_NONE)
		log_error("task=%s: can't be watched: %s", task->name, e.msg);
}

int64_t
task_changes_us(const struct task *task, int64_t now_us)
{
	uint64_t now_ms = clock_mono_ms(), at = HINTS_NEVER;

	if (task->watch != NULL && task->run == NULL)
		at = watch_due(task->watch, now_ms);
	if (at == HINTS_NEVER)
		return 0;
	return at > now_ms ? now_us + (int64_t)(at - now_ms) * 1000 : now_us;
}

/* Whether the run that begins is for what the watch has seen, and no more. */
static bool
is_for_changes(const struct task *task)
{
	const struct schedule_state *s = &task->memory.schedule;

	return task->watch != NULL && !s->asked &&
	    (task->next.why == SCHEDULE_CHANGES ||
		(task->next.why == SCHEDULE_RETRY && s->on_changes));
}

int
task_changes_begin(struct task *task, int64_t now_us)
{
	struct schedule_state *s = &task->memory.schedule;
	struct err e = ERR_INIT;
	int fd = -1, rc = 0;

	if (is_for_changes(task))
		rc = watch_take(task->watch, clock_mono_ms(), &fd, &e);
	else if (task->watch != NULL)
		watch_take_all(task->watch);
	if (rc == -1) {
		log_warn("task=%s: all is looked at: %s", task->name, e.msg);
		watch_take_all(task->watch);
	}
	if (rc == 1)
		schedule_started_on_changes(s);
	else
		schedule_started(s, now_us);
	return fd;
}

int
task_changes_word(struct conf_words *w, struct err *e)
{
	if (conf_words_add(w, "--changed-from", CHANGES_FILE, e) == -1)
		return -1;
	return conf_words_add(w, "--from0", NULL, e);
}

void
task_changes_ended(struct task *task, enum schedule_end end)
{
	if (task->watch == NULL)
		return;
	if (end == SCHEDULE_DONE)
		watch_done(task->watch);
	else
		watch_return(task->watch, task->stop == STOP_BY_HAND);
}

uint64_t
tasks_watch_tick(struct tasks *t, uint64_t wait_ms)
{
	uint64_t now_ms = clock_mono_ms();
	size_t i;

	for (i = 0; i < t->n; i++) {
		uint64_t ms = wait_ms;

		if (t->all[i]->watch != NULL)
			ms = watch_tick(t->all[i]->watch, now_ms);
		if (ms < wait_ms)
			wait_ms = ms;
	}
	return wait_ms;
}
