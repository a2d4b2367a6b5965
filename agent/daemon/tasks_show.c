/* SPDX-License-Identifier: ISC */
/* What others see of the tasks. */
#include "config.h"

#include <string.h>

#include "agent/daemon/tasks_in.h"
#include "base/clock.h"

static const char *
state_of(const struct tasks *t, const struct task *task)
{
	const struct schedule_state *s = &task->memory.schedule;

	if (task->run != NULL)
		return run_stops(task->run) > 0 ? "stopping" : "running";
	/* A run does not outlive its daemon. */
	if (s->running && t->config.main == NULL)
		return "cut off";
	if (task->conf == NULL)
		return "broken";
	if (task->queued != 0 || s->asked)
		return "queued";
	if (!task->conf->enabled)
		return "disabled";
	if (s->paused)
		return "paused";
	return s->held ? "held" : "idle";
}

static void
show_time(struct json *j, const char *key, int64_t us)
{
	char when[32];

	if (us == 0 || us == SCHEDULE_NEVER)
		return;
	clock_iso8601(us * 1000, when, sizeof(when));
	json_str(j, key, when);
}

static void
show_next(const struct task *task, struct json *j)
{
	if (task->conf == NULL || task->run != NULL || !task->conf->enabled)
		return;
	if (task->next.act == SCHEDULE_WAIT)
		show_time(j, "next", task->next.at_us);
	json_str(j, "why", schedule_why_name(task->next.why));
}

static void
show(const struct tasks *t, const struct task *task, struct json *j)
{
	const struct memory *m = &task->memory;

	json_object(j, NULL);
	json_str(j, "task", task->name);
	json_str(j, "state", state_of(t, task));
	if (task->conf != NULL) {
		json_name(j, "source", task->conf->source,
		    strlen(task->conf->source));
		json_name(j, "target", task->conf->target,
		    strlen(task->conf->target));
	}
	if (task->broken[0] != '\0')
		json_str(j, "error", task->broken);
	show_next(task, j);
	show_time(j, "begun", m->begun_us);
	if (!m->schedule.running)
		show_time(j, "ended", m->ended_us);
	if (m->outcome[0] != '\0')
		json_str(j, "outcome", m->outcome);
	if (m->message[0] != '\0')
		json_str(j, "message", m->message);
	json_uint(j, "failures", m->schedule.failures);
	if (task->watch != NULL)
		watch_show(task->watch, j);
	if (task->run != NULL) {
		json_uint(j, "pid", (uint64_t)run_pid(task->run));
		if (run_progress(task->run) != NULL)
			json_value(j, "progress", run_progress(task->run));
	}
	json_object_end(j);
}

int
tasks_show(
    const struct tasks *t, const char *name, struct json *j, struct err *e)
{
	size_t i;

	if (name != NULL && tasks_named(t, name, e) == NULL)
		return -1;
	for (i = 0; i < t->n; i++)
		if (name == NULL || strcmp(t->all[i]->name, name) == 0)
			show(t, t->all[i], j);
	return 0;
}
