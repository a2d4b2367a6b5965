/* SPDX-License-Identifier: ISC */
/* Others are told of tasks that are held. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/daemon/tasks_in.h"
#include "base/log.h"

int
tasks_errand(void *arg, struct courier_errand *out, struct err *e)
{
	struct tasks *t = arg;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct task *task = t->all[i];

		if (!task->memory.untold || task->conf == NULL ||
		    task->run != NULL)
			continue;
		snprintf(t->telling, sizeof(t->telling), "task=%s", task->name);
		out->title = t->telling;
		out->verb = task->conf->verb;
		return tasks_words(t, task, &out->words, e) == 0 ? 1 : -1;
	}
	return 0;
}

void
tasks_errand_done(void *arg)
{
	struct tasks *t = arg;
	struct err e = ERR_INIT;
	struct task *task = tasks_named(t, t->telling + strlen("task="), &e);

	if (task == NULL)
		return;
	task->memory.untold = false;
	if (tasks_keep(t, task, &e) == -1)
		log_error("task=%s: that others know of its hold can't be "
			  "kept: %s",
		    task->name, e.msg);
}
