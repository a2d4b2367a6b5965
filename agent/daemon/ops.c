/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/daemon/ops.h"
#include "agent/daemon/tasks.h"
#include "base/clock.h"

/* NULL if REQUEST names none, which is not an error of every operation. */
static const char *
task_of(const struct jdoc_node *request)
{
	const struct jdoc_node *task = jdoc_member(request, "task");

	return task != NULL && task->type == JDOC_STRING &&
		strlen(task->text) == task->len
	    ? task->text
	    : NULL;
}

static void
begin(struct json *j, struct buf *reply)
{
	json_begin(j, reply);
	json_object(j, NULL);
	json_uint(j, "v", CONSOLE_VERSION);
	json_bool(j, "ok", true);
}

static int
status(struct tasks *t, const char *task, struct buf *reply, struct err *e)
{
	struct json j;

	begin(&j, reply);
	json_str(&j, "version", PACKAGE_VERSION);
	json_uint(&j, "pid", (uint64_t)getpid());
	json_uint(&j, "running", tasks_running(t));
	json_array(&j, "tasks");
	if (tasks_show(t, task, &j, e) == -1)
		return -1;
	json_array_end(&j);
	json_object_end(&j);
	return 0;
}

/* One that only does something. */
static int
act(struct tasks *t, const struct jdoc_node *op, const char *task,
    struct err *e)
{
	if (task == NULL)
		return err_set(e, ERR_USAGE, "\"task\" is missing");
	if (jdoc_is(op, "start"))
		return tasks_start(t, task, e);
	if (jdoc_is(op, "stop"))
		return tasks_stop(t, task, clock_wall_ns() / 1000, e);
	if (jdoc_is(op, "pause"))
		return tasks_pause(t, task, true, e);
	if (jdoc_is(op, "resume"))
		return tasks_pause(t, task, false, e);
	return err_set(e, ERR_UNSUPPORTED,
	    "no such \"op\"; there are status, start, stop, pause, resume");
}

void
ops_answer(void *arg, const struct jdoc_node *request, struct buf *reply)
{
	const struct jdoc_node *op = jdoc_member(request, "op");
	const char *task = task_of(request);
	struct err e = ERR_INIT;
	struct json j;
	int rc;

	if (op == NULL || op->type != JDOC_STRING) {
		rc = err_set(&e, ERR_USAGE, "\"op\" is missing");
	} else if (jdoc_is(op, "status")) {
		rc = status(arg, task, reply, &e);
	} else {
		rc = act(arg, op, task, &e);
		if (rc == 0) {
			begin(&j, reply);
			json_object_end(&j);
		}
	}
	if (rc == -1)
		console_refuse(reply, &e);
}
