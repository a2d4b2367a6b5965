/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/events/dispatch_in.h"
#include "agent/events/sender.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 50     /* between looks for new events */
#define AGAIN_MS 1000  /* after the database failed */
#define DECIDE_MS 1000 /* between looks for what others decided */
/* Failing is written when it has lasted so long, as most don't. */
#define FAILING_MS 30000
#define CONNECTIONS_MAX 1024

struct dispatch {
	struct http_many *http;
	struct control *control;
	struct receiver *receivers;
	size_t receivers_n;
	struct box *boxes;
	size_t boxes_n;
	bool drains;
	struct turns turns; /* if it does; over these boxes */
	bool stale;	    /* what others decided isn't read yet */
	const struct keeper_store *claims;
	uint64_t decided_ms; /* the last look */
	pthread_t thread;

	/* Shared. */
	_Atomic uint64_t deadline_ms; /* clock_mono_ms(); 0: none yet */
	_Atomic(const atomic_bool *) stop;
};

unsigned
dispatch_connections(void)
{
	struct rlimit files;

	/* Transfers need files as well. */
	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur / 2 > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return (unsigned)files.rlim_cur / 2;
}

static int64_t
now_ms(void)
{
	return clock_wall_ns() / 1000000;
}

static void
land_all(struct dispatch *d)
{
	struct http_many_reply r;
	size_t i;

	while (http_many_next(d->http, &r))
		sender_land(&r);
	for (i = 0; i < d->boxes_n; i++)
		box_collect(&d->boxes[i]);
}

/* Writes down what R's answers led to; failing after AFTER_MS.  What fails is
 * tried again. */
static int
write_decision(
    struct dispatch *d, struct receiver *r, int64_t after_ms, struct err *e)
{
	const char *name = r->subscription->name;
	bool lasts =
	    r->fail_since_ms != 0 && now_ms() - r->fail_since_ms >= after_ms;
	bool known = r->control.fail_since_ms != 0;

	if (r->undecided) {
		if (control_set(d->control, name, r->control.state,
			r->control.reason, r->control.since_ms, e) == -1)
			return -1;
		r->undecided = false;
		return 0;
	}
	if (lasts == known || (known && r->fail_since_ms != 0))
		return 0;
	r->control.fail_since_ms = r->fail_since_ms;
	return control_failing(d->control, name, r->fail_since_ms, e);
}

/* The next process counts on from here. */
static void
remember_failing(struct dispatch *d)
{
	struct err e = ERR_INIT;
	size_t i;

	/* One that can't be written lets a receiver fail for longer; the next
	 * would wait for the same lock. */
	for (i = 0; i < d->receivers_n; i++)
		if (write_decision(d, &d->receivers[i], 0, &e) == -1)
			return;
}

/* What people and other processes decided, and what this one did. */
static int
decide(struct dispatch *d, bool read, struct err *e)
{
	struct control_entry entry;
	size_t i;

	for (i = 0; i < d->receivers_n; i++) {
		struct receiver *r = &d->receivers[i];

		if (write_decision(d, r, FAILING_MS, e) == -1)
			return -1;
		if (!read)
			continue;
		if (control_get(d->control, r->subscription->name, &entry, e) ==
		    -1)
			return -1;
		receiver_decided(r, &entry);
	}
	return 0;
}

static struct box_setup
box_setup(const struct dispatch *d)
{
	return (struct box_setup){
	    .receivers = d->receivers,
	    .n = d->receivers_n,
	    .only_known = d->drains,
	    .http = d->http,
	    .claims = d->claims,
	};
}

/* Where others keep it locked, it is opened later. */
static void
look_at(struct box *b, const char *state_dir, const struct box_setup *setup)
{
	bool owned = b->owned;
	struct err e = ERR_INIT;

	if ((b->outbox == NULL && box_open(b, state_dir, &e) == -1) ||
	    box_look(b, setup, &e) == -1) {
		b->failure = e;
	} else if (b->owned && !owned) {
		b->failure = e;
		outbox_wait_more(b->outbox);
	}
}

/* What others did. */
static void
look_around(struct dispatch *d)
{
	struct box_setup setup = box_setup(d);
	struct err e = ERR_INIT;
	size_t i;

	if (control_changed(d->control, &e) != 0)
		d->stale = true;
	if (decide(d, d->stale, &e) == 0)
		d->stale = false;
	for (i = 0; i < d->boxes_n; i++)
		if (!d->drains || d->boxes[i].state == BOX_OPEN)
			look_at(&d->boxes[i], d->turns.state_dir, &setup);
}

