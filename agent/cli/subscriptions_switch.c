/* SPDX-License-Identifier: ISC */
/* dray subscriptions enable, disable, pause, resume. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cli/outboxes.h"
#include "agent/cli/subscriptions_admin.h"
#include "agent/events/control.h"
#include "agent/task.h"
#include "base/clock.h"

struct search {
	const char *name;
	bool found;
};

static int
look(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct search *s = arg;
	int rc = outbox_knows(box, s->name, e);

	(void)task;
	s->found |= rc == 1;
	return rc == -1 ? -1 : 0;
}

/* It has a file, or a task sends to it. */
static int
check_known(const struct options *o, const char *name, struct err *e)
{
	struct search s = {.name = name};
	int rc;

	if (subscriptions_has_file(o, name))
		return 0;
	rc = outboxes_each(o, OUTBOXES_READ, look, &s, e);
	if (s.found || (rc != 0 && e->kind != ERR_NOTFOUND))
		return s.found ? 0 : -1;
	return err_set(e, ERR_NOTFOUND,
	    "no subscription %.100s in %s, and no task sends to it", name,
	    o->subscriptions_dir);
}

static void
say(const struct options *o, const char *name, enum control_state state)
{
	const char *word = control_state_name(state);

	if (o->json)
		printf("{\"name\":\"%s\",\"state\":\"%s\"}\n", name, word);
	else if (o->verbosity >= 0)
		printf("%s: %s\n", name, word);
}

static int
decide(const struct options *o, const char *name, enum control_state state,
    struct err *e)
{
	AUTO(control) struct control *c = NULL;
	int64_t now_ms = clock_wall_ns() / 1000000;
	int rc;

	if (check_known(o, name, e) == -1)
		return -1;
	/* There may have been no run yet. */
	mkdir(o->state_dir, 0700);
	c = control_open(o->state_dir, true, e);
	if (c == NULL)
		return -1;
	rc = control_set(c, name, state,
	    state == CONTROL_ACTIVE ? "" : "by hand", now_ms, e);
	if (rc == 0)
		return err_set(e, ERR_CONFLICT,
		    "%s is disabled, which is more than paused: see dray "
		    "subscriptions enable",
		    name);
	if (rc == 1)
		say(o, name, state);
	return rc == 1 ? 0 : -1;
}

int
subscriptions_enable(const struct options *o, const char *name, struct err *e)
{
	return decide(o, name, CONTROL_ACTIVE, e);
}

int
subscriptions_disable(const struct options *o, const char *name, struct err *e)
{
	return decide(o, name, CONTROL_DISABLED, e);
}

int
subscriptions_pause(const struct options *o, const char *name, struct err *e)
{
	return decide(o, name, CONTROL_PAUSED, e);
}

int
subscriptions_resume(const struct options *o, const char *name, struct err *e)
{
	AUTO(control) struct control *c = control_open(o->state_dir, false, e);
	struct control_entry entry;

	if (c == NULL || control_get(c, name, &entry, e) == -1)
		return -1;
	if (entry.state == CONTROL_DISABLED)
		return err_set(e, ERR_CONFLICT,
		    "%s is not paused but disabled (%s): see dray "
		    "subscriptions enable",
		    name, entry.reason);
	return decide(o, name, CONTROL_ACTIVE, e);
}
