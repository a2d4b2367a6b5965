/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/daemon/history.h"
#include "agent/daemon/ops.h"
#include "agent/daemon/tasks.h"
#include "base/clock.h"

#define HISTORY_MAX ((size_t)1 << 20)

/* Member KEY, if it is a text; else NULL. */
static const char *
text_of(const struct jdoc_node *request, const char *key)
{
	const struct jdoc_node *n = jdoc_member(request, key);

	return n != NULL && n->type == JDOC_STRING && strlen(n->text) == n->len
	    ? n->text
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
	json_str(&j, "state_dir", tasks_state_dir(t));
	json_uint(&j, "running", tasks_running(t));
	json_array(&j, "tasks");
	if (tasks_show(t, task, &j, e) == -1)
		return -1;
	json_array_end(&j);
	json_object_end(&j);
	return 0;
}

/* In a process of its own: the state directory and the task are its words. */
static int
answer_history(enum verb_id verb, int argc, char **argv)
{
	AUTO(buf) struct buf reply = BUF_INIT(HISTORY_MAX);
	struct err e = ERR_INIT;
	struct json j;

	(void)verb;
	(void)argc;
	run_take_signals();
	begin(&j, &reply);
	json_array(&j, "runs");
	if (history_show(argv[0], argv[1], &j, &e) == 0) {
		json_array_end(&j);
		json_object_end(&j);
	} else {
		console_refuse(&reply, &e);
	}
	return !buf_failed(&reply) &&
		write(RUN_PASSED_FD, reply.data, reply.len) ==
		    (ssize_t)reply.len
	    ? 0
	    : 1;
}

/* It is in a ledger, which may be busy, on a disk that may hang. */
static int
history(const struct tasks *t, const char *task, struct aside_order *aside,
    struct err *e)
{
	if (task == NULL)
		return err_set(e, ERR_USAGE, "\"task\" is missing");
	if (tasks_find(t, task, e) == -1 ||
	    conf_words_add(&aside->words, tasks_state_dir(t), NULL, e) == -1 ||
	    conf_words_add(&aside->words, task, NULL, e) == -1)
		return -1;
	aside->main = answer_history;
	return 0;
}

static int
set(struct tasks *t, const struct jdoc_node *request, const char *task,
    struct err *e)
{
	const char *key = text_of(request, "key");
	const char *value = text_of(request, "value");

	if (key == NULL || value == NULL)
		return err_set(e, ERR_USAGE, "\"%s\" is missing",
		    key == NULL ? "key" : "value");
	return tasks_set(t, task, key, value, e);
}

/* One that only does something. */
static int
act(struct tasks *t, const struct jdoc_node *request, const char *task,
    struct err *e)
{
	const struct jdoc_node *op = jdoc_member(request, "op");

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
	if (jdoc_is(op, "set"))
		return set(t, request, task, e);
	return err_set(e, ERR_UNSUPPORTED,
	    "no such \"op\"; there are status, history, start, stop, pause, "
	    "resume, set");
}

void
ops_answer(void *arg, const struct jdoc_node *request, struct buf *reply,
    struct aside_order *aside)
{
	const struct jdoc_node *op = jdoc_member(request, "op");
	const char *task = text_of(request, "task");
	struct err e = ERR_INIT;
	struct json j;
	int rc;

	if (jdoc_member(request, "task") != NULL && task == NULL) {
		rc = err_set(&e, ERR_USAGE, "\"task\" is no name");
	} else if (op == NULL || op->type != JDOC_STRING) {
		rc = err_set(&e, ERR_USAGE, "\"op\" is missing");
	} else if (jdoc_is(op, "status")) {
		rc = status(arg, task, reply, &e);
	} else if (jdoc_is(op, "history")) {
		rc = history(arg, task, aside, &e);
	} else {
		rc = act(arg, request, task, &e);
		if (rc == 0) {
			begin(&j, reply);
			json_object_end(&j);
		}
	}
	if (rc == -1)
		console_refuse(reply, &e);
}
