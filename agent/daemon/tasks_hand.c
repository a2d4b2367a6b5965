/* SPDX-License-Identifier: ISC */
/* What people do to the tasks. */
#include "config.h"

#include <string.h>

#include "agent/bwlimit.h"
#include "agent/daemon/tasks_in.h"
#include "base/buf.h"
#include "base/log.h"

/* What was changed counts once it is durable; else all is as it WAS. */
static int
keep(const struct tasks *t, struct task *task, const struct schedule_state *was,
    struct err *e)
{
	if (tasks_keep(t, task, e) == 0)
		return 0;
	task->memory.schedule = *was;
	return err_context(e,
	    "task %s stays as it was, as nothing else can be recorded",
	    task->name);
}

int
tasks_start(struct tasks *t, const char *name, struct err *e)
{
	struct task *task = tasks_named(t, name, e);
	struct schedule_state was;

	if (task == NULL)
		return -1;
	if (task->conf == NULL)
		return err_set(e, ERR_CONFIG, "%s", task->broken);
	if (task->run != NULL || task->queued != 0 ||
	    task->memory.schedule.asked)
		return err_set(e, ERR_BUSY, "task %s %s already", name,
		    task->run != NULL ? "runs" : "is in the queue");
	was = task->memory.schedule;
	schedule_ask(&task->memory.schedule);
	return keep(t, task, &was, e);
}

int
tasks_stop(struct tasks *t, const char *name, int64_t now_us, struct err *e)
{
	struct task *task = tasks_named(t, name, e);
	struct schedule_state *s, was;

	if (task == NULL)
		return -1;
	s = &task->memory.schedule;
	if (task->run != NULL) {
		task->stop = STOP_BY_HAND;
		run_stop(task->run);
		return 0;
	}
	if (task->queued == 0 && !s->asked && !s->unfinished &&
	    s->retry_us == 0)
		return err_set(e, ERR_CONFLICT, "task %s doesn't run", name);
	/* Not before its next time. */
	was = *s;
	s->asked = s->unfinished = false;
	s->retry_us = 0;
	schedule_begin(s, now_us);
	if (keep(t, task, &was, e) == -1)
		return -1;
	task->queued = 0;
	if (task->watch != NULL)
		watch_rest(task->watch);
	return 0;
}

int
tasks_set(struct tasks *t, const char *name, const char *key, const char *value,
    struct err *e)
{
	struct task *task = tasks_named(t, name, e);
	AUTO(buf) struct buf order = BUF_INIT(4096);
	uint64_t rate;
	struct json j;

	if (task == NULL)
		return -1;
	if (strcmp(key, "bwlimit") != 0)
		return err_set(e, ERR_USAGE,
		    "%.100s: only bwlimit can be set while a run goes on; all "
		    "else is for the task's file",
		    key);
	if (bwlimit_parse(value, &rate, e) == -1)
		return err_context(e, "bwlimit");
	if (task->run == NULL)
		return err_set(e, ERR_CONFLICT,
		    "task %s doesn't run: set bwlimit in its file", name);
	json_begin(&j, &order);
	json_object(&j, NULL);
	json_object(&j, "set");
	json_str(&j, key, value);
	json_object_end(&j);
	json_object_end(&j);
	if (buf_failed(&order) || !run_tell(task->run, buf_str(&order)))
		return err_set(
		    e, ERR_BUSY, "task %s takes no orders now", name);
	log_info("task=%s: bwlimit %s", name, value);
	return 0;
}

int
tasks_pause(struct tasks *t, const char *name, bool paused, struct err *e)
{
	struct task *task = tasks_named(t, name, e);
	struct schedule_state was;

	if (task == NULL)
		return -1;
	was = task->memory.schedule;
	if (paused)
		task->memory.schedule.paused = true;
	else
		schedule_resume(&task->memory.schedule);
	return keep(t, task, &was, e);
}
