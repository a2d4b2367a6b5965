/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/archive.h"
#include "agent/events/outbox_archive.h"
#include "agent/events/pattern.h"
#include "agent/place.h"
#include "agent/reach.h"
#include "base/clock.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/scratch.h"

#define LOOK_MS 500	 /* between looks for new events */
#define AGAIN_MS 30000	 /* after it failed */
#define DATABASE_MS 1000 /* at the end, after the database failed */
#define LOOK_MAX 1000	 /* events in one look */
#define CHUNK_BYTES (256 << 10)
#define EVENT_MAX (1 << 20)
#define HOUR_MS 3600000

struct archive {
	const struct archive_order *order;
	struct outbox *outbox;
	int lock; /* -1: another process archives */
	struct outbox_archive at;
	struct pattern *pattern; /* NULL: all events */
	const char *pattern_text;
	/* What isn't sealed yet: events that were seen, those for a segment. */
	uint64_t seen;
	struct outbox_segment open;
	uint64_t bytes;
	bool full;
	bool refused; /* by the store, after all attempts */
	struct archive_result result;
	pthread_t thread;

	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool finishing; /* under mutex */
	bool over;	/* under mutex: the thread needs nothing more */

	atomic_bool stop;
};

/* One more event: 1 if it has to wait for the next segment. */
static int
take(void *arg, const struct outbox_event *event, struct err *e)
{
	struct archive *a = arg;
	int wants = pattern_takes(a->pattern, event->body, event->len, e);

	if (wants == -1)
		return -1;
	if (wants == 1 && a->open.events > 0 &&
	    event->time_ms / HOUR_MS != a->open.time_ms / HOUR_MS)
		a->full = true;
	if (a->full)
		return 1;
	a->seen = event->seq;
	if (wants == 0)
		return 0;
	if (a->open.events++ == 0) {
		a->open.first = event->seq;
		a->open.time_ms = event->time_ms;
	}
	a->open.last = event->seq;
	a->bytes += event->len + 1;
	a->full = a->bytes >= ARCHIVE_BYTES;
	return 0;
}

static char *
object_name(const struct archive *a)
{
	AUTO(buf) struct buf name = BUF_INIT(1 << 10);
	time_t t = (time_t)(a->open.time_ms / 1000);
	const char *source = strrchr(a->order->source, ':') + 1;
	char hour[40];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(hour, sizeof(hour), "%Y/%m/%d/%H", &tm) == 0)
		return NULL;
	buf_addf(&name, "%s/%s-%020" PRIu64 "-%020" PRIu64 ".jsonl", hour,
	    source, a->open.first, a->open.last);
	return buf_take(&name);
}

/* What was seen so far is a segment, if it has any events. */
static int
seal(struct archive *a, struct err *e)
{
	struct outbox_archive before = a->at;
	int rc = 0;

	if (a->open.events > 0) {
		a->open.object = object_name(a);
		a->open.pattern = strdup(a->pattern_text);
		if (a->open.object == NULL || a->open.pattern == NULL)
			rc = err_set(e, ERR_NOMEM, "out of memory");
	}
	a->at.routed = a->seen;
	if (rc == 0)
		rc = outbox_begin(a->outbox, e);
	if (rc == 0 && a->open.events > 0)
		rc = outbox_segment_seal(a->outbox, &a->at, &a->open, e);
	if (rc == 0)
		rc = outbox_archive_save(a->outbox, &a->at, e);
	if (rc == 0)
		rc = outbox_commit(a->outbox, e);
	if (rc == -1) {
		outbox_rollback(a->outbox);
		a->at = before;
		a->seen = before.routed; /* all of it once more */
	}
	outbox_segment_clear(&a->open);
	a->bytes = 0;
	a->full = false;
	return rc;
}

/* Looks at new events; those that are enough, or waited enough, are sealed. */
static int
look(struct archive *a, bool finishing, struct err *e)
{
	unsigned n = LOOK_MAX;

	while (n > 0) {
		if (outbox_events_between(a->outbox, a->seen, INT64_MAX,
			LOOK_MAX, take, a, &n, e) == -1)
			return -1;
		n += a->full; /* what waits for the next segment is more */
		if (a->full && seal(a, e) == -1)
			return -1;
		if (n > 0 && atomic_load(&a->stop))
			return err_set(e, ERR_STOPPED, "there was no time");
	}
	if (a->seen > a->at.routed &&
	    (finishing || a->open.events == 0 ||
		clock_wall_ns() / 1000000 - a->open.time_ms >= ARCHIVE_WAIT_MS))
		return seal(a, e);
	return 0;
}

