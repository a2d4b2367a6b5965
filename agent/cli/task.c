/* SPDX-License-Identifier: ISC */
/* dray task: the daemon's tasks. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "agent/daemon/client.h"
#include "agent/daemon/tasks.h"
#include "agent/ledger.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/json.h"
#include "base/text.h"

#define REPLY_MAX (64 << 20)
#define HISTORY_MAX 50
/* The service's, for those of its group. */
#define SYSTEM_CONTROL "/run/dray/control"

struct ask {
	const struct options *o;
	struct daemon_conf *conf;
	const char *name;	 /* NULL: all tasks */
	const char *key, *value; /* of set; or NULL */
	struct buf reply;
};

/* OP at the daemon: its answer is in a->reply. */
static int
ask(struct ask *a, const char *op, struct err *e)
{
	AUTO(buf) struct buf request = BUF_INIT(1 << 16);
	const char *at =
	    a->o->control != NULL ? a->o->control : a->conf->control;
	struct json j;
	int rc;

	json_begin(&j, &request);
	json_object(&j, NULL);
	json_uint(&j, "v", 1);
	json_str(&j, "op", op);
	if (a->name != NULL)
		json_str(&j, "task", a->name);
	if (a->key != NULL) {
		json_str(&j, "key", a->key);
		json_str(&j, "value", a->value);
	}
	json_object_end(&j);
	if (buf_failed(&request))
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = client_ask(at, buf_str(&request), &a->reply, e);
	/* Somebody who has no daemon of his own may mean the system's. */
	if (rc == -1 && e->kind == ERR_NOTFOUND && a->o->control == NULL &&
	    a->o->config == NULL && access(SYSTEM_CONTROL, F_OK) == 0)
		rc =
		    client_ask(SYSTEM_CONTROL, buf_str(&request), &a->reply, e);
	return rc;
}

static enum err_kind
kind_of(const char *word)
{
	int kind;

	for (kind = ERR_NONE + 1; kind < ERR_KIND_COUNT; kind++)
		if (strcmp(err_kind_name((enum err_kind)kind), word) == 0)
			return (enum err_kind)kind;
	return ERR_SERVER;
}

static const char *
text_in(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_STRING ? n->text : "";
}

/* What the daemon refused. */
static int
check_reply(const struct jdoc_node *reply, struct err *e)
{
	const struct jdoc_node *ok = jdoc_member(reply, "ok");

	if (ok != NULL && ok->type == JDOC_TRUE)
		return 0;
	return err_set(e, kind_of(text_in(reply, "error")), "%s",
	    text_in(reply, "message"));
}

/* What there is to be known without the daemon. */
static int
look(struct ask *a, struct err *e)
{
	struct tasks_config config = {
	    .state_dir = a->conf->state_dir,
	    .subscriptions_dir = a->conf->subscriptions_dir,
	};
	AUTO(tasks) struct tasks *t = tasks_new(&config, e);
	struct json j;

	if (t == NULL ||
	    tasks_load(t, a->conf->tasks_dir, &a->conf->defaults,
		clock_wall_ns() / 1000, e) == -1)
		return -1;
	buf_reset(&a->reply);
	json_begin(&j, &a->reply);
	json_object(&j, NULL);
	json_bool(&j, "ok", true);
	json_array(&j, "tasks");
	if (tasks_show(t, a->name, &j, e) == -1)
		return -1;
	json_array_end(&j);
	json_object_end(&j);
	return 0;
}

static void
list_line(const struct jdoc_node *task, struct buf *out)
{
	const char *ended = text_in(task, "ended");
	const char *outcome = text_in(task, "outcome");
	const char *next = text_in(task, "next");

	buf_addf(out, "%-24s %-9s %-20s %-12s %s\n", text_in(task, "task"),
	    text_in(task, "state"), ended[0] != '\0' ? ended : "-",
	    outcome[0] != '\0' ? outcome : "-", next[0] != '\0' ? next : "-");
}

