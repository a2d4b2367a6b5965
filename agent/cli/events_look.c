/* SPDX-License-Identifier: ISC */
/* dray events: what happened, and how deliveries went. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/cli/events_verbs.h"
#include "agent/cli/known.h"
#include "agent/cli/outboxes.h"
#include "agent/events/cloudevent.h"
#include "agent/events/pattern.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"

#define FOLLOW_MS 250 /* between two looks */

struct place {
	char *task;
	uint64_t event, notice;
};

/* What is shown. */
struct view {
	const struct options *o;
	struct outbox_choice which;
	struct pattern *pattern; /* NULL: all */
	const char *task;
	uint64_t last; /* event that was looked at */
	uint64_t shown;
	/* How far each task is, where they are followed. */
	struct place *places;
	size_t places_n;
};

static void
auto_view(struct view *v)
{
	size_t i;

	for (i = 0; i < v->places_n; i++)
		free(v->places[i].task);
	free(v->places);
	pattern_free(v->pattern);
}

/* NULL: any. */
static int
check_reason(const char *reason, struct err *e)
{
	static const char *const reasons[] = {"max_attempts", "max_age",
	    "permanent", "aborted", "too_large", "retention", "lost"};
	AUTO(buf) struct buf all = BUF_INIT(1000);
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reason == NULL || strcmp(reason, reasons[i]) == 0)
			return 0;
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", reasons[i]);
	}
	return err_set(e, ERR_USAGE, "--reason: one of %s, not \"%.100s\"",
	    buf_str(&all), reason);
}

int
events_choose(const struct options *o, const char *id,
    struct outbox_choice *out, struct err *e)
{
	if (id == NULL)
		id = o->of_event;
	*out = (struct outbox_choice){
	    .sub = o->of_subscription,
	    .reason = o->of_reason,
	};
	if (check_reason(o->of_reason, e) == -1)
		return -1;
	if (o->of_subscription != NULL &&
	    known_subscription(o, o->of_subscription, e) == -1)
		return -1;
	if (id == NULL)
		return 0;
	out->seq = cloudevent_seq(id);
	if (out->seq == 0)
		return err_set(
		    e, ERR_USAGE, "not an event's id: \"%.100s\"", id);
	return 0;
}

static int
view_of(const struct options *o, const char *id, struct view *v, struct err *e)
{
	*v = (struct view){.o = o};
	if (o->pattern != NULL) {
		v->pattern = pattern_new(o->pattern, strlen(o->pattern), e);
		if (v->pattern == NULL)
			return err_context(e, "--pattern");
	}
	return events_choose(o, id, &v->which, e);
}

static int
show_event(void *arg, const struct outbox_event *event, struct err *e)
{
	struct view *v = arg;
	AUTO(jdoc) struct jdoc *doc = NULL;
	int rc = 1;

	v->last = event->seq;
	if ((v->which.seq != 0 && v->which.seq != event->seq) ||
	    event->time_ms < v->o->since_ms)
		return 0;
	if (v->pattern != NULL) {
		doc = jdoc_parse(event->body, event->len, e);
		rc = doc == NULL ? -1
				 : pattern_match(v->pattern, jdoc_root(doc), e);
	}
	if (rc != 1)
		return rc;
	puts(event->body);
	v->shown++;
	return 0;
}

