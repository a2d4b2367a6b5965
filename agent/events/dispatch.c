/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/events/dispatch.h"
#include "agent/events/sender.h"
#include "base/clock.h"

#define LOOK_MS 50    /* between looks for new events */
#define AGAIN_MS 1000 /* after the database failed */
#define CONNECTIONS_MAX 1024

struct dispatch {
	struct outbox *outbox;
	struct http_many *http;
	struct stream **streams;
	size_t n;
	struct err database; /* its last failure; the thread's own */
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

static bool
has_work(struct dispatch *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (stream_has_work(d->streams[i]))
			return true;
	return false;
}

/* One transaction for all of them. */
static int
transact(struct dispatch *d, bool *busy, struct err *e)
{
	size_t done, i;
	int rc = outbox_begin(d->outbox, e);

	if (rc == -1)
		return -1;
	for (done = 0; rc == 0 && done < d->n; done++)
		rc = stream_transact(d->streams[done], busy, e);
	if (rc == 0)
		rc = outbox_commit(d->outbox, e);
	if (rc == -1)
		outbox_rollback(d->outbox);
	for (i = 0; i < done; i++)
		if (rc == 0)
			stream_committed(d->streams[i]);
		else
			stream_rolled_back(d->streams[i]);
	return rc;
}

static void
land_all(struct dispatch *d)
{
	struct http_many_reply r;

	while (http_many_next(d->http, &r))
		sender_land(&r);
}

/* The time has come, or nothing is left that could be sent until then. */
static bool
is_over(struct dispatch *d)
{
	uint64_t deadline = atomic_load(&d->deadline_ms), now = clock_mono_ms();
	const atomic_bool *stop = atomic_load(&d->stop);
	size_t i;

	if (deadline == 0)
		return false;
	if (now >= deadline || (stop != NULL && atomic_load(stop)))
		return true;
	for (i = 0; i < d->n; i++)
		if (!stream_rests(d->streams[i], deadline - now))
			return false;
	return true;
}

static void *
dispatcher(void *arg)
{
	struct dispatch *d = arg;
	bool busy = true, failing = false;
	size_t i;

	while (!is_over(d)) {
		land_all(d);
		if (busy || failing || has_work(d)) {
			busy = false;
			failing = transact(d, &busy, &d->database) == -1;
		}
		http_many_wait(d->http,
		    failing    ? AGAIN_MS
			: busy ? 0
			       : LOOK_MS);
	}
	/* What landed in the last moment counts. */
	for (i = 0; i < d->n; i++)
		stream_close(d->streams[i]);
	land_all(d);
	if (has_work(d))
		transact(d, &busy, &d->database);
	return NULL;
}

static void
dispatch_free(struct dispatch *d)
{
	size_t i;

	if (d == NULL)
		return;
	http_many_free(d->http);
	for (i = 0; i < d->n; i++)
		stream_free(d->streams[i]);
	free(d->streams);
	outbox_close(d->outbox);
	free(d);
}
AUTO_DEFINE(dispatch, struct dispatch, dispatch_free)

static int
subscribe(struct dispatch *d, const struct dispatch_order *orders, size_t n,
    struct err *e)
{
	for (; d->n < n; d->n++) {
		const struct dispatch_order *o = &orders[d->n];

		d->streams[d->n] = stream_new(
		    o->subscription, o->start, d->outbox, d->http, e);
		if (d->streams[d->n] == NULL)
			return err_context(e, "%s", o->subscription->name);
	}
	return outbox_commit(d->outbox, e);
}

struct dispatch *
dispatch_start(const char *dir, const struct dispatch_order *orders, size_t n,
    struct err *e)
{
	AUTO(dispatch) struct dispatch *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL ||
	    (d->streams = calloc(n, sizeof(struct stream *))) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	d->outbox = outbox_open(dir, true, e);
	if (d->outbox == NULL)
		return NULL;
	d->http = http_many_new(dispatch_connections(), e);
	if (d->http == NULL || outbox_begin(d->outbox, e) == -1 ||
	    subscribe(d, orders, n, e) == -1)
		return NULL;
	rc = pthread_create(&d->thread, NULL, dispatcher, d);
	if (rc != 0) {
		err_set(e, ERR_SYS, "no thread for events: error %d", rc);
		return NULL;
	}
	return TAKE(d);
}

void
dispatch_end(struct dispatch *d, uint64_t ms, const atomic_bool *stop,
    struct stream_result *out)
{
	size_t i;

	atomic_store(&d->stop, stop);
	atomic_store(&d->deadline_ms, clock_mono_ms() + ms);
	http_many_wake(d->http);
	pthread_join(d->thread, NULL);
	for (i = 0; out != NULL && i < d->n; i++) {
		stream_sum_up(d->streams[i], &out[i]);
		if (out[i].last.kind == ERR_NONE)
			out[i].last = d->database;
	}
	dispatch_free(d);
}
