/* SPDX-License-Identifier: ISC */
/* dray status: what the ledgers and the daemon say of the tasks. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/ask.h"
#include "agent/cli/cmd.h"
#include "agent/cli/live.h"
#include "agent/ledger.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

struct status {
	const char *task;
	char source[4096];
	char target[4096];
	struct ledger_run run; /* the last; id 0 if there was none */
	uint64_t items, bytes;
	size_t uploads;
	bool recorded;			/* there is a ledger */
	const struct jdoc_node *daemon; /* what that says of it, or NULL */
};

/* All that is shown. */
struct view {
	const struct options *o;
	const char *state_dir;
	struct ask ask;
	int asked; /* 1: the daemon answered, 0: nobody did, -1 */
	bool same; /* its state directory is this one */
	struct json j;
	struct buf out;
};

static int
read_status(struct ledger *l, struct status *s, struct err *e)
{
	struct ledger_upload *up = NULL;
	size_t n, i;

	if (ledger_meta_get(l, "source", s->source, sizeof(s->source), e) ==
		-1 ||
	    ledger_meta_get(l, "target", s->target, sizeof(s->target), e) ==
		-1 ||
	    ledger_run_get(l, INT64_MAX, &s->run, e) == -1 ||
	    ledger_totals(l, &s->items, &s->bytes, e) == -1 ||
	    ledger_uploads(l, &up, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		s->uploads += up[i].store_id[0] != '\0';
	ledger_uploads_free(up, n);
	return 0;
}

static const char *
state_of(const struct status *s)
{
	if (!s->recorded || s->run.id == 0)
		return "never ran";
	return s->run.ended_ns == 0 ? "running or cut off" : s->run.outcome;
}

static void
add_line(struct buf *out, const char *what, const char *text)
{
	buf_addf(out, "  %-9s ", what);
	text_escape(out, text, strlen(text));
	buf_addc(out, '\n');
}

static uint64_t
number_of(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_NUMBER ? strtoull(n->text, NULL, 10)
						   : 0;
}

/* The watch over its source, if there is one. */
static void
watch_text(const struct jdoc_node *d, struct buf *out)
{
	const char *state = ask_text(d, "watch"), *by = ask_text(d, "watch_by");
	uint64_t pending = number_of(d, "pending");
	uint64_t unwatched = number_of(d, "unwatched");
	char n[32];

	if (state[0] == '\0')
		return;
	buf_addf(
	    out, "  watch     %s%s%s", state, by[0] != '\0' ? ", by " : "", by);
	if (unwatched > 0)
		buf_addf(out, ", %s directories are left to the schedule",
		    text_count(unwatched, n, sizeof(n)));
	if (pending > 0)
		buf_addf(out, ", %s changed paths wait",
		    text_count(pending, n, sizeof(n)));
	buf_addc(out, '\n');
	if (ask_text(d, "watch_message")[0] != '\0')
		add_line(out, "", ask_text(d, "watch_message"));
}

/* What the daemon makes of it. */
static void
daemon_text(const struct status *s, bool answered, struct buf *out)
{
	const struct jdoc_node *d = s->daemon;
	const char *state = ask_text(d, "state"), *next = ask_text(d, "next");
	const char *why = ask_text(d, "error");
	bool held = strcmp(state, "held") == 0;

	if (why[0] == '\0')
		why = ask_text(d, "message");
	buf_addf(out, "  daemon    %s%s%s%s\n", state,
	    next[0] != '\0' ? ", next run " : "", next,
	    answered ? "" : " (no daemon answers)");
	if (why[0] != '\0')
		add_line(out, "", why);
	watch_text(d, out);
	if (held || strcmp(state, "paused") == 0)
		buf_addf(out, "            dray task resume %s lets it go on\n",
		    s->task);
}

static void
show_text(const struct status *s, bool answered, struct buf *out)
{
	char n[32], size[32], when[32];

	buf_addf(out, "%s\n", s->task);
	add_line(out, "from", s->source);
	add_line(out, "to", s->target);
	if (s->recorded)
		buf_addf(out, "  recorded  %s items, %s\n",
		    text_count(s->items, n, sizeof(n)),
		    text_size(s->bytes, size, sizeof(size)));
	if (s->run.id != 0) {
		clock_iso8601(s->run.started_ns, when, sizeof(when));
		buf_addf(out, "  last run  %llu, %s, %s\n",
		    (unsigned long long)s->run.id, when, state_of(s));
	}
	if (s->run.why[0] != '\0')
		add_line(out, "", s->run.why);
	if (s->uploads > 0)
		buf_addf(out,
		    "  %zu uploads are unfinished; the same command again "
		    "resumes them\n",
		    s->uploads);
	if (s->daemon != NULL)
		daemon_text(s, answered, out);
}

static void
show_json(const struct status *s, struct json *j)
{
	json_object(j, NULL);
	json_str(j, "task", s->task);
	json_name(j, "source", s->source, strlen(s->source));
	json_name(j, "target", s->target, strlen(s->target));
	json_uint(j, "recorded_items", s->items);
	json_uint(j, "recorded_bytes", s->bytes);
	json_uint(j, "unfinished_uploads", s->uploads);
	json_str(j, "state", state_of(s));
	if (s->run.id != 0) {
		char when[32];

		json_uint(j, "run", s->run.id);
		clock_iso8601(s->run.started_ns, when, sizeof(when));
		json_str(j, "started", when);
		if (s->run.ended_ns != 0) {
			clock_iso8601(s->run.ended_ns, when, sizeof(when));
			json_str(j, "ended", when);
		}
		json_string(j, "why", s->run.why, strlen(s->run.why));
	}
	if (s->daemon != NULL)
		json_value(j, "daemon", s->daemon);
	json_object_end(j);
}

/* The daemon's task of that name. */
static const struct jdoc_node *
daemons(const struct view *v, const char *task)
{
	const struct jdoc_node *n = NULL;

	if (v->asked != -1)
		n = ask_first(&v->ask, "tasks");
	while (n != NULL && strcmp(ask_text(n, "task"), task) != 0)
		n = n->next;
	return n;
}

/* What the ledger has, if there is one that this user may read. */
static int
read_ledger(const struct view *v, struct status *s, struct err *e)
{
	AUTO(ledger) struct ledger *l = NULL;
	char *aside;

	l = ledger_open(v->state_dir, s->task, LEDGER_READ, &aside, e);
	if (l != NULL) {
		s->recorded = true;
		/* A namesake, of the system's daemon. */
		if (!v->same)
			s->daemon = NULL;
		return read_status(l, s, e);
	}
	if (s->daemon == NULL ||
	    (e->kind != ERR_NOTFOUND && e->kind != ERR_DENIED))
		return -1;
	*e = (struct err)ERR_INIT;
	snprintf(
	    s->source, sizeof(s->source), "%s", ask_text(s->daemon, "source"));
	snprintf(
	    s->target, sizeof(s->target), "%s", ask_text(s->daemon, "target"));
	return 0;
}

static int
show(struct view *v, const char *task, struct err *e)
{
	struct status s = {.task = task, .daemon = daemons(v, task)};

	if (task_check_name(task, e) == -1)
		return -1;
	if (read_ledger(v, &s, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			return err_set(e, ERR_USAGE,
			    "no task \"%s\" has run with the state directory "
			    "%s, nor does the daemon have one; see dray status",
			    task, v->state_dir);
		return err_context(e, "task %s", task);
	}
	if (strcmp(v->o->format, "json") == 0)
		show_json(&s, &v->j);
	else
		show_text(&s, v->asked == 1, &v->out);
	return 0;
}

/* Those that have run, then the others that the daemon has. */
static int
show_all(struct view *v, struct err *e)
{
	const struct jdoc_node *n =
	    v->asked != -1 ? ask_first(&v->ask, "tasks") : NULL;
	char **names = task_names(v->state_dir, e);
	size_t i;
	int rc = names != NULL ? 0 : -1;

	for (i = 0; rc == 0 && names[i] != NULL; i++)
		rc = show(v, names[i], e);
	for (; rc == 0 && n != NULL; n = n->next)
		if (!v->same || !task_exists(v->state_dir, ask_text(n, "task")))
			rc = show(v, ask_text(n, "task"), e);
	task_names_free(names);
	if (rc == 0 && v->out.len == 0)
		buf_addf(&v->out, "no task has run yet (state directory %s)\n",
		    v->state_dir);
	return rc;
}

/* Where the daemon's files can't be read, the ledgers still can. */
static void
ask_about(struct view *v)
{
	struct err e = ERR_INIT;

	if (v->ask.conf == NULL)
		return;
	if (v->state_dir == v->o->default_state_dir)
		v->state_dir = v->ask.conf->state_dir;
	v->asked = ask_or_look(&v->ask, "status", &e);
	v->same = v->asked != -1 &&
	    strcmp(v->state_dir, ask_text(ask_reply(&v->ask), "state_dir")) ==
		0;
}

/* One that waits for somebody is a failure of its own. */
static int
exit_code(const struct view *v, const char *task)
{
	const struct jdoc_node *d = task != NULL ? daemons(v, task) : NULL;

	if (strcmp(ask_text(d, "state"), "broken") == 0)
		return 3;
	return strcmp(ask_text(d, "state"), "held") == 0 ? 1 : 0;
}

static int
show_once(struct view *v, const char *task, struct err *e)
{
	bool as_json = strcmp(v->o->format, "json") == 0;
	int rc;

	ask_about(v);
	json_begin(&v->j, &v->out);
	if (as_json)
		json_array(&v->j, NULL);
	rc = task != NULL ? show(v, task, e) : show_all(v, e);
	if (rc == -1)
		return -1;
	if (as_json) {
		json_array_end(&v->j);
		buf_addc(&v->out, '\n');
	}
	fputs(buf_str(&v->out), stdout);
	return 0;
}

int
cmd_status(const struct options *o, int argc, char **argv)
{
	const char *task = argc > 0 ? argv[0] : NULL;
	struct view v = {
	    .o = o,
	    .state_dir = o->state_dir,
	    .asked = -1,
	    .out = BUF_INIT(16 << 20),
	};
	struct err e = ERR_INIT;
	int rc = ask_begin(&v.ask, o, &e);

	if (rc == 0 && o->watch)
		rc = live_view(&v.ask, task, &e);
	else if (rc == 0 || o->config == NULL)
		rc = show_once(&v, task, &e);
	if (rc == -1 && e.kind == ERR_NOTFOUND)
		e.kind = ERR_USAGE; /* the task's name */
	rc = rc == 0 ? exit_code(&v, task) : cmd_fail(&e);
	buf_free(&v.out);
	ask_end(&v.ask);
	return rc;
}
