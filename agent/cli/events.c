/* SPDX-License-Identifier: ISC */
/* dray events: what happened, who was told, and patterns tried on it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/events_verify.h"
#include "agent/events/cloudevent.h"
#include "agent/events/outbox.h"
#include "agent/events/pattern.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define EVENT_MAX (1 << 20) /* no event is as long */

/* What a verb works on. */
struct view {
	const struct options *o;
	struct outbox *box;
	struct pattern *pattern; /* NULL: all */
	const char *id;		 /* NULL: all */
	uint64_t shown;
};

static int
read_event(struct buf *text, struct err *e)
{
	char chunk[1 << 14];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		buf_add(text, chunk, n);
	if (ferror(stdin))
		return err_sys(e, "standard input");
	if (buf_failed(text))
		return err_set(
		    e, ERR_USAGE, "event: longer than %d bytes", EVENT_MAX);
	return 0;
}

/* 1, 0, -1 */
static int
match(const char *text, struct err *e)
{
	AUTO(pattern) struct pattern *p = NULL;
	AUTO(buf) struct buf event = BUF_INIT(EVENT_MAX);
	AUTO(jdoc) struct jdoc *doc = NULL;

	if (text == NULL)
		return err_set(e, ERR_USAGE,
		    "say which pattern is to be tried: --pattern PATTERN");
	p = pattern_new(text, strlen(text), e);
	if (p == NULL)
		return err_context(e, "--pattern");
	if (read_event(&event, e) == -1)
		return -1;
	doc = jdoc_parse(buf_str(&event), event.len, e);
	if (doc == NULL)
		return err_context(e, "event");
	if (jdoc_root(doc)->type != JDOC_OBJECT)
		return err_set(e, ERR_USAGE, "event: not an object: {...}");
	return pattern_match(p, jdoc_root(doc), e);
}

static int
cmd_match(const struct options *o)
{
	AUTO(buf) struct buf out = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct json j;
	int rc = match(o->pattern, &e);

	if (rc == -1) {
		cmd_fail(&e);
		return 2; /* 1 would say that it doesn't match */
	}
	if (o->json) {
		json_begin(&j, &out);
		json_object(&j, NULL);
		json_bool(&j, "match", rc == 1);
		json_object_end(&j);
		printf("%s\n", buf_str(&out));
	} else if (o->verbosity >= 0) {
		puts(rc == 1 ? "match" : "no match");
	}
	return rc == 1 ? 0 : 1;
}

static int
cmd_genuine(const struct options *o)
{
	AUTO(buf) struct buf request = BUF_INIT(EVENT_MAX);
	struct err e = ERR_INIT;
	int rc = read_event(&request, &e);

	if (rc == 0)
		rc = events_verify(o, &request, &e);
	if (rc == -1) {
		cmd_fail(&e);
		return 2; /* 1 would say that it is forged */
	}
	return rc == 1 ? 0 : 1;
}

static bool
is_asked_for(const struct view *v, uint64_t seq)
{
	return v->id == NULL || cloudevent_seq(v->id) == seq;
}

static int
show_event(void *arg, const struct outbox_event *event, struct err *e)
{
	struct view *v = arg;
	AUTO(jdoc) struct jdoc *doc = NULL;
	int rc = 1;

	if (!is_asked_for(v, event->seq))
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

static int
tail(struct view *v, struct err *e)
{
	return outbox_events(v->box, 0, show_event, v, e);
}

static void
letter_text(struct buf *out, const struct outbox_letter *l)
{
	char when[32], id[CLOUDEVENT_ID_MAX];

	clock_iso8601(l->at_ms * 1000000, when, sizeof(when));
	cloudevent_id(l->seq, id);
	buf_addf(out, "%s  %s  %s  attempt %u", when, id, l->sub, l->attempts);
	if (l->reason[0] != '\0')
		buf_addf(out, "  %s", l->reason);
	if (l->status != 0)
		buf_addf(out, "  HTTP %d", l->status);
	if (l->error[0] != '\0')
		buf_addf(out, "  %s", l->error);
}

static void
letter_json(struct buf *out, const struct outbox_letter *l)
{
	char id[CLOUDEVENT_ID_MAX];
	struct json j;

	cloudevent_id(l->seq, id);
	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "id", id);
	json_str(&j, "subscription", l->sub);
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

	if (!is_asked_for(v, l->seq))
		return 0;
	if (v->o->json)
		letter_json(&out, l);
	else
		letter_text(&out, l);
	if (buf_failed(&out))
		return err_set(e, ERR_NOMEM, "out of memory");
	puts(buf_str(&out));
	v->shown++;
	return 0;
}