static void
show_member(const struct jdoc_node *n, struct buf *out)
{
	buf_addf(out, "  %-9s ", n->key);
	if (n->type == JDOC_STRING)
		text_escape(out, n->text, n->len);
	else
		buf_add(out, n->text, n->len);
	buf_addc(out, '\n');
}

static void
show_whole(const struct jdoc_node *task, struct buf *out)
{
	const struct jdoc_node *n;

	buf_addf(out, "%s\n", text_in(task, "task"));
	for (n = task->child; n != NULL; n = n->next)
		if (!jdoc_key_is(n, "task") &&
		    (n->type == JDOC_STRING || n->type == JDOC_NUMBER))
			show_member(n, out);
}

static int
print_tasks(struct ask *a, bool whole, struct err *e)
{
	AUTO(jdoc)
	struct jdoc *doc = jdoc_parse(a->reply.data, a->reply.len, e);
	AUTO(buf) struct buf out = BUF_INIT(REPLY_MAX);
	const struct jdoc_node *tasks, *n;

	if (doc == NULL || check_reply(jdoc_root(doc), e) == -1)
		return -1;
	if (a->o->json) {
		puts(buf_str(&a->reply));
		return 0;
	}
	tasks = jdoc_member(jdoc_root(doc), "tasks");
	if (!whole)
		buf_addf(&out, "%-24s %-9s %-20s %-12s %s\n", "TASK", "STATE",
		    "LAST", "OUTCOME", "NEXT");
	for (n = tasks != NULL ? tasks->child : NULL; n != NULL; n = n->next)
		if (whole)
			show_whole(n, &out);
		else
			list_line(n, &out);
	fputs(buf_str(&out), stdout);
	return 0;
}

static int
list(struct ask *a, bool whole, struct err *e)
{
	if (ask(a, "status", e) == -1 &&
	    (e->kind != ERR_NOTFOUND || look(a, e) == -1))
		return -1;
	return print_tasks(a, whole, e);
}

static int
act(struct ask *a, const char *op, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = NULL;

	if (ask(a, op, e) == -1)
		return -1;
	doc = jdoc_parse(a->reply.data, a->reply.len, e);
	if (doc == NULL || check_reply(jdoc_root(doc), e) == -1)
		return -1;
	if (a->o->json)
		puts(buf_str(&a->reply));
	return 0;
}

struct checking {
	const char *name; /* NULL: all */
	size_t bad;
};

static void
on_bad(void *arg, const char *name, const struct err *why)
{
	struct checking *c = arg;

	if (c->name != NULL && strcmp(c->name, name) != 0)
		return;
	cmd_fail(why);
	c->bad++;
}

/* Whether the files make sense; 3 if one doesn't. */
static int
check(struct ask *a, struct err *e)
{
	struct checking c = {.name = a->name};
	struct task_conf **all;
	size_t n, i, good = 0;

	if (task_conf_load_all(a->conf->tasks_dir, &a->conf->defaults, on_bad,
		&c, &all, &n, e) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		if (a->name == NULL || strcmp(a->name, all[i]->name) == 0) {
			if (a->o->verbosity >= 0)
				printf("%s: ok\n", all[i]->path);
			good++;
		}
		task_conf_free(all[i]);
	}
	free(all);
	if (a->name != NULL && good + c.bad == 0)
		return err_set(e, ERR_NOTFOUND, "no task \"%s\" in %s", a->name,
		    a->conf->tasks_dir);
	if (c.bad > 0)
		return err_set(e, ERR_CONFIG, "%zu of %zu files make no sense",
		    c.bad, good + c.bad);
	return 0;
}

