/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/work.h"
#include "agent/work_do.h"

struct workers {
	struct work work;
	unsigned n, most;
	struct worker *each; /* MOST of them; they don't move */
};

static bool
connected(struct worker *me, struct err *e)
{
	if (me->from == NULL && me->work.source != NULL)
		me->from = store_connect(me->work.source, e);
	if (me->session == NULL)
		me->session = store_connect(me->work.target, e);
	return me->session != NULL &&
	    (me->from != NULL || me->work.source == NULL);
}

static void
answer(struct worker *me, struct job *j)
{
	struct run_stats *stats = me->work.stats;

	atomic_fetch_add(&stats->in_flight, 1);
	j->err.kind = ERR_NONE;
	j->sent_bytes = 0;
	j->from_source = false;
	if (connected(me, &j->err))
		work_do(me, j);
	atomic_fetch_sub(&stats->in_flight, 1);
	if (j->sent_bytes > 0)
		stats_add(stats, sent_bytes, j->sent_bytes);
}

static void *
worker_main(void *arg)
{
	struct worker *me = arg;
	struct job *first, *j;

	while ((first = lanes_take(me->work.lanes)) != NULL) {
		for (j = first; j != NULL; j = j->next)
			answer(me, j);
		lanes_done(me->work.lanes, first);
		inbox_answer(me->work.inbox, first);
	}
	return NULL;
}

static int
worker_init(struct worker *me, const struct work *w, struct err *e)
{
	me->work = *w;
	me->digester = digester_new(e);
	if (me->digester == NULL)
		return -1;
	me->own = aligned_alloc(4096, WORK_OWN_BYTES);
	if (me->own == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (pthread_create(&me->thread, NULL, worker_main, me) != 0)
		return err_set(e, ERR_SYS, "a worker thread can't be started");
	return 0;
}

static void
worker_fini(struct worker *me)
{
	work_release(me);
	store_disconnect(me->from);
	store_disconnect(me->session);
	digester_free(me->digester);
	free(me->own);
}

static int
add(struct workers *ws, struct err *e)
{
	struct worker *me = &ws->each[ws->n];

	if (worker_init(me, &ws->work, e) == -1) {
		worker_fini(me);
		memset(me, 0, sizeof(*me));
		return -1;
	}
	ws->n++;
	return 0;
}

struct workers *
workers_start(const struct work *w, unsigned most, struct err *e)
{
	struct workers *ws = calloc(1, sizeof(*ws));

	if (ws != NULL)
		ws->each = calloc(most, sizeof(*ws->each));
	if (ws == NULL || ws->each == NULL) {
		free(ws);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	ws->work = *w;
	ws->most = most;
	if (add(ws, e) == -1) {
		free(ws->each);
		free(ws);
		return NULL;
	}
	return ws;
}

void
workers_add(struct workers *ws)
{
	struct err e = ERR_INIT;

	/* Those that there are do it, too. */
	if (ws->n < ws->most && add(ws, &e) == -1)
		ws->most = ws->n;
}

void
workers_stop(struct workers *ws)
{
	unsigned i;

	if (ws == NULL)
		return;
	lanes_close(ws->each[0].work.lanes);
	for (i = 0; i < ws->n; i++)
		pthread_join(ws->each[i].thread, NULL);
	for (i = 0; i < ws->n; i++)
		worker_fini(&ws->each[i]);
	free(ws->each);
	free(ws);
}
