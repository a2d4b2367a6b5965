/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/events/claim.h"
#include "agent/events/keeper.h"
#include "base/jdoc.h"

#define DATA_MAX (4 << 20)

struct work {
	struct work *next;
	const struct parcel *parcel;
	void *tag;
	int rc;
	struct err why; /* if that is -1 */
};

struct list {
	struct work *first, **end;
};

struct keeper {
	const struct keeper_store *store;
	const struct format *format;
	void (*wake)(void *arg);
	void *arg;
	pthread_t thread;
	bool running;
	atomic_bool stop;

	pthread_mutex_t lock;
	pthread_cond_t more;
	/* Below the lock. */
	struct list todo, done;
};

static void
append(struct list *l, struct work *w)
{
	w->next = NULL;
	*l->end = w;
	l->end = &w->next;
}

static struct work *
take(struct list *l)
{
	struct work *w = l->first;

	if (w != NULL && (l->first = w->next) == NULL)
		l->end = &l->first;
	return w;
}

struct keeper *
keeper_new(const struct keeper_store *store, const struct format *format,
    void (*wake)(void *arg), void *arg, struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	k->store = store;
	k->format = format;
	k->wake = wake;
	k->arg = arg;
	k->todo.end = &k->todo.first;
	k->done.end = &k->done.first;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->more, NULL);
	return k;
}

void
keeper_free(struct keeper *k)
{
	struct work *w;

	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	atomic_store(&k->stop, true);
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->lock);
	if (k->running)
		pthread_join(k->thread, NULL);
	while ((w = take(&k->todo)) != NULL || (w = take(&k->done)) != NULL)
		free(w);
	pthread_cond_destroy(&k->more);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static int
store_data(struct keeper *k, const struct outbox_delivery *d, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(d->body, d->len, e);
	AUTO(buf) struct buf where = BUF_INIT(1 << 16);
	AUTO(buf) struct buf data = BUF_INIT(DATA_MAX);

	if (doc == NULL)
		return -1;
	claim_path(&where, k->format->claim_check, jdoc_root(doc));
	claim_data(&data, jdoc_root(doc));
	if (buf_failed(&where) || buf_failed(&data))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (k->store->put(k->store->arg, buf_str(&where), buf_str(&data),
		data.len, &k->stop, e) == -1)
		return err_context(e, "claim-check");
	return 0;
}

static int
store_all(struct keeper *k, const struct parcel *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->events.n; i++)
		if (p->events.items[i].len > k->format->event_bytes &&
		    store_data(k, &p->events.items[i], e) == -1)
			return -1;
	return 0;
}

static void *
run(void *arg)
{
	struct keeper *k = arg;
	struct work *w;

	pthread_mutex_lock(&k->lock);
	while (!atomic_load(&k->stop)) {
		w = take(&k->todo);
		if (w == NULL) {
			pthread_cond_wait(&k->more, &k->lock);
			continue;
		}
		pthread_mutex_unlock(&k->lock);
		w->rc = store_all(k, w->parcel, &w->why);
		pthread_mutex_lock(&k->lock);
		append(&k->done, w);
		k->wake(k->arg);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

int
keeper_put(
    struct keeper *k, const struct parcel *parcel, void *tag, struct err *e)
{
	struct work *w = calloc(1, sizeof(*w));
	int rc = 0;

	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!k->running)
		rc = pthread_create(&k->thread, NULL, run, k);
	if (rc != 0) {
		free(w);
		return err_set(
		    e, ERR_SYS, "no thread for claim checks: error %d", rc);
	}
	k->running = true;
	w->parcel = parcel;
	w->tag = tag;
	pthread_mutex_lock(&k->lock);
	append(&k->todo, w);
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->lock);
	return 0;
}

bool
keeper_next(struct keeper *k, void **tag, int *rc, struct err *why)
{
	struct work *w;

	pthread_mutex_lock(&k->lock);
	w = take(&k->done);
	pthread_mutex_unlock(&k->lock);
	if (w == NULL)
		return false;
	*tag = w->tag;
	*rc = w->rc;
	*why = w->why;
	free(w);
	return true;
}