/* How long it may still go on. */
static uint64_t
time_left(struct dispatch *d)
{
	uint64_t deadline = atomic_load(&d->deadline_ms), now = clock_mono_ms();
	const atomic_bool *stop = atomic_load(&d->stop);

	if (deadline == 0)
		return UINT64_MAX;
	if (stop != NULL && atomic_load(stop))
		return 0;
	return deadline > now ? deadline - now : 0;
}

/* The time has come, or nothing is left that could be sent until then. */
static bool
is_over(struct dispatch *d)
{
	uint64_t left = time_left(d);
	size_t i;

	if (left == UINT64_MAX || left == 0)
		return left == 0;
	for (i = 0; i < d->boxes_n; i++)
		if (d->boxes[i].state == BOX_OPEN)
			box_hurry(&d->boxes[i]);
	if (d->drains)
		return turns_are_over(&d->turns);
	for (i = 0; i < d->boxes_n; i++)
		if (!d->boxes[i].owned || !box_rests(&d->boxes[i], left))
			return false;
	return true;
}

/* Whether there is more to do at once, for any task. */
static bool
work(struct dispatch *d, bool *failing)
{
	bool busy = false, undecided = false;
	size_t i;

	*failing = false;
	for (i = 0; i < d->boxes_n; i++) {
		struct box *b = &d->boxes[i];

		if (!b->owned)
			continue;
		if (b->busy || b->failing || box_has_work(b))
			b->failing = box_transact(b, &b->failure) == -1;
		*failing |= b->failing;
		busy |= b->busy;
	}
	for (i = 0; i < d->receivers_n; i++)
		undecided |= d->receivers[i].undecided;
	if (undecided) {
		struct err e = ERR_INIT;

		*failing |= decide(d, false, &e) == -1;
	}
	return busy;
}

static void *
dispatcher(void *arg)
{
	struct dispatch *d = arg;
	struct box_setup setup = box_setup(d);
	bool busy = true, failing = false;
	size_t i;

	while (!is_over(d)) {
		land_all(d);
		if (clock_mono_ms() - d->decided_ms >= DECIDE_MS) {
			d->decided_ms = clock_mono_ms();
			look_around(d);
		}
		if (d->drains && atomic_load(&d->deadline_ms) != 0)
			turns_pass(&d->turns, &setup, time_left(d));
		busy = work(d, &failing);
		http_many_wait(d->http,
		    failing    ? AGAIN_MS
			: busy ? 0
			       : LOOK_MS);
	}
	/* What landed in the last moment counts. */
	land_all(d);
	for (i = 0; i < d->boxes_n; i++)
		if (d->boxes[i].owned)
			box_end(&d->boxes[i]);
	work(d, &failing);
	remember_failing(d);
	if (d->drains)
		turns_end(&d->turns, &setup, atomic_load(&d->stop));
	return NULL;
}

static void
dispatch_free(struct dispatch *d)
{
	size_t i;

	if (d == NULL)
		return;
	http_many_free(d->http);
	for (i = 0; i < d->boxes_n; i++)
		box_free(&d->boxes[i]);
	free(d->boxes);
	for (i = 0; i < d->receivers_n; i++) {
		sender_free(d->receivers[i].sender);
		shared_close(&d->receivers[i].shared);
	}
	free(d->receivers);
	control_close(d->control);
	free(d);
}
AUTO_DEFINE(dispatch, struct dispatch, dispatch_free)

/* Whoever is there again was never removed, and whoever asks for events wants
 * them. */
static int
revive(struct dispatch *d, const char *revived, struct err *e)
{
	struct control_entry entry;
	size_t i;

	for (i = 0; i < d->receivers_n; i++) {
		const char *name = d->receivers[i].subscription->name;

		if (control_get(d->control, name, &entry, e) == -1)
			return -1;
		if (entry.state != CONTROL_DISABLED ||
		    (strcmp(entry.reason, CONTROL_REMOVED) != 0 &&
			(revived == NULL || strcmp(name, revived) != 0)))
			continue;
		if (control_set(d->control, name, CONTROL_ACTIVE, "", now_ms(),
			e) == -1)
			return -1;
		receiver_begin_anew(&d->receivers[i]);
	}
	return decide(d, true, e);
}

/* If all N hang, there are tasks that can have their turn nevertheless. */
static void
leave_places(struct receiver *r, size_t n)
{
	uint64_t most = TURNS_PLACES / (n + 1);

	if (r->concurrency > most)
		r->concurrency = most > 0 ? most : 1;
}

