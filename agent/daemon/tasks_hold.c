/* SPDX-License-Identifier: ISC */
/* What the courier does for the tasks: others are told of those that are held,
 * and archives are gone on with. */
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
		t->told = task->holds;
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

	/* Held anew meanwhile: that is yet to be told. */
	if (task == NULL || task->holds != t->told)
		return;
	task->memory.untold = false;
	if (tasks_keep(t, task, &e) == -1)
		log_error("task=%s: that others know of its hold can't be "
			  "kept: %s",
		    task->name, e.msg);
}

bool
tasks_archive(void *arg)
{
	static const char word[] = "--events-archive=";
	const struct tasks *t = arg;
	size_t i, k;

	for (i = 0; i < t->n; i++) {
		const struct task *task = t->all[i];

		/* What no run has begun nobody can go on with. */
		if (task->conf == NULL || task->memory.outcome[0] == '\0')
			continue;
		for (k = 0; k < task->conf->options.n; k++)
			if (strncmp(task->conf->options.words[k], word,
				strlen(word)) == 0)
				return true;
	}
	return false;
}