static int
attempts(struct view *v, struct err *e)
{
	return outbox_attempts(v->box, show_letter, v, e);
}

static int
dead(struct view *v, struct err *e)
{
	return outbox_dead_letters(v->box, show_letter, v, e);
}

static int
redrive(struct view *v, struct err *e)
{
	uint64_t seq = v->id != NULL ? cloudevent_seq(v->id) : 0;

	if (outbox_begin(v->box, e) == -1)
		return -1;
	if (outbox_redrive(v->box, 0, seq, clock_wall_ns() / 1000000, &v->shown,
		e) == -1 ||
	    outbox_commit(v->box, e) == -1) {
		outbox_rollback(v->box);
		return -1;
	}
	if (v->o->json)
		printf("{\"redriven\":%" PRIu64 "}\n", v->shown);
	else if (v->o->verbosity >= 0)
		printf("%" PRIu64 " events wait again: the next run with "
		       "their --webhook sends them\n",
		    v->shown);
	return 0;
}

/* The directory of the task that was named, or that ran last. */
static char *
task_dir(const struct options *o, struct err *e)
{
	AUTO(free) char *found = NULL;
	AUTO(ledger)
	struct ledger *l =
	    task_open_for_reading(o->state_dir, o->task, &found, e);
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	char *text;

	if (l == NULL)
		return NULL;
	buf_addf(&dir, "%s/%s", o->state_dir, found);
	text = buf_take(&dir);
	if (text == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return text;
}

typedef int view_fn(struct view *v, struct err *e);

static const struct {
	const char *name;
	view_fn *fn;
	bool writes;
	bool needs_id;
} views[] = {
    {"tail", tail, false, false},
    {"show", tail, false, true},
    {"attempts", attempts, false, false},
    {"dead", dead, false, false},
    {"redrive", redrive, true, false},
};

#define VIEWS (sizeof(views) / sizeof(views[0]))

static int
look(struct view *v, size_t which, struct err *e)
{
	AUTO(free) char *dir = NULL;
	int rc;

	if (v->id == NULL && views[which].needs_id)
		return err_set(
		    e, ERR_USAGE, "which event? dray events show ID");
	if (v->id != NULL && cloudevent_seq(v->id) == 0)
		return err_set(
		    e, ERR_USAGE, "not an event's id: \"%.100s\"", v->id);
	if (v->o->pattern != NULL) {
		v->pattern =
		    pattern_new(v->o->pattern, strlen(v->o->pattern), e);
		if (v->pattern == NULL)
			return err_context(e, "--pattern");
	}
	dir = task_dir(v->o, e);
	if (dir == NULL)
		return -1;
	v->box = outbox_open(dir, views[which].writes, e);
	if (v->box == NULL)
		return -1;
	rc = views[which].fn(v, e);
	if (rc == 0 && v->id != NULL && v->shown == 0)
		rc = err_set(e, ERR_NOTFOUND, "no such event: %s", v->id);
	return rc;
}

int
cmd_events(const struct options *o, int argc, char **argv)
{
	struct view v = {.o = o, .id = argc > 1 ? argv[1] : NULL};
	struct err e = ERR_INIT;
	size_t i;
	int rc;

	if (strcmp(argv[0], "match") == 0 && argc == 1)
		return cmd_match(o);
	if (strcmp(argv[0], "verify") == 0 && argc == 1)
		return cmd_genuine(o);
	for (i = 0; i < VIEWS && strcmp(argv[0], views[i].name) != 0; i++)
		;
	if (i == VIEWS)
		rc = err_set(&e, ERR_USAGE,
		    "no verb \"events %.100s\"; see dray events --help",
		    argv[0]);
	else
		rc = look(&v, i, &e);
	pattern_free(v.pattern);
	outbox_close(v.box);
	return rc == -1 ? cmd_fail(&e) : 0;
}
