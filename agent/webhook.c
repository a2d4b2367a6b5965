/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/place.h"
#include "agent/stop.h"
#include "agent/webhook_in.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scratch.h"

void
webhook_free(struct webhook *w)
{
	size_t i;

	if (w == NULL)
		return;
	if (w->dispatch != NULL)
		dispatch_end(w->dispatch, 0, NULL, NULL, NULL);
	if (w->archive != NULL)
		archive_end(w->archive, 0, NULL, NULL);
	for (i = 0; i < w->n; i++)
		subscription_free(w->subscriptions[i]);
	for (i = 0; i < w->disabled_n; i++)
		subscription_free(w->disabled[i]);
	free(w->subscriptions);
	free(w->disabled);
	free(w->target_url);
	free(w->dir);
	free(w->task);
	free(w);
}

/* As struct keeper_store has it; ARG is the webhook. */
static int
put_claim(void *arg, const char *where, const void *data, size_t len,
    const atomic_bool *stop, struct err *e)
{
	const struct webhook *w = arg;
	struct options o = *w->o;
	AUTO(close) int fd = scratch_open(e);

	if (fd == -1)
		return -1;
	if (pwrite(fd, data, len, 0) != (ssize_t)len)
		return err_sys(e, "temporary file (see TMPDIR)");
	o.store.stop = stop;
	return place_write(where, fd, len, &o, w->task, stop, e);
}

int
webhook_new(const struct options *o, struct webhook **out, struct err *e)
{
	AUTO(webhook) struct webhook *w = NULL;

	*out = NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->o = o;
	w->claims = (struct keeper_store){.put = put_claim, .arg = w};
	if (webhook_read(w, e) == -1)
		return -1;
	if ((w->n > 0 || w->expected || o->events_archive != NULL) &&
	    !o->dry_run)
		*out = TAKE(w);
	return 0;
}

/* Transfers don't wait for deliveries, whatever keeps these. */
static void
tell_later(const char *how, const struct err *why)
{
	log_warn("events: %s; what happens now is %s", why->msg, how);
}

static void
begin_dispatch(struct webhook *w)
{
	const char *task = w->task;
	struct dispatch_setup setup = {
	    .state_dir = w->state_dir,
	    .tasks = &task,
	    .tasks_n = 1,
	    .subscriptions = w->subscriptions,
	    .subscriptions_n = w->n,
	    .claims = &w->claims,
	    .revived =
		w->o->webhook != NULL ? w->subscriptions[w->n - 1]->name : NULL,
	};
	struct err e = ERR_INIT;

	if (webhook_retain(w, &e) == 0 && w->n == 0)
		return;
	if (e.kind == ERR_NONE)
		w->dispatch = dispatch_start(&setup, &e);
	if (w->dispatch == NULL)
		tell_later("told by a later run, or dray events drain", &e);
}

static void
begin_archive(struct webhook *w, const char *owner)
{
	struct archive_order *order = &w->archive_order;
	struct err e = ERR_INIT;

	if (w->o->events_archive == NULL)
		return;
	order->o = w->o;
	order->dir = w->dir;
	order->where = w->o->events_archive;
	order->owner = owner;
	order->name = w->archive_name;
	order->source = w->source;
	w->archive = archive_start(order, &e);
	if (w->archive == NULL)
		tell_later("archived by a later run, or dray events drain", &e);
}

const struct keeper_store *
webhook_claims(const struct webhook *w)
{
	return &w->claims;
}

struct subscription *const *
webhook_subscriptions(const struct webhook *w, size_t *n)
{
	*n = w->n;
	return w->subscriptions;
}

int
webhook_start(struct webhook *w, const struct webhook_task *task,
    struct ledger *l, const struct engine_events **events, struct err *e)
{
	*events = NULL;
	if (w == NULL)
		return 0;
	w->ledger = l;
	if (webhook_describe(w, task, e) == -1 ||
	    webhook_set_starts(w, l, e) == -1 || ledger_commit(l, e) == -1)
		return err_context(e, "events");
	begin_dispatch(w);
	begin_archive(w, task->owner);
	*events = &w->events;
	return 0;
}

static void
end_dispatch(struct webhook *w, const atomic_bool *stop)
{
	dispatch_end(
	    TAKE(w->dispatch), w->o->events_drain_ms, stop, webhook_say, NULL);
}

static void
end_archive(struct webhook *w, uint64_t ms, const atomic_bool *stop)
{
	const char *where = w->o->events_archive;
	struct archive_result r;

	archive_end(TAKE(w->archive), ms, stop, &r);
	if (r.objects > 0)
		log_info("events: %llu archived in %llu objects of %s",
		    (unsigned long long)r.events, (unsigned long long)r.objects,
		    where);
	if (r.left)
		log_warn("events: not all are archived in %s; the next run of "
			 "this task goes on, or dray events drain (%s)",
		    where, r.last.msg);
}

void
webhook_end(struct webhook *w)
{
	/* Who wants the run to end has said so once, and again for this. */
	const atomic_bool *stop =
	    atomic_load(stop_soon_flag()) ? stop_now_flag() : stop_soon_flag();
	uint64_t begun = clock_mono_ms(), spent;
	struct err e = ERR_INIT;

	if (w == NULL)
		return;
	if (w->archive != NULL)
		archive_finish(w->archive);
	if (w->dispatch != NULL)
		end_dispatch(w, stop);
	spent = clock_mono_ms() - begun;
	if (w->archive != NULL)
		end_archive(w,
		    spent < w->o->events_drain_ms
			? w->o->events_drain_ms - spent
			: 0,
		    stop);
	/* Whose ledger takes nothing more has been told so. */
	if (webhook_retain(w, &e) == -1 && e.kind != ERR_STOPPED)
		log_warn("events: %s", e.msg);
}
