/* SPDX-License-Identifier: ISC */
/* dray events replay: what happened is told once more. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/archive_restore.h"
#include "agent/cli/events_verbs.h"
#include "agent/cli/last_archive.h"
#include "agent/cli/outboxes.h"
#include "agent/events/outbox_replay.h"
#include "agent/events/pattern.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/log.h"

struct replaying {
	const struct options *o;
	struct outbox_replay replay;
	uint64_t n, tasks, restored;
};

static int
replay(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct replaying *r = arg;
	uint64_t n;

	(void)task;
	if (outbox_replay_add(box, &r->replay, &n, e) == -1)
		return -1;
	r->n += n;
	r->tasks += n > 0;
	return 0;
}

/* What only the archive of TASK has is in L again; 0 if it has no archive. */
static int
restore(struct replaying *r, const char *task, struct ledger *l, struct err *e)
{
	AUTO(last_archive) struct last_archive last = {.argv = NULL};
	struct archive_restore how = {
	    .o = &last.options,
	    .source = last.source,
	    .from_ms = r->replay.from_ms,
	    .to_ms = r->replay.to_ms,
	    .stop = stop_soon_flag(),
	};
	uint64_t n;
	int rc = last_archive_find(l, &last, e);

	if (rc != 1)
		return rc;
	how.where = last.options.events_archive;
	if (archive_restore(&how, l, &n, e) == -1)
		return -1;
	r->restored += n;
	if (n > 0)
		log_info("task %s: %" PRIu64 " events are back from %s", task,
		    n, how.where);
	return 0;
}

/* No run may forget them again before the replay is there. */
static int
restore_and_replay(
    void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct replaying *r = arg;
	AUTO(free) char *aside = NULL;
	AUTO(ledger)
	struct ledger *l =
	    ledger_open(r->o->state_dir, task, LEDGER_WRITE, &aside, e);

	if (l == NULL)
		return -1;
	if (aside != NULL)
		return err_set(e, ERR_MISMATCH,
		    "the ledger was damaged, and is %s now: run the task "
		    "before its events are replayed",
		    aside);
	return restore(r, task, l, e) == 0
	    ? outboxes_change(box, task, replay, r, e)
	    : -1;
}

/* It is part of a header. */
static int
name_replay(const char *name, struct outbox_replay *out, struct err *e)
{
	char when[32], *p;

	if (name != NULL) {
		if (strlen(name) > OUTBOX_REPLAY_NAME_MAX ||
		    task_check_name(name, e) == -1)
			return err_set(e, ERR_USAGE,
			    "--name: letters, digits, '.', '_' and '-', not "
			    "beginning with '.', at most %d of them",
			    OUTBOX_REPLAY_NAME_MAX);
		snprintf(out->name, sizeof(out->name), "%s", name);
		return 0;
	}
	clock_iso8601((int64_t)out->made_us * 1000, when, sizeof(when));
	snprintf(out->name, sizeof(out->name), "replay-");
	p = out->name + strlen(out->name);
	for (name = when; *name != '\0'; name++)
		if (*name != '-' && *name != ':')
			*p++ = *name;
	*p = '\0';
	return 0;
}

static int
plan_replay(const struct options *o, struct outbox_replay *out, struct err *e)
{
	AUTO(pattern) struct pattern *p = NULL;

	if (o->of_subscription == NULL || o->from_ms == 0)
		return err_set(e, ERR_USAGE,
		    "dray events replay --sub NAME --from TIME [--to TIME]");
	out->made_us = (uint64_t)(clock_wall_ns() / 1000);
	out->from_ms = o->from_ms;
	out->to_ms =
	    o->to_ms != 0 ? o->to_ms : (int64_t)(out->made_us / 1000) + 1;
	if (out->to_ms <= out->from_ms)
		return err_set(e, ERR_USAGE, "--to is not after --from");
	if (o->pattern != NULL) {
		p = pattern_new(o->pattern, strlen(o->pattern), e);
		if (p == NULL)
			return err_context(e, "--pattern");
		out->pattern = strdup(o->pattern);
		if (out->pattern == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (strlen(o->of_subscription) >= sizeof(out->sub))
		return err_set(e, ERR_NOTFOUND, "no subscription %.100s",
		    o->of_subscription);
	snprintf(out->sub, sizeof(out->sub), "%s", o->of_subscription);
	out->new_ids = o->new_ids;
	out->rate = o->replay_rate;
	return name_replay(o->replay_name, out, e);
}

/* Whether any task knows the subscription. */
static int
find(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct replaying *r = arg;
	int rc = outbox_knows(box, r->replay.sub, e);

	(void)task;
	r->n += rc == 1;
	return rc == -1 ? -1 : 0;
}

int
events_replay(const struct options *o, int argc, char **argv, struct err *e)
{
	struct replaying r = {.o = o};
	int rc;

	(void)argc;
	(void)argv;
	rc = plan_replay(o, &r.replay, e);
	if (rc == 0)
		rc = outboxes_each(o, OUTBOXES_AGAIN, find, &r, e);
	if (rc == 1 && r.n == 0)
		rc = -1;
	if (rc == 0 && r.n == 0)
		rc = err_set(e, ERR_NOTFOUND,
		    "no task has sent anything to %s: see dray subscriptions "
		    "list",
		    r.replay.sub);
	r.n = 0;
	if (rc != -1)
		rc = o->from_archive
		    ? outboxes_each(
			  o, OUTBOXES_WRITE, restore_and_replay, &r, e)
		    : outboxes_each(o, OUTBOXES_MAKE, replay, &r, e);
	outbox_replay_clear(&r.replay);
	if (rc == -1)
		return -1;
	if (o->json)
		printf("{\"name\":\"%s\",\"events\":%" PRIu64
		       ",\"tasks\":%" PRIu64 ",\"restored\":%" PRIu64 "}\n",
		    r.replay.name, r.n, r.tasks, r.restored);
	else if (o->verbosity >= 0 && r.n == 0)
		printf("no events of this time are kept\n");
	else if (o->verbosity >= 0)
		printf("%s: up to %" PRIu64 " events: " EVENTS_NEXT "\n",
		    r.replay.name, r.n);
	return rc == 0 ? 0 : -1;
}