/* NULL and *e: out of memory. */
static struct place *
place_of(struct view *v, const char *task, struct err *e)
{
	struct place *more;
	size_t i;

	for (i = 0; i < v->places_n; i++)
		if (strcmp(v->places[i].task, task) == 0)
			return &v->places[i];
	more = realloc(v->places, (v->places_n + 1) * sizeof(*more));
	if (more != NULL) {
		v->places = more;
		more[v->places_n] = (struct place){.task = strdup(task)};
	}
	if (more == NULL || more[v->places_n].task == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return &more[v->places_n++];
}

/* What is new since the last call. */
static int
show_events(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct view *v = arg;
	struct place *p = place_of(v, task, e);

	if (p == NULL)
		return -1;
	v->last = p->event;
	if (outbox_events(box, p->event, show_event, v, e) == -1)
		return -1;
	p->event = v->last;
	v->last = p->notice;
	if (outbox_notices(box, p->notice, show_event, v, e) == -1)
		return -1;
	p->notice = v->last;
	return 0;
}

int
events_tail(const struct options *o, int argc, char **argv, struct err *e)
{
	const struct timespec wait = {.tv_nsec = FOLLOW_MS * 1000000};
	AUTO(view) struct view v = {.o = o};
	int rc;

	(void)argc;
	(void)argv;
	rc = view_of(o, NULL, &v, e);
	if (rc == 0)
		rc = outboxes_each(o, OUTBOXES_READ, show_events, &v, e);
	while (rc != -1 && o->follow && !atomic_load(stop_soon_flag())) {
		fflush(stdout);
		nanosleep(&wait, NULL);
		rc = outboxes_each(o, OUTBOXES_AGAIN, show_events, &v, e);
	}
	return rc == 0 ? 0 : -1;
}

static int
nothing(const struct view *v, const char *id, struct err *e)
{
	return id == NULL || v->shown > 0
	    ? 0
	    : err_set(e, ERR_NOTFOUND, "no such event: %s", id);
}

int
events_show(const struct options *o, int argc, char **argv, struct err *e)
{
	AUTO(view) struct view v = {.o = o};
	const char *id = argc > 0 ? argv[0] : o->of_event;

	if (id == NULL)
		return err_set(
		    e, ERR_USAGE, "which event? dray events show ID");
	if (view_of(o, id, &v, e) == -1 ||
	    outboxes_each(o, OUTBOXES_READ, show_events, &v, e) != 0)
		return -1;
	return nothing(&v, id, e);
}

static void
letter_text(struct buf *out, const struct outbox_letter *l)
{
	char when[32], id[CLOUDEVENT_ID_MAX];

	clock_iso8601(l->at_ms * 1000000, when, sizeof(when));
	cloudevent_id(l->seq, id);
	buf_addf(out, "%s  %s  %s", when, id, l->sub);
	if (l->replay[0] != '\0')
		buf_addf(out, ", replay %s", l->replay);
	buf_addf(out, "  attempt %u", l->attempts);
	if (l->reason[0] != '\0')
		buf_addf(out, "  %s", l->reason);
	if (l->status != 0)
		buf_addf(out, "  HTTP %d", l->status);
	if (l->error[0] != '\0')
		buf_addf(out, "  %s", l->error);
}

static void
letter_json(struct buf *out, const char *task, const struct outbox_letter *l)
{
	char id[CLOUDEVENT_ID_MAX];
	struct json j;

	cloudevent_id(l->seq, id);
	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "id", id);
	json_str(&j, "task", task);
	json_str(&j, "subscription", l->sub);
	if (l->replay[0] != '\0')
		json_str(&j, "replay", l->replay);
	cloudevent_time(&j, "time", l->at_ms * 1000000);
	if (l->reason[0] != '\0')
		json_str(&j, "reason", l->reason);
	json_uint(&j, "attempts", l->attempts);
	json_int(&j, "status", l->status);
	json_str(&j, "error", l->error);
	if (l->reason[0] == '\0')
		json_uint(&j, "took_ms", l->took_ms);
	json_object_end(&j);
}

static int
show_letter(void *arg, const struct outbox_letter *l, struct err *e)
{
	struct view *v = arg;
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);

	if (v->o->failed_only && l->reason[0] == '\0' && l->status / 100 == 2)
		return 0;
	if (v->o->json)
		letter_json(&out, v->task, l);
	else
		letter_text(&out, l);
	if (buf_failed(&out))
		return err_set(e, ERR_NOMEM, "out of memory");
	puts(buf_str(&out));
	v->shown++;
	return 0;
}

static int
show_attempts(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct view *v = arg;

	v->task = task;
	return outbox_attempts(box, &v->which, show_letter, v, e);
}

static int
show_dead(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct view *v = arg;

	v->task = task;
	return outbox_dead_letters(box, &v->which, show_letter, v, e);
}

/* Those of ID, or all. */
static int
show(const struct options *o, const char *id, outboxes_fn *fn, struct err *e)
{
	AUTO(view) struct view v = {.o = o};

	if (id == NULL)
		id = o->of_event;
	if (view_of(o, id, &v, e) == -1 ||
	    outboxes_each(o, OUTBOXES_READ, fn, &v, e) != 0)
		return -1;
	return nothing(&v, id, e);
}

int
events_attempts(const struct options *o, int argc, char **argv, struct err *e)
{
	return show(o, argc > 0 ? argv[0] : NULL, show_attempts, e);
}

static int
drop_dead(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct view *v = arg;
	uint64_t n;

	(void)task;
	if (outbox_dead_drop(box, &v->which, &n, e) == -1)
		return -1;
	v->shown += n;
	return 0;
}

static int
drop(const struct options *o, const char *id, struct err *e)
{
	AUTO(view) struct view v = {.o = o};
	int rc;

	if (view_of(o, id, &v, e) == -1)
		return -1;
	if (v.which.seq == 0 && v.which.sub == NULL && v.which.reason == NULL)
		return err_set(e, ERR_USAGE,
		    "say what is to be forgotten: dray events dead drop ID, "
		    "or --sub NAME, or --reason REASON");
	rc = outboxes_each(o, OUTBOXES_CHANGE, drop_dead, &v, e);
	if (rc == -1)
		return -1;
	if (o->json)
		printf("{\"dropped\":%" PRIu64 "}\n", v.shown);
	else if (o->verbosity >= 0)
		printf("%" PRIu64 " dead letters are forgotten\n", v.shown);
	return rc == 0 ? 0 : -1;
}

int
events_dead(const struct options *o, int argc, char **argv, struct err *e)
{
	const char *what = argc > 0 ? argv[0] : "list";
	const char *id = argc > 1 ? argv[1] : NULL;

	if (strcmp(what, "drop") == 0)
		return drop(o, id, e);
	if (strcmp(what, "show") == 0 && id == NULL && o->of_event == NULL)
		return err_set(
		    e, ERR_USAGE, "which event? dray events dead show ID");
	if (strcmp(what, "show") == 0 || strcmp(what, "list") == 0)
		return show(o, id, show_dead, e);
	if (argc > 1)
		return err_set(e, ERR_USAGE,
		    "dray events dead list, show ID, or drop ID, not \"%.50s\"",
		    what);
	return show(o, what, show_dead, e);
}
