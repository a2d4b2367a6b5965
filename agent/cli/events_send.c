/* SPDX-License-Identifier: ISC */
/* dray events redrive, drain: what is sent once more, or now. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/events_archive.h"
#include "agent/cli/events_verbs.h"
#include "agent/cli/outboxes.h"
#include "agent/drain.h"
#include "agent/events/outbox_replay.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/log.h"

struct redriving {
	struct outbox_choice which;
	uint64_t rate;
	int64_t from_ms; /* those of all tasks one after another */
	uint64_t n;
};

static int
redrive(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct redriving *r = arg;
	uint64_t before = r->rate > 0 ? r->n * 1000 / r->rate : 0, n;

	(void)task;
	if (outbox_redrive(box, &r->which, r->from_ms + (int64_t)before,
		r->rate, &n, e) == -1)
		return -1;
	r->n += n;
	return 0;
}

int
events_redrive(const struct options *o, int argc, char **argv, struct err *e)
{
	struct redriving r = {
	    .rate = o->replay_rate, .from_ms = clock_wall_ns() / 1000000};
	int rc;

	if (events_choose(o, argc > 0 ? argv[0] : NULL, &r.which, e) == -1)
		return -1;
	rc = outboxes_each(o, OUTBOXES_CHANGE, redrive, &r, e);
	if (rc == -1)
		return -1;
	if (rc == 0 && r.n == 0 && r.which.seq != 0)
		return err_set(e, ERR_NOTFOUND,
		    "no such event among those that were given up");
	if (o->json)
		printf("{\"redriven\":%" PRIu64 "}\n", r.n);
	else if (o->verbosity >= 0)
		printf("%" PRIu64 " events wait again: " EVENTS_NEXT "\n", r.n);
	return rc == 0 ? 0 : -1;
}

struct drained {
	const struct options *o;
	uint64_t delivered, dead, left;
	struct events_archive_result archives;
};

static void
add_result(void *arg, const struct stream_result *r)
{
	struct drained *d = arg;

	/* A run that is under way sends what its task has. */
	if (r->name == NULL && r->last.kind == ERR_BUSY) {
		if (d->o->verbosity >= 0 && !d->o->json)
			printf("task %s: %s\n", r->task, r->last.msg);
		return;
	}
	d->delivered += r->delivered;
	d->dead += r->dead;
	d->left += r->name == NULL ||
	    ((r->waiting > 0 || r->unrouted) && r->state != CONTROL_PAUSED);
	webhook_say(NULL, r);
}

/* To the N subscriptions of W, which may be NULL if there are none. */
static int
drain(const struct options *o, const struct webhook *w, size_t n,
    struct drained *out, struct err *e)
{
	char **tasks = outboxes_tasks(o, e);
	uint64_t until_ms = clock_mono_ms() + o->events_drain_ms;
	struct events_archive *archives;
	struct drain d = {
	    .state_dir = o->state_dir,
	    .tasks = tasks,
	    .for_ms = o->events_drain_ms,
	    .fn = add_result,
	    .arg = out,
	    .stop = stop_soon_flag(),
	};
	int rc = 0;

	if (tasks == NULL)
		return -1;
	if (o->webhook != NULL)
		d.revived = webhook_subscriptions(w, &n)[n - 1]->name;
	archives = events_archive_begin(o, tasks, until_ms, d.stop, e);
	if (archives == NULL || (n > 0 && drain_outboxes(w, &d, e) == -1))
		rc = -1;
	if (archives != NULL)
		events_archive_end(archives, &out->archives);
	out->left += out->archives.left;
	task_names_free(tasks);
	return rc;
}

/* Says what waits for somebody whom nobody named. */
static int
say_others(void *arg, const char *task, struct outbox *box, struct err *e)
{
	const struct webhook *w = arg;
	struct outbox_sub sub = {.id = 0};
	size_t n, i;
	struct subscription *const *known = webhook_subscriptions(w, &n);
	int rc;

	while ((rc = outbox_sub_next(box, sub.id, &sub, e)) == 1) {
		for (i = 0; i < n && strcmp(known[i]->name, sub.name) != 0; i++)
			;
		if (i == n && sub.live > 0)
			log_warn("task %s: %" PRIu64 " events wait for %s, "
				 "which has no file and is not this --webhook",
			    task, sub.live, sub.name);
	}
	return rc;
}

static void
say_drained(const struct options *o, const struct drained *all)
{
	if (o->json)
		printf("{\"delivered\":%" PRIu64 ",\"dead\":%" PRIu64
		       ",\"archived\":%" PRIu64 ",\"left\":%s}\n",
		    all->delivered, all->dead, all->archives.events,
		    all->left > 0 ? "true" : "false");
	else if (o->verbosity >= 0)
		printf("%" PRIu64 " events delivered\n", all->delivered);
}

int
events_drain(const struct options *o, int argc, char **argv, struct err *e)
{
	AUTO(webhook) struct webhook *w = NULL;
	struct drained all = {.o = o};
	size_t n = 0;

	(void)argc;
	(void)argv;
	if (webhook_new(o, &w, e) == -1)
		return -1;
	if (w != NULL)
		webhook_subscriptions(w, &n);
	if (drain(o, w, n, &all, e) == -1)
		return -1;
	if (n == 0 && all.archives.tasks == 0)
		return err_set(e, ERR_NOTFOUND,
		    "no subscription in %s that is enabled, no --webhook, and "
		    "no task with an archive",
		    o->subscriptions_dir);
	if (n > 0 && outboxes_each(o, OUTBOXES_AGAIN, say_others, w, e) == -1)
		return -1;
	say_drained(o, &all);
	if (all.left > 0)
		return err_set(e, ERR_BUSY,
		    "not all could be sent: see above, and dray events "
		    "attempts --failed");
	return 0;
}
