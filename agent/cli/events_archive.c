/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/archive.h"
#include "agent/cli/events_archive.h"
#include "agent/cli/last_archive.h"
#include "base/clock.h"
#include "base/log.h"

struct events_archive {
	const struct options *o;
	char *const *tasks;
	uint64_t until_ms;
	const atomic_bool *stop;
	pthread_t thread;
	struct events_archive_result result;
};

/* 1 and *L if TASK has an archive, 0, -1. */
static int
find(const struct events_archive *a, const char *task, struct last_archive *l,
    struct err *e)
{
	char *aside;
	AUTO(ledger)
	struct ledger *ledger =
	    ledger_open(a->o->state_dir, task, LEDGER_READ, &aside, e);

	return ledger != NULL ? last_archive_find(ledger, l, e) : -1;
}

static int
archive_task(struct events_archive *a, const char *task, uint64_t ms,
    struct archive_result *out, struct err *e)
{
	AUTO(last_archive) struct last_archive l = {.argv = NULL};
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	struct archive_order order = {
	    .o = &l.options,
	    .owner = task,
	    .name = l.name,
	    .source = l.source,
	    .beside = true,
	};
	struct archive *archive;
	int rc = find(a, task, &l, e);

	if (rc != 1)
		return rc;
	a->result.tasks++;
	buf_addf(&dir, "%s/%s", a->o->state_dir, task);
	if (buf_failed(&dir))
		return err_set(e, ERR_NOMEM, "out of memory");
	order.dir = buf_str(&dir);
	order.where = l.options.events_archive;
	order.start = l.start;
	archive = archive_start(&order, e);
	if (archive == NULL)
		return -1;
	archive_finish(archive);
	archive_end(archive, ms, a->stop, out);
	return 0;
}

static void
say(struct events_archive *a, const char *task, const struct archive_result *r,
    const struct err *why)
{
	/* A run that is under way archives itself. */
	if (why->kind == ERR_BUSY)
		return;
	a->result.events += r->events;
	if (r->events > 0)
		log_info("task %s: %llu events archived in %llu objects", task,
		    (unsigned long long)r->events,
		    (unsigned long long)r->objects);
	if (why->kind == ERR_NONE && !r->left)
		return;
	a->result.left++;
	log_warn("task %s: not all events are archived (%s)", task,
	    why->kind != ERR_NONE ? why->msg : r->last.msg);
}

/* A store that hangs takes its part of the time, not all of it. */
static void *
archivist(void *arg)
{
	struct events_archive *a = arg;
	size_t n = 0, i;

	while (a->tasks[n] != NULL)
		n++;
	for (i = 0; i < n && !atomic_load(a->stop); i++) {
		struct archive_result r = {.objects = 0};
		struct err why = ERR_INIT;
		uint64_t now = clock_mono_ms();
		uint64_t left = a->until_ms > now ? a->until_ms - now : 0;

		archive_task(a, a->tasks[i], left / (n - i), &r, &why);
		say(a, a->tasks[i], &r, &why);
	}
	return NULL;
}

struct events_archive *
events_archive_begin(const struct options *o, char *const *tasks,
    uint64_t until_ms, const atomic_bool *stop, struct err *e)
{
	struct events_archive *a = calloc(1, sizeof(*a));
	int rc = ENOMEM;

	if (a != NULL) {
		a->o = o;
		a->tasks = tasks;
		a->until_ms = until_ms;
		a->stop = stop;
		rc = pthread_create(&a->thread, NULL, archivist, a);
	}
	if (rc == 0)
		return a;
	free(a);
	err_set(e, ERR_SYS, "no thread for archives: error %d", rc);
	return NULL;
}

void
events_archive_end(struct events_archive *a, struct events_archive_result *out)
{
	pthread_join(a->thread, NULL);
	*out = a->result;
	free(a);
}