/* An object that is being written. */
struct object {
	struct pattern *pattern;
	struct buf text;
	int fd;
	uint64_t size, events;
};

#define OBJECT_INIT                                                     \
	{                                                               \
		.text = BUF_INIT(CHUNK_BYTES + EVENT_MAX + 1), .fd = -1 \
	}

static void
auto_object(struct object *ob)
{
	pattern_free(ob->pattern);
	buf_free(&ob->text);
	if (ob->fd != -1)
		close(ob->fd);
}

static int
flush(struct object *ob, struct err *e)
{
	size_t done = 0;

	if (buf_failed(&ob->text))
		return err_set(e, ERR_NOMEM, "out of memory");
	while (done < ob->text.len) {
		ssize_t n =
		    write(ob->fd, ob->text.data + done, ob->text.len - done);

		if (n == -1)
			return err_sys(e, "temporary file");
		done += (size_t)n;
	}
	ob->size += done;
	buf_reset(&ob->text);
	return 0;
}

static int
write_event(void *arg, const struct outbox_event *event, struct err *e)
{
	struct object *ob = arg;
	int wants = pattern_takes(ob->pattern, event->body, event->len, e);

	if (wants != 1)
		return wants;
	buf_add(&ob->text, event->body, event->len);
	buf_addc(&ob->text, '\n');
	ob->events++;
	return ob->text.len >= CHUNK_BYTES ? flush(ob, e) : 0;
}

/* The events of S, of which none may be missing, as they were sealed. */
static int
fill(struct archive *a, const struct outbox_segment *s, struct object *ob,
    struct err *e)
{
	unsigned n;

	if (s->pattern[0] != '\0') {
		ob->pattern = pattern_new(s->pattern, strlen(s->pattern), e);
		if (ob->pattern == NULL)
			return -1;
	}
	ob->fd = scratch_open(e);
	if (ob->fd == -1 ||
	    outbox_events_between(a->outbox, s->first - 1, s->last, UINT32_MAX,
		write_event, ob, &n, e) == -1 ||
	    flush(ob, e) == -1)
		return -1;
	if (ob->events < s->events)
		log_warn("events: %" PRIu64 " of %s are gone, with a ledger "
			 "that was lost",
		    s->events - ob->events, s->object);
	return 0;
}

static int
forget(struct archive *a, const struct outbox_segment *s, uint64_t events,
    struct err *e)
{
	struct outbox_archive before = a->at;

	a->at.objects++;
	a->at.events += events;
	if (outbox_begin(a->outbox, e) == 0 &&
	    outbox_segment_drop(a->outbox, &a->at, s, e) == 0 &&
	    outbox_archive_save(a->outbox, &a->at, e) == 0 &&
	    outbox_commit(a->outbox, e) == 0)
		return 0;
	outbox_rollback(a->outbox);
	a->at = before;
	return -1;
}

static int
store_one(struct archive *a, const struct outbox_segment *s, struct err *e)
{
	AUTO(object) struct object ob = OBJECT_INIT;
	struct place_file file = {
	    .key = s->object,
	    .mtime_ns = s->time_ms * 1000000,
	    .content_type = "application/x-ndjson",
	};

	if (fill(a, s, &ob, e) == -1)
		return -1;
	file.fd = ob.fd;
	file.size = ob.size;
	if (ob.events > 0 &&
	    place_put(a->order->where, &file, a->order->o, a->order->owner,
		&a->stop, e) == -1) {
		a->refused = true;
		return err_context(e, "%s", s->object);
	}
	if (forget(a, s, ob.events, e) == -1)
		return -1;
	a->result.objects++;
	a->result.events += ob.events;
	return 0;
}

static int
store_all(struct archive *a, struct err *e)
{
	for (;;) {
		AUTO(outbox_segment) struct outbox_segment s = {0};
		int rc = outbox_segment_next(a->outbox, &a->at, &s, e);

		if (rc != 1)
			return rc;
		if (atomic_load(&a->stop))
			return err_set(e, ERR_STOPPED, "there was no time");
		if (store_one(a, &s, e) == -1)
			return -1;
	}
}

/* Waits MS; true once nothing more is to come. */
static bool
pause_for(struct archive *a, uint64_t ms)
{
	struct timespec until = clock_deadline(ms);
	bool finishing;
	int rc = 0;

	pthread_mutex_lock(&a->mutex);
	while (!a->finishing && rc == 0)
		rc = pthread_cond_timedwait(&a->cond, &a->mutex, &until);
	finishing = a->finishing;
	pthread_mutex_unlock(&a->mutex);
	return finishing;
}