static void
history_line(const struct ledger_run *r, bool as_json, struct buf *out)
{
	char begun[32] = "", ended[32] = "";
	struct json j;

	clock_iso8601(r->started_ns, begun, sizeof(begun));
	if (r->ended_ns != 0)
		clock_iso8601(r->ended_ns, ended, sizeof(ended));
	if (!as_json) {
		buf_addf(out, "%-6llu %-20s %-20s %s\n",
		    (unsigned long long)r->id, begun,
		    ended[0] != '\0' ? ended : "-",
		    r->ended_ns != 0 ? r->outcome : "running or cut off");
		return;
	}
	json_begin(&j, out);
	json_object(&j, NULL);
	json_uint(&j, "run", r->id);
	json_str(&j, "begun", begun);
	if (r->ended_ns != 0) {
		json_str(&j, "ended", ended);
		json_str(&j, "outcome", r->outcome);
	}
	json_object_end(&j);
	buf_addc(out, '\n');
}

/* The last runs in the ledger, the newest first. */
static int
history(struct ask *a, struct err *e)
{
	AUTO(ledger) struct ledger *l = NULL;
	AUTO(buf) struct buf out = BUF_INIT(REPLY_MAX);
	struct ledger_run r = {.id = INT64_MAX};
	char *aside;
	int shown;

	if (!task_exists(a->conf->state_dir, a->name))
		return err_set(
		    e, ERR_NOTFOUND, "task %s has not run yet", a->name);
	l = ledger_open(a->conf->state_dir, a->name, LEDGER_READ, &aside, e);
	if (l == NULL)
		return -1;
	if (!a->o->json)
		buf_addf(&out, "%-6s %-20s %-20s %s\n", "RUN", "BEGUN", "ENDED",
		    "OUTCOME");
	for (shown = 0; shown < HISTORY_MAX; shown++) {
		uint64_t before = r.id - 1;

		if (ledger_run_get(l, before, &r, e) == -1)
			return -1;
		if (r.id == 0)
			break;
		history_line(&r, a->o->json, &out);
		if (r.id == 1)
			break;
	}
	fputs(buf_str(&out), stdout);
	return 0;
}

static int
do_it(struct ask *a, const char *what, struct err *e)
{
	static const char acts[] = "start stop pause resume set";

	if (strcmp(what, "list") == 0)
		return list(a, false, e);
	if (strcmp(what, "check") == 0)
		return check(a, e);
	if (words_index("show history", what, strlen(what)) == -1 &&
	    words_index(acts, what, strlen(what)) == -1)
		return err_set(e, ERR_USAGE,
		    "neither list, show, check, start, stop, pause, resume, "
		    "set nor history: \"%s\"",
		    what);
	if (a->name == NULL)
		return err_set(e, ERR_USAGE, "task %s: which one?", what);
	if (task_check_name(a->name, e) == -1)
		return -1;
	if ((strcmp(what, "set") == 0) != (a->value != NULL))
		return err_set(e, ERR_USAGE,
		    a->value == NULL ? "task set: NAME KEY VALUE"
				     : "task %s takes a NAME only",
		    what);
	if (strcmp(what, "show") == 0)
		return list(a, true, e);
	if (strcmp(what, "history") == 0)
		return history(a, e);
	return act(a, what, e);
}

int
cmd_task(const struct options *o, int argc, char **argv)
{
	AUTO(free) char *preset = NULL;
	AUTO(daemon_conf) struct daemon_conf *conf = NULL;
	struct ask a = {
	    .o = o,
	    .name = argc > 1 ? argv[1] : NULL,
	    .key = argc > 3 ? argv[2] : NULL,
	    .value = argc > 3 ? argv[3] : NULL,
	    .reply = BUF_INIT(REPLY_MAX),
	};
	struct err e = ERR_INIT;
	int rc = -1;

	preset = o->config == NULL ? daemon_conf_path(&e) : NULL;
	if (o->config != NULL || preset != NULL)
		conf = daemon_conf_load(o->config != NULL ? o->config : preset,
		    o->config != NULL, &e);
	if (conf != NULL) {
		a.conf = conf;
		rc = do_it(&a, argv[0], &e);
	}
	buf_free(&a.reply);
	return rc == 0 ? 0 : cmd_fail(&e);
}
