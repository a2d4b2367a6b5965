/* SPDX-License-Identifier: ISC */
/* dray subscriptions list, show: who is told, and how far that is. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/outboxes.h"
#include "agent/cli/subscriptions_admin.h"
#include "agent/events/cloudevent.h"
#include "agent/events/control.h"
#include "base/clock.h"
#include "base/json.h"

/* What outboxes know of one subscription. */
struct sums {
	char name[64];
	uint64_t delivered, waiting, dead, lag;
	int64_t oldest_ms; /* 0: nothing waits */
};

struct listing {
	const struct options *o;
	struct sums *subs; /* those that outboxes know, or have a file */
	size_t n;
	struct sums *tasks; /* of the one that is shown, by the task's name */
	size_t tasks_n;
	const char *shown; /* NULL: all */
};

static void
auto_listing(struct listing *l)
{
	free(l->subs);
	free(l->tasks);
}

static struct sums *
sums_of(struct sums **all, size_t *n, const char *name, struct err *e)
{
	struct sums *more;
	size_t i;

	for (i = 0; i < *n; i++)
		if (strcmp((*all)[i].name, name) == 0)
			return &(*all)[i];
	more = realloc(*all, (*n + 1) * sizeof(*more));
	if (more == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*all = more;
	more[*n] = (struct sums){.waiting = 0};
	snprintf(more[*n].name, sizeof(more[*n].name), "%s", name);
	return &more[(*n)++];
}

static void
add(struct sums *to, const struct outbox_sub *sub,
    const struct outbox_status *st)
{
	to->delivered += sub->delivered;
	to->waiting += st->waiting;
	to->dead += st->dead;
	/* The rest of a replay is no lag. */
	if (sub->replay[0] != '\0')
		return;
	to->lag += st->lag;
	if (st->oldest_ms != 0 &&
	    (to->oldest_ms == 0 || st->oldest_ms < to->oldest_ms))
		to->oldest_ms = st->oldest_ms;
}

static int
add_task(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct listing *l = arg;
	struct outbox_sub sub = {.id = 0};
	struct outbox_status st;
	struct sums *to;
	int rc;

	while ((rc = outbox_sub_next(box, sub.id, &sub, e)) == 1) {
		if (sub.removed ||
		    (l->shown != NULL && strcmp(sub.name, l->shown) != 0))
			continue;
		if (outbox_status(box, &sub, &st, e) == -1)
			return -1;
		to = sums_of(&l->subs, &l->n, sub.name, e);
		if (to == NULL)
			return -1;
		add(to, &sub, &st);
		if (l->shown == NULL)
			continue;
		to = sums_of(&l->tasks, &l->tasks_n, task, e);
		if (to == NULL)
			return -1;
		add(to, &sub, &st);
	}
	return rc;
}

/* What a URL has behind its host may be a secret. */
static int
host_length(const char *url)
{
	return (int)(strcspn(url + 8, "/?#") + 8);
}

static void
sums_json(struct json *j, const struct sums *s)
{
	json_uint(j, "delivered", s->delivered);
	json_uint(j, "waiting", s->waiting);
	json_uint(j, "dead", s->dead);
	json_uint(j, "lag", s->lag);
	if (s->oldest_ms != 0)
		cloudevent_time(j, "oldest", s->oldest_ms * 1000000);
}

static void
sums_text(struct buf *out, const struct sums *s)
{
	char when[32];

	buf_addf(out,
	    "%" PRIu64 " delivered, %" PRIu64 " waiting, %" PRIu64 " dead",
	    s->delivered, s->waiting, s->dead);
	if (s->lag > 0)
		buf_addf(out, ", %" PRIu64 " behind", s->lag);
	if (s->oldest_ms != 0) {
		clock_iso8601(s->oldest_ms * 1000000, when, sizeof(when));
		buf_addf(out, ", oldest %s", when);
	}
}

static void
write_json(struct buf *out, const struct listing *l,
    const struct subscription *s, const struct sums *sums,
    const struct control_entry *c)
{
	struct json j;
	size_t i;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "name", sums->name);
	json_bool(&j, "enabled", s != NULL && !s->disabled);
	json_str(&j, "state", control_state_name(c->state));
	if (c->state != CONTROL_ACTIVE) {
		json_str(&j, "reason", c->reason);
		cloudevent_time(&j, "since", c->since_ms * 1000000);
	}
	if (c->fail_since_ms != 0)
		cloudevent_time(
		    &j, "failing_since", c->fail_since_ms * 1000000);
	if (s != NULL) {
		json_string(&j, "host", s->url, (size_t)host_length(s->url));
		json_bool(&j, "filter", s->pattern != NULL);
	}
	sums_json(&j, sums);
	if (l->shown != NULL) {
		json_array(&j, "tasks");
		for (i = 0; i < l->tasks_n; i++) {
			json_object(&j, NULL);
			json_str(&j, "task", l->tasks[i].name);
			sums_json(&j, &l->tasks[i]);
			json_object_end(&j);
		}
		json_array_end(&j);
	}
	json_object_end(&j);
}