static int
open_receivers(
    struct dispatch *d, const struct dispatch_setup *setup, struct err *e)
{
	d->receivers =
	    calloc(setup->subscriptions_n + 1, sizeof(*d->receivers));
	if (d->receivers == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (; d->receivers_n < setup->subscriptions_n; d->receivers_n++) {
		const struct subscription *s =
		    setup->subscriptions[d->receivers_n];
		struct sender *sender = sender_new(s, d->http, stream_land, e);
		struct receiver *r;
		struct err why = ERR_INIT;

		if (sender == NULL)
			return -1;
		r = &d->receivers[d->receivers_n];
		receiver_init(r, s, sender);
		if (setup->tasks_n > TURNS_PLACES)
			leave_places(r, setup->subscriptions_n);
		if (shared_open(&r->shared, setup->state_dir, s->name,
			s->receiver, &why) == -1)
			log_warn("events: %s: rate, concurrency and breaker "
				 "are this process's own: %s",
			    s->name, why.msg);
	}
	return revive(d, setup->revived, e);
}

/* Those of a run at once, others in their turn. */
static int
open_boxes(
    struct dispatch *d, const struct dispatch_setup *setup, struct err *e)
{
	struct box_setup box = box_setup(d);
	size_t i;

	d->boxes = calloc(setup->tasks_n + 1, sizeof(*d->boxes));
	if (d->boxes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->boxes_n = setup->tasks_n;
	d->turns = (struct turns){
	    .boxes = d->boxes, .n = d->boxes_n, .state_dir = setup->state_dir};
	for (i = 0; i < d->boxes_n; i++)
		d->boxes[i].task = setup->tasks[i];
	for (i = 0; i < d->boxes_n && !setup->drains; i++) {
		struct box *b = &d->boxes[i];

		look_at(b, setup->state_dir, &box);
		if (b->failure.kind == ERR_NONE || b->failure.kind == ERR_BUSY)
			continue;
		*e = b->failure;
		return -1;
	}
	return 0;
}

struct dispatch *
dispatch_start(const struct dispatch_setup *setup, struct err *e)
{
	AUTO(dispatch) struct dispatch *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	d->drains = setup->drains;
	d->claims = setup->claims;
	d->http = http_many_new(dispatch_connections(), e);
	if (d->http == NULL)
		return NULL;
	d->control = control_open(setup->state_dir, true, e);
	if (d->control == NULL || open_receivers(d, setup, e) == -1 ||
	    open_boxes(d, setup, e) == -1)
		return NULL;
	rc = pthread_create(&d->thread, NULL, dispatcher, d);
	if (rc != 0) {
		err_set(e, ERR_SYS, "no thread for events: error %d", rc);
		return NULL;
	}
	return TAKE(d);
}

static const struct receiver *
find_receiver(const struct dispatch *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->receivers_n; i++)
		if (strcmp(d->receivers[i].subscription->name, name) == 0)
			return &d->receivers[i];
	return NULL;
}

static void
tell(const struct dispatch *d, struct box *b, dispatch_result_fn *fn, void *arg)
{
	struct stream_result r = {.task = b->task, .last = b->failure};
	size_t i;

	if (b->state != BOX_OVER && !b->owned && r.last.kind == ERR_NONE)
		err_set(&r.last, ERR_BUSY,
		    "another process sends events of this task");
	box_tally(b);
	if (b->tallies_n == 0 && r.last.kind != ERR_NONE)
		fn(arg, &r);
	for (i = 0; i < b->tallies_n; i++) {
		const struct tally *t = &b->tallies[i];
		const struct receiver *of = find_receiver(d, t->name);

		r.name = t->name;
		r.replay = t->replay;
		r.state = of->control.state;
		r.reason = of->control.reason;
		r.delivered = t->delivered;
		r.dead = t->dead;
		r.waiting = t->waiting;
		r.unrouted = t->unrouted;
		r.last = b->failure.kind != ERR_NONE ? b->failure : t->last;
		fn(arg, &r);
	}
}

void
dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    dispatch_result_fn *fn, void *arg)
{
	size_t i;

	atomic_store(&d->stop, stop);
	atomic_store(&d->deadline_ms, clock_mono_ms() + ms);
	http_many_wake(d->http);
	pthread_join(d->thread, NULL);
	for (i = 0; fn != NULL && i < d->boxes_n; i++)
		tell(d, &d->boxes[i], fn, arg);
	dispatch_free(d);
}
