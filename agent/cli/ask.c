/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/ask.h"
#include "agent/daemon/client.h"
#include "agent/daemon/history.h"
#include "agent/daemon/tasks.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

/* The service's, for those of its group. */
#define SYSTEM_CONTROL "/run/dray/control"

int
ask_begin(struct ask *a, const struct options *o, struct err *e)
{
	AUTO(free) char *preset = NULL;

	*a = (struct ask){.o = o, .reply = BUF_INIT(ASK_REPLY_MAX)};
	if (o->config == NULL) {
		preset = daemon_conf_path(e);
		if (preset == NULL)
			return -1;
	}
	a->conf = daemon_conf_load(
	    o->config != NULL ? o->config : preset, o->config != NULL, e);
	return a->conf != NULL ? 0 : -1;
}

void
ask_end(struct ask *a)
{
	jdoc_free(a->doc);
	buf_free(&a->reply);
	daemon_conf_free(a->conf);
}

const struct jdoc_node *
ask_reply(const struct ask *a)
{
	return jdoc_root(a->doc);
}

const struct jdoc_node *
ask_first(const struct ask *a, const char *key)
{
	const struct jdoc_node *n = jdoc_member(ask_reply(a), key);

	return n != NULL && n->type == JDOC_ARRAY ? n->child : NULL;
}

const char *
ask_text(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_STRING ? n->text : "";
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

/* What is in a->reply, unless it is a refusal. */
static int
read_reply(struct ask *a, struct err *e)
{
	const struct jdoc_node *ok;

	jdoc_free(a->doc);
	a->doc = jdoc_parse(a->reply.data, a->reply.len, e);
	if (a->doc == NULL)
		return -1;
	ok = jdoc_member(ask_reply(a), "ok");
	if (ok != NULL && ok->type == JDOC_TRUE)
		return 0;
	return err_set(e, kind_of(ask_text(ask_reply(a), "error")), "%s",
	    ask_text(ask_reply(a), "message"));
}

static const char *
control_of(const struct ask *a)
{
	return a->o->control != NULL ? a->o->control : a->conf->control;
}

/* Somebody who has no daemon of his own. */
static bool
may_mean_the_systems(const struct ask *a)
{
	return a->o->control == NULL && a->o->config == NULL;
}

/* 1: a->reply is there; 0: there is no daemon, or one that hangs; -1. */
static int
send_request(struct ask *a, const char *op, struct err *e)
{
	AUTO(buf) struct buf request = BUF_INIT(1 << 16);
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
	buf_reset(&a->reply);
	rc = client_ask(control_of(a), buf_str(&request), &a->reply, e);
	if (rc == -1 && e->kind == ERR_NOTFOUND && may_mean_the_systems(a) &&
	    access(SYSTEM_CONTROL, F_OK) == 0)
		rc =
		    client_ask(SYSTEM_CONTROL, buf_str(&request), &a->reply, e);
	if (rc == 0)
		return 1;
	return e->kind == ERR_NOTFOUND || e->kind == ERR_NET ? 0 : -1;
}

int
ask_daemon(struct ask *a, const char *op, struct err *e)
{
	int rc = send_request(a, op, e);

	if (rc == 1)
		return read_reply(a, e);
	if (rc == 0 && may_mean_the_systems(a) &&
	    access(SYSTEM_CONTROL, F_OK) == -1 && errno == EACCES)
		return err_set(e, ERR_DENIED,
		    "no daemon of yours answers at %s, and the system's is for "
		    "root and those of its group (usermod -aG dray USER)",
		    control_of(a));
	if (rc == 0)
		e->kind = ERR_NET;
	return -1;
}

static int
tell_history(
    const struct ask *a, const struct tasks *t, struct json *j, struct err *e)
{
	if (tasks_find(t, a->name, e) == -1)
		return -1;
	return history_show(a->conf->state_dir, a->name, j, e);
}

/* What there is to be known without the daemon, in the daemon's words. */
static int
look(struct ask *a, const char *op, struct err *e)
{
	struct tasks_config config = {
	    .state_dir = a->conf->state_dir,
	    .subscriptions_dir = a->conf->subscriptions_dir,
	};
	AUTO(tasks) struct tasks *t = tasks_new(&config, e);
	bool history = strcmp(op, "history") == 0;
	struct json j;

	if (t == NULL ||
	    tasks_load(t, a->conf->tasks_dir, &a->conf->defaults,
		clock_wall_ns() / 1000, e) == -1)
		return -1;
	buf_reset(&a->reply);
	json_begin(&j, &a->reply);
	json_object(&j, NULL);
	json_bool(&j, "ok", true);
	json_str(&j, "state_dir", a->conf->state_dir);
	json_array(&j, history ? "runs" : "tasks");
	if ((history ? tell_history(a, t, &j, e)
		     : tasks_show(t, a->name, &j, e)) == -1)
		return -1;
	json_array_end(&j);
	json_object_end(&j);
	return read_reply(a, e);
}

int
ask_or_look(struct ask *a, const char *op, struct err *e)
{
	int rc = send_request(a, op, e);

	if (rc == 1)
		return read_reply(a, e) == 0 ? 1 : -1;
	return rc == 0 ? look(a, op, e) : -1;
}

void
ask_say_silence(const struct ask *a)
{
	log_warn("no daemon answers at %s; this is what one left in %s",
	    control_of(a), a->conf->state_dir);
}