static void
write_text(struct buf *out, const struct listing *l,
    const struct subscription *s, const struct sums *sums,
    const struct control_entry *c)
{
	size_t i;

	buf_addf(out, "%s  ", sums->name);
	if (s != NULL)
		buf_addf(out, "%.*s%s  ", host_length(s->url), s->url,
		    s->pattern != NULL ? "  filtered" : "");
	else
		buf_adds(out, "no file  ");
	sums_text(out, sums);
	if (s != NULL && s->disabled)
		buf_adds(out, "  not enabled");
	if (c->state != CONTROL_ACTIVE)
		buf_addf(
		    out, "  %s (%s)", control_state_name(c->state), c->reason);
	else if (c->fail_since_ms != 0)
		buf_adds(out, "  failing");
	for (i = 0; i < l->tasks_n; i++) {
		buf_addf(out, "\n  task %s  ", l->tasks[i].name);
		sums_text(out, &l->tasks[i]);
	}
}

static int
show(const struct listing *l, const struct subscription *s,
    const struct sums *sums, struct control *control, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct control_entry entry;

	if (control_get(control, sums->name, &entry, e) == -1)
		return -1;
	if (l->o->json)
		write_json(&out, l, s, sums, &entry);
	else
		write_text(&out, l, s, sums, &entry);
	if (buf_failed(&out))
		return err_set(e, ERR_NOMEM, "out of memory");
	puts(buf_str(&out));
	return 0;
}

static const struct subscription *
find(struct subscription *const *all, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

/* Those of files first, as they are: 0, 1, -1 as outboxes_each(). */
static int
collect(
    struct listing *l, struct subscription *const *all, size_t n, struct err *e)
{
	struct err none = ERR_INIT;
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		if ((l->shown == NULL || strcmp(all[i]->name, l->shown) == 0) &&
		    sums_of(&l->subs, &l->n, all[i]->name, e) == NULL)
			return -1;
	rc = outboxes_each(l->o, OUTBOXES_READ, add_task, l, &none);
	/* No task has run yet, which is no error here. */
	if (rc == 0 || (none.kind == ERR_NOTFOUND && l->o->task == NULL))
		return 0;
	*e = none;
	return rc;
}

int
subscriptions_list(const struct options *o, struct subscription *const *all,
    size_t n, const char *name, struct err *e)
{
	AUTO(listing) struct listing l = {.o = o, .shown = name};
	AUTO(control)
	struct control *control = control_open(o->state_dir, false, e);
	size_t i;
	int rc = control != NULL ? collect(&l, all, n, e) : -1;

	if (rc == -1)
		return -1;
	if (rc == 0 && name != NULL && l.n == 0)
		return err_set(e, ERR_NOTFOUND,
		    "no subscription %.100s in %s, and no task sends to it",
		    name, o->subscriptions_dir);
	for (i = 0; i < l.n; i++)
		if (show(&l, find(all, n, l.subs[i].name), &l.subs[i], control,
			e) == -1)
			return -1;
	return rc == 0 ? 0 : -1;
}

int
subscriptions_waiting(
    const struct options *o, const char *name, uint64_t *n, struct err *e)
{
	AUTO(listing) struct listing l = {.o = o, .shown = name};

	if (outboxes_each(o, OUTBOXES_READ, add_task, &l, e) != 0)
		return -1;
	*n = l.n > 0 ? l.subs[0].waiting + l.subs[0].lag : 0;
	return 0;
}
