/* SPDX-License-Identifier: ISC */
/* dray task: the daemon's tasks. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/ask.h"
#include "agent/cli/cmd.h"
#include "agent/task.h"
#include "base/json.h"
#include "base/text.h"

static void
list_line(const struct jdoc_node *task, struct buf *out)
{
	const char *ended = ask_text(task, "ended");
	const char *outcome = ask_text(task, "outcome");
	const char *next = ask_text(task, "next");

	buf_addf(out, "%-24s %-9s %-20s %-12s %s\n", ask_text(task, "task"),
	    ask_text(task, "state"), ended[0] != '\0' ? ended : "-",
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

	buf_addf(out, "%s\n", ask_text(task, "task"));
	for (n = task->child; n != NULL; n = n->next)
		if (!jdoc_key_is(n, "task") &&
		    (n->type == JDOC_STRING || n->type == JDOC_NUMBER))
			show_member(n, out);
}

static int
list(struct ask *a, bool whole, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(ASK_REPLY_MAX);
	const struct jdoc_node *n;
	int rc = ask_or_look(a, "status", e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		ask_say_silence(a);
	if (a->o->json) {
		puts(buf_str(&a->reply));
		return 0;
	}
	if (!whole)
		buf_addf(&out, "%-24s %-9s %-20s %-12s %s\n", "TASK", "STATE",
		    "LAST", "OUTCOME", "NEXT");
	for (n = ask_first(a, "tasks"); n != NULL; n = n->next)
		if (whole)
			show_whole(n, &out);
		else
			list_line(n, &out);
	fputs(buf_str(&out), stdout);
	return 0;
}

static int
act(struct ask *a, const char *op, struct err *e)
{
	if (ask_daemon(a, op, e) == -1)
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
history_line(const struct jdoc_node *run, struct buf *out)
{
	const struct jdoc_node *number = jdoc_member(run, "run");
	const char *ended = ask_text(run, "ended");

	buf_addf(out, "%-6.*s %-20s %-20s %s\n",
	    number != NULL ? (int)number->len : 0,
	    number != NULL ? number->text : "", ask_text(run, "begun"),
	    ended[0] != '\0' ? ended : "-",
	    ended[0] != '\0' ? ask_text(run, "outcome") : "running or cut off");
}

/* The last runs, the newest first. */
static int
history(struct ask *a, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(ASK_REPLY_MAX);
	const struct jdoc_node *n;
	struct json j;

	if (ask_or_look(a, "history", e) == -1)
		return -1;
	if (!a->o->json)
		buf_addf(&out, "%-6s %-20s %-20s %s\n", "RUN", "BEGUN", "ENDED",
		    "OUTCOME");
	for (n = ask_first(a, "runs"); n != NULL; n = n->next) {
		if (a->o->json) {
			json_begin(&j, &out);
			json_value(&j, NULL, n);
			buf_addc(&out, '\n');
		} else {
			history_line(n, &out);
		}
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
	struct ask a;
	struct err e = ERR_INIT;
	int rc = ask_begin(&a, o, &e);

	if (rc == 0) {
		a.name = argc > 1 ? argv[1] : NULL;
		a.key = argc > 3 ? argv[2] : NULL;
		a.value = argc > 3 ? argv[3] : NULL;
		rc = do_it(&a, argv[0], &e);
	}
	ask_end(&a);
	/* The name of a task is a matter of the command line. */
	if (e.kind == ERR_NOTFOUND)
		e.kind = ERR_USAGE;
	return rc == 0 ? 0 : cmd_fail(&e);
}
