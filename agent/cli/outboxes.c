/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/cli/outboxes.h"
#include "agent/task.h"
#include "base/log.h"

static char **
only(const char *name, struct err *e)
{
	char **names = calloc(2, sizeof(*names));

	if (names != NULL)
		names[0] = strdup(name);
	if (names == NULL || names[0] == NULL) {
		free(names);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return names;
}

char **
outboxes_tasks(const struct options *o, struct err *e)
{
	char **names;

	if (o->task != NULL) {
		if (task_check_name(o->task, e) == -1)
			return NULL;
		if (task_exists(o->state_dir, o->task))
			return only(o->task, e);
		err_set(e, ERR_NOTFOUND, "no task %s in %s: see dray status",
		    o->task, o->state_dir);
		return NULL;
	}
	names = task_names(o->state_dir, e);
	if (names != NULL && names[0] == NULL) {
		err_set(e, ERR_NOTFOUND,
		    "no task has run yet (state directory %s): see --state-dir",
		    o->state_dir);
		task_names_free(names);
		return NULL;
	}
	return names;
}

int
outboxes_change(struct outbox *box, const char *task, outboxes_fn *fn,
    void *arg, struct err *e)
{
	if (outbox_begin(box, e) == -1)
		return -1;
	if (fn(arg, task, box, e) == 0 && outbox_commit(box, e) == 0)
		return 0;
	outbox_rollback(box);
	return -1;
}

static int
with_outbox(const struct options *o, const char *task, enum outboxes_mode mode,
    outboxes_fn *fn, void *arg, struct err *e)
{
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	AUTO(outbox) struct outbox *box = NULL;
	bool reads = mode == OUTBOXES_READ || mode == OUTBOXES_AGAIN;

	buf_addf(&dir, "%s/%s", o->state_dir, task);
	if (buf_failed(&dir))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* For writing it would be made. */
	if (mode == OUTBOXES_CHANGE) {
		box = outbox_open(buf_str(&dir), false, e);
		if (box == NULL)
			return e->kind == ERR_NOTFOUND ? 0 : -1;
		outbox_close(TAKE(box));
	}
	box = outbox_open(buf_str(&dir), !reads, e);
	if (box == NULL)
		return reads && e->kind == ERR_NOTFOUND ? 0 : -1;
	return reads || mode == OUTBOXES_WRITE
	    ? fn(arg, task, box, e)
	    : outboxes_change(box, task, fn, arg, e);
}

/* There is no sense in going on with another task. */
static bool
concerns_all(const struct err *why)
{
	return why->kind == ERR_NOMEM || why->kind == ERR_USAGE ||
	    why->kind == ERR_EXISTS || why->kind == ERR_STOPPED;
}

int
outboxes_each(const struct options *o, enum outboxes_mode mode, outboxes_fn *fn,
    void *arg, struct err *e)
{
	char **names = outboxes_tasks(o, e);
	int rc = names != NULL ? 0 : -1;
	unsigned broken = 0;
	size_t i;

	for (i = 0; rc == 0 && names[i] != NULL; i++) {
		struct err why = ERR_INIT;

		if (with_outbox(o, names[i], mode, fn, arg, &why) == 0)
			continue;
		*e = why;
		if (concerns_all(&why) || names[1] == NULL)
			rc = -1;
		else if (++broken > 0 && mode != OUTBOXES_AGAIN)
			log_error("task %s: %s", names[i], why.msg);
	}
	task_names_free(names);
	if (rc == -1 || broken == 0)
		return rc;
	err_set(e, ERR_SYS,
	    "%u of %zu tasks can't be looked at: all else is of the others",
	    broken, i);
	return 1;
}