static int
find(struct archive *a, struct err *e)
{
	const struct archive_order *order = a->order;

	if (outbox_begin(a->outbox, e) == -1)
		return -1;
	if (outbox_archive_find(
		a->outbox, order->name, order->start, &a->at, e) == 0 &&
	    outbox_commit(a->outbox, e) == 0) {
		a->seen = a->at.routed;
		return 0;
	}
	outbox_rollback(a->outbox);
	return -1;
}

/* It is this process's from here on. */
static int
begin(struct archive *a, struct err *e)
{
	int rc = a->lock != -1
	    ? 1
	    : lockfile_take(a->order->dir, "archive.lock", &a->lock, e);

	if (rc == 0)
		return err_set(e, ERR_BUSY,
		    "another process archives events of this task");
	if (rc == 1 && a->at.id == 0)
		rc = find(a, e);
	return rc == -1 ? -1 : 0;
}

static void *
archivist(void *arg)
{
	struct archive *a = arg;
	bool finishing = false;

	for (;;) {
		struct err e = ERR_INIT;
		bool failed;

		a->refused = false;
		failed = begin(a, &e) == -1 || look(a, finishing, &e) == -1 ||
		    store_all(a, &e) == -1;
		if (failed)
			a->result.last = e;
		a->result.left = failed;
		if (!finishing)
			finishing = pause_for(a,
			    failed && e.kind != ERR_BUSY ? AGAIN_MS : LOOK_MS);
		else if (!failed || a->refused ||
		    !reach_pause(DATABASE_MS, &a->stop))
			break;
	}
	pthread_mutex_lock(&a->mutex);
	a->over = true;
	pthread_cond_broadcast(&a->cond);
	pthread_mutex_unlock(&a->mutex);
	return NULL;
}

static void
archive_free(struct archive *a)
{
	if (a == NULL)
		return;
	outbox_segment_clear(&a->open);
	pattern_free(a->pattern);
	outbox_close(a->outbox);
	if (a->lock != -1)
		close(a->lock);
	free(a);
}
AUTO_DEFINE(archive, struct archive, archive_free)

struct archive *
archive_start(const struct archive_order *order, struct err *e)
{
	AUTO(archive) struct archive *a = calloc(1, sizeof(*a));
	const char *pattern = order->o->pattern;
	int rc;

	if (a == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	a->order = order;
	a->lock = -1;
	a->pattern_text = pattern != NULL ? pattern : "";
	if (pattern != NULL) {
		a->pattern = pattern_new(pattern, strlen(pattern), e);
		if (a->pattern == NULL)
			return NULL;
	}
	a->outbox = outbox_open_soon(order->dir, true, e);
	if (a->outbox == NULL || outbox_be_durable(a->outbox, e) == -1)
		return NULL;
	if (begin(a, e) == -1 && (e->kind != ERR_BUSY || order->beside))
		return NULL;
	pthread_mutex_init(&a->mutex, NULL);
	clock_cond_init(&a->cond);
	outbox_wait_more(a->outbox);
	rc = pthread_create(&a->thread, NULL, archivist, a);
	if (rc != 0) {
		err_set(e, ERR_SYS, "no thread for the archive: error %d", rc);
		return NULL;
	}
	return TAKE(a);
}

void
archive_finish(struct archive *a)
{
	pthread_mutex_lock(&a->mutex);
	a->finishing = true;
	pthread_cond_broadcast(&a->cond);
	pthread_mutex_unlock(&a->mutex);
}

void
archive_end(struct archive *a, uint64_t ms, const atomic_bool *stop,
    struct archive_result *out)
{
	uint64_t until = clock_mono_ms() + ms;

	pthread_mutex_lock(&a->mutex);
	while (!a->over && clock_mono_ms() < until &&
	    (stop == NULL || !atomic_load(stop))) {
		/* Whoever sets *STOP, maybe a signal, wakes nobody. */
		struct timespec soon = clock_deadline(100);

		pthread_cond_timedwait(&a->cond, &a->mutex, &soon);
	}
	pthread_mutex_unlock(&a->mutex);
	atomic_store(&a->stop, true);
	pthread_join(a->thread, NULL);
	if (out != NULL)
		*out = a->result;
	pthread_cond_destroy(&a->cond);
	pthread_mutex_destroy(&a->mutex);
	archive_free(a);
}
